internal import Synchronization

/// Lets one item at a time proceed, in the order of their turns.
final class ItemGate: Sendable {
    private struct State {
        var nextTurn = 0
        var serving = 0
        /// Turns that ended before they came.
        var left: Set<Int> = []
        var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
    }

    private let state = Mutex(State())

    /// Takes a turn; `leave` must follow.
    func enter() -> Int {
        state.withLock { state in
            defer { state.nextTurn += 1 }
            return state.nextTurn
        }
    }

    /// Waits for a turn.
    func wait(_ turn: Int) async {
        await withCheckedContinuation { continuation in
            let isNow = state.withLock { state in
                if state.serving == turn { return true }
                state.waiting[turn] = continuation
                return false
            }
            if isNow { continuation.resume() }
        }
    }

    /// Ends a turn, so that the next one proceeds.
    func leave(_ turn: Int) {
        let next: CheckedContinuation<Void, Never>? = state.withLock { state in
            state.left.insert(turn)
            while state.left.remove(state.serving) != nil { state.serving += 1 }
            return state.waiting.removeValue(forKey: state.serving)
        }
        next?.resume()
    }
}
