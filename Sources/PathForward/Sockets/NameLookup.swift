internal import PathNetwork
internal import PathTelemetry
internal import PathTransport
internal import Synchronization

/// Looks names up on threads of its own, because the system's resolver blocks.
///
/// Threads are started as needed, at most `threadLimit`, and end when nothing is left to do. Askers
/// take turns, and each has a share of the threads: names whose server does not answer delay only
/// those who asked for them.
final class NameLookup: Sendable {
    /// Who asks: a client, or this program for itself.
    enum Asker: Hashable, Sendable {
        case own
        case client(ObjectIdentifier)
        /// Names of this host, which wait for no name server.
        case thisHost

        /// The share that a question about a host counts for.
        ///
        /// - Parameter client: what all sessions of the client have in common; nil for this program.
        init(of client: AnyObject?, host: String) {
            let name = host.lowercased()
            if name == "localhost" || name == "localhost." || name.hasSuffix(".localhost") {
                self = .thisHost
            } else {
                self = client.map { .client(ObjectIdentifier($0)) } ?? .own
            }
        }
    }

    /// Threads that may wait for a name server at the same time.
    private static let threadLimit = 64
    /// Of them those of one asker.
    private static let share = 8
    /// Questions of one asker that may wait for a thread.
    private static let queueLimit = 1024

    private struct Queue {
        var questions: [@Sendable () -> Void] = []
        /// Threads that answer a question of this asker.
        var threads = 0
    }
    private struct State {
        var queues: [Asker: Queue] = [:]
        /// Askers with questions that may be taken, in the order of their turns.
        var turns: [Asker] = []
        var threads = 0
    }
    private let state = Mutex(State())

    /// The instance of this process: name servers are shared, too.
    static let shared = NameLookup()

    /// Does blocking work on another thread.
    ///
    /// - Returns: false if too many questions of this asker wait already.
    func ask(for asker: Asker, _ work: @escaping @Sendable () -> Void) -> Bool {
        let startsThread: Bool? = state.withLock { state in
            var queue = state.queues[asker] ?? Queue()
            guard queue.questions.count < NameLookup.queueLimit else { return nil }
            queue.questions.append(work)
            let isReady = queue.threads < NameLookup.share
            state.queues[asker] = queue
            guard isReady else { return false }
            if !state.turns.contains(asker) { state.turns.append(asker) }
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
                return state.withLock { state in
                    state.threads -= 1
                    guard state.threads == 0 else { return true }
                    state.queues.removeAll()
                    state.turns.removeAll()
                    return false
                }
            }
        }
        return true
    }

    private func answer() {
        while let (asker, work) = state.withLock({ NameLookup.take(&$0) }) {
            work()
            state.withLock { NameLookup.giveBack(asker, &$0) }
        }
    }

    /// The next question, of the asker whose turn it is; the thread ends without one.
    private static func take(_ state: inout State) -> (Asker, @Sendable () -> Void)? {
        guard let asker = state.turns.first, var queue = state.queues[asker] else {
            state.threads -= 1
            return nil
        }
        state.turns.removeFirst()
        let work = queue.questions.removeFirst()
        queue.threads += 1
        if !queue.questions.isEmpty, queue.threads < share { state.turns.append(asker) }
        state.queues[asker] = queue
        return (asker, work)
    }

    private static func giveBack(_ asker: Asker, _ state: inout State) {
        guard var queue = state.queues[asker] else { return }
        queue.threads -= 1
        if queue.questions.isEmpty, queue.threads == 0 {
            state.queues[asker] = nil
            return
        }
        state.queues[asker] = queue
        if !queue.questions.isEmpty, !state.turns.contains(asker) { state.turns.append(asker) }
    }
}
