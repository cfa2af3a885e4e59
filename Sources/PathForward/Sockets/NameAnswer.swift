internal import PathTelemetry
internal import Pathwise
internal import Synchronization

/// One question of a task, which is answered once: by a thread, or because the task waits no longer.
private final class NameAnswer<Value: Sendable>: Sendable {
    private struct State {
        var continuation: CheckedContinuation<NameLookup.Outcome<Value>, Never>?
        var timer: Task<Void, Never>?
        var isOver = false
    }
    private let state = Mutex(State())

    /// Whether somebody waits for the answer.
    var isWanted: Bool { state.withLock { !$0.isOver } }

    /// Notes who waits, and for how long.
    ///
    /// - Returns: whether the question is still wanted.
    func begin(
        _ continuation: CheckedContinuation<NameLookup.Outcome<Value>, Never>,
        patience: TimeDelta
    ) -> Bool {
        let isWanted = state.withLock { state in
            guard !state.isOver else { return false }
            state.continuation = continuation
            state.timer = Task { [self] in
                try? await Task.sleep(for: patience.duration)
                end(.late)
            }
            return true
        }
        if !isWanted { continuation.resume(returning: .late) }
        return isWanted
    }

    func end(_ outcome: NameLookup.Outcome<Value>) {
        let (continuation, timer) = state.withLock { state in
            state.isOver = true
            defer { (state.continuation, state.timer) = (nil, nil) }
            return (state.continuation, state.timer)
        }
        timer?.cancel()
        continuation?.resume(returning: outcome)
    }
}

extension NameLookup {
    /// How long a name may take.
    static let patience = TimeDelta.seconds(10)

    /// What became of a question.
    enum Outcome<Value: Sendable>: Sendable {
        case answered(Value)
        /// No answer came in time.
        case late
        /// Too many questions of this asker wait.
        case refused
    }

    /// Does blocking work on another thread, and waits for its result.
    ///
    /// A question that nobody waits for any more is dropped, so that a session and a server can end while
    /// a name server does not answer.
    func answer<Value: Sendable>(
        for asker: Asker, patience: TimeDelta = NameLookup.patience,
        _ work: @escaping @Sendable () -> Value
    ) async -> Outcome<Value> {
        let answer = NameAnswer<Value>()
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                guard answer.begin(continuation, patience: patience) else { return }
                let isAsked = ask(for: asker) {
                    if answer.isWanted { answer.end(.answered(work())) }
                }
                if !isAsked { answer.end(.refused) }
            }
        } onCancel: {
            answer.end(.late)
        }
    }
}
