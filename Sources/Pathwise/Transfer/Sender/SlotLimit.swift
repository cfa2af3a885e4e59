internal import Synchronization

/// Limits how many tasks do a part of their work at once, in the order of their tickets.
///
/// A receiver that writes one item after the other waits for the first of them. If a later item
/// took the last slot before that one, both sides would deadlock.
final class SlotLimit: Sendable {
    private struct State {
        var free: Int
        var issued = 0
        /// The lowest ticket that has neither entered nor passed.
        var next = 0
        var passed: Set<Int> = []
        var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
    }

    private let state: Mutex<State>

    init(_ slots: Int) { state = Mutex(State(free: slots)) }

    /// Draws a ticket; `pass` or `enter` must follow.
    func ticket() -> Int {
        state.withLock { state in
            defer { state.issued += 1 }
            return state.issued
        }
    }

    /// Gives up the ticket without a slot.
    func pass(_ ticket: Int) {
        admit { state in state.passed.insert(ticket) }
    }

    /// Waits for a slot; `leave` must follow.
    func enter(_ ticket: Int) async {
        await withCheckedContinuation { continuation in
            admit { state in state.waiting[ticket] = continuation }
        }
    }

    /// Frees a slot.
    func leave() {
        admit { state in state.free += 1 }
    }

    private func admit(after change: (inout sending State) -> Void) {
        let admitted = state.withLock { state in
            change(&state)
            var admitted: [CheckedContinuation<Void, Never>] = []
            while true {
                if state.passed.remove(state.next) != nil {
                    state.next += 1
                } else if state.free > 0, let first = state.waiting.removeValue(forKey: state.next)
                {
                    state.free -= 1
                    state.next += 1
                    admitted.append(first)
                } else {
                    return admitted
                }
            }
        }
        for continuation in admitted { continuation.resume() }
    }
}
