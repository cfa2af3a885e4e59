import Glibc
import PathTelemetry
import Synchronization

/// Runs independent pieces of work on several threads.
package enum Parallel {
    /// Number of processors of this machine.
    package static var processors: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

    private final class Job: @unchecked Sendable {
        let count: Int
        let work: (Int) -> Void
        let next = Atomic(0)

        init(_ count: Int, _ work: @escaping (Int) -> Void) {
            self.count = count
            self.work = work
        }

        /// Each thread takes the next piece until none is left.
        func run() {
            while true {
                let piece = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard piece < count else { return }
                work(piece)
            }
        }
    }

    /// Calls `work` with each of `0 ..< count` once and returns when all are done.
    ///
    /// - Parameters:
    ///   - threads: the most threads that work at once, including this one.
    ///   - work: no call may access what another one changes.
    static func forEach(_ count: Int, threads: Int, _ work: (Int) -> Void) {
        withoutActuallyEscaping(work) { work in
            let job = Job(count, work)
            var others: [WorkerThread] = []
            while others.count + 1 < min(threads, count) {
                // If no thread can be started, this one does all the work.
                guard let other = try? WorkerThread(named: "pathwise-work", { job.run() }) else {
                    break
                }
                others.append(other)
            }
            job.run()
            for other in others { other.join() }
        }
    }
}
