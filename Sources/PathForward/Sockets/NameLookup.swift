internal import PathNetwork
internal import PathTelemetry
internal import PathTransport
internal import Synchronization

/// Looks names up on threads of its own, because the system's resolver blocks.
///
/// Threads are started as needed, at most `threadLimit`, and end when nothing is left to do.
final class NameLookup: Sendable {
    /// Threads that may wait for a name server at the same time.
    private static let threadLimit = 16
    /// Questions that may wait for a thread.
    private static let queueLimit = 4096

    private struct State {
        var questions: [@Sendable () -> Void] = []
        var threads = 0
    }
    private let state = Mutex(State())

    /// The instance of this process: name servers are shared, too.
    static let shared = NameLookup()

    /// Does blocking work on another thread.
    ///
    /// - Returns: false if too many wait already.
    func ask(_ work: @escaping @Sendable () -> Void) -> Bool {
        let startsThread: Bool? = state.withLock { state in
            guard state.questions.count < NameLookup.queueLimit else { return nil }
            state.questions.append(work)
            guard state.threads < NameLookup.threadLimit else { return false }
            state.threads += 1
            return true
        }
        guard let startsThread else { return false }
        if startsThread {
            do throws(WorkerThread.Refusal) {
                try WorkerThread(named: "pathwise-names") { [self] in answer() }.detach()
            } catch {
                // Another thread takes the question, if there is one.
                let isLast = state.withLock { state in
                    state.threads -= 1
                    if state.threads == 0 { state.questions.removeAll() }
                    return state.threads == 0
                }
                return !isLast
            }
        }
        return true
    }

    private func answer() {
        while true {
            let work: (@Sendable () -> Void)? = state.withLock { state in
                guard !state.questions.isEmpty else {
                    state.threads -= 1
                    return nil
                }
                return state.questions.removeFirst()
            }
            guard let work else { return }
            work()
        }
    }
}
