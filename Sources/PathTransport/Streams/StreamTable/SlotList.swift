/// Slots in the order they were added; any slot can be removed in O(1).
struct SlotList: Sendable {
    /// Neighbours by slot; the last place closes the ring.
    private var before: [Int]
    private var after: [Int]
    private(set) var count = 0

    init(slots: Int) {
        before = Array(repeating: -1, count: slots + 1)
        after = Array(repeating: -1, count: slots + 1)
        before[slots] = slots
        after[slots] = slots
    }

    private var end: Int { before.count - 1 }

    /// The slot that has been in the list longest.
    var first: Int? { count == 0 ? nil : after[end] }

    mutating func append(_ slot: Int) {
        remove(slot)
        let last = before[end]
        before[slot] = last
        after[slot] = end
        after[last] = slot
        before[end] = slot
        count += 1
    }

    /// Removes a slot if it is in the list.
    mutating func remove(_ slot: Int) {
        guard before[slot] >= 0 else { return }
        after[before[slot]] = after[slot]
        before[after[slot]] = before[slot]
        before[slot] = -1
        after[slot] = -1
        count -= 1
    }
}
