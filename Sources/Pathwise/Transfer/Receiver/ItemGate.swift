internal import Synchronization

/// One item at a time, in the order in which they took their turns.
final class ItemGate: Sendable {
    private struct State {
        var nextTurn = 0
        var serving = 0
        /// Turns that were given back before they came.
        var left: Set<Int> = []
        var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
    }

    private let state = Mutex(State())

    /// A place in the queue; `leave` must follow.
    func enter() -> Int {
        state.withLock { state in
            defer { state.nextTurn += 1 }
            return state.nextTurn
        }
    }

    /// Returns when it is this one's turn.
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

    /// Lets the next one go on.
    func leave(_ turn: Int) {
        let next: CheckedContinuation<Void, Never>? = state.withLock { state in
            state.left.insert(turn)
            while state.left.remove(state.serving) != nil { state.serving += 1 }
            return state.waiting.removeValue(forKey: state.serving)
        }
        next?.resume()
    }
}
