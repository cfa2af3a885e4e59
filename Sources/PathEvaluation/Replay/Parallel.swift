import Glibc
import Synchronization

/// Runs independent pieces of work on several threads.
enum Parallel {
    /// Number of processors of this machine.
    static var processors: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

    private final class Job {
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
            let context = Unmanaged.passUnretained(job).toOpaque()
            var handles: [pthread_t] = []
            while handles.count + 1 < min(threads, count) {
                var handle = pthread_t()
                let code = pthread_create(
                    &handle, nil,
                    { context in
                        if let context {
                            Unmanaged<Job>.fromOpaque(context).takeUnretainedValue().run()
                        }
                        return nil
                    }, context)
                // If no thread can be started, this one does all the work.
                guard code == 0 else { break }
                handles.append(handle)
            }
            job.run()
            for handle in handles { pthread_join(handle, nil) }
        }
    }
}
