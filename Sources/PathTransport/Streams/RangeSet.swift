/// A set of unsigned numbers, kept as sorted, disjoint, non-touching half-open ranges.
///
/// Serves stream offsets, packet numbers and bytes of a message. As a collection its elements are
/// the ranges in rising order; `length` is the quantity of numbers in them. Adding at the end,
/// extending the first or last range and taking from the front cost O(1) amortised; the rest costs
/// a binary search and, when a range appears or vanishes in the middle, a move of the ranges on
/// one side of it. Storage is kept when the set empties, so steady use does not allocate.
///
/// At most `maximumRangeCount` ranges are held: an `insert` or `remove` that would need more
/// changes nothing and reports false, which the caller treats as an attack or drops.
/// Numbers are `0 ..< UInt64.max`.
struct RangeSet: RandomAccessCollection, Sendable {
    /// The ranges are `storage[start ..< end]`; the rest of the array is free.
    private var storage: [Range<UInt64>] = []
    private var start = 0
    private var end = 0
    /// How many numbers the set has.
    private(set) var length: UInt64 = 0
    /// The most ranges held at once.
    let maximumRangeCount: Int

    init(maximumRangeCount: Int = .max) {
        self.maximumRangeCount = Swift.max(1, maximumRangeCount)
    }

    var startIndex: Int { 0 }
    var endIndex: Int { end &- start }
    var count: Int { end &- start }
    var isEmpty: Bool { start == end }
    var first: Range<UInt64>? { isEmpty ? nil : storage[start] }
    var last: Range<UInt64>? { isEmpty ? nil : storage[end &- 1] }

    subscript(index: Int) -> Range<UInt64> {
        precondition(index >= 0 && index < count, "range index out of bounds")
        return storage[start &+ index]
    }

    /// Whether the number is in the set.
    func contains(_ number: UInt64) -> Bool {
        let at = firstSlot(endingAbove: number)
        return at < end && storage[at].lowerBound <= number
    }

    /// Whether every number of the range is in the set; true for an empty range.
    func covers(_ range: Range<UInt64>) -> Bool {
        if range.isEmpty { return true }
        let at = firstSlot(endingAbove: range.lowerBound)
        return at < end && storage[at].lowerBound <= range.lowerBound
            && storage[at].upperBound >= range.upperBound
    }

    /// Whether some number of the range is in the set.
    func overlaps(_ range: Range<UInt64>) -> Bool {
        if range.isEmpty { return false }
        let at = firstSlot(endingAbove: range.lowerBound)
        return at < end && storage[at].lowerBound < range.upperBound
    }

    /// The least number at or above `number` that is not in the set.
    func firstMissing(from number: UInt64) -> UInt64 {
        let at = firstSlot(endingAbove: number)
        guard at < end, storage[at].lowerBound <= number else { return number }
        return storage[at].upperBound
    }

    /// The first run of numbers within `range` that are not in the set, or nil if it covers them.
    func firstGap(in range: Range<UInt64>) -> Range<UInt64>? {
        if range.isEmpty { return nil }
        var lower = range.lowerBound
        var at = firstSlot(endingAbove: lower)
        if at < end, storage[at].lowerBound <= lower {
            lower = storage[at].upperBound
            at &+= 1
        }
        guard lower < range.upperBound else { return nil }
        let upper =
            at < end ? Swift.min(storage[at].lowerBound, range.upperBound) : range.upperBound
        return Range(uncheckedBounds: (lower, upper))
    }

    /// Adds the numbers of a range.
    ///
    /// - Returns: false, with the set unchanged, if that would need too many ranges.
    @discardableResult
    mutating func insert(_ range: Range<UInt64>) -> Bool {
        if range.isEmpty { return true }
        guard end > start else { return place(range, at: end) }
        let tail = storage[end &- 1]
        if range.lowerBound > tail.upperBound { return place(range, at: end) }
        if range.lowerBound >= tail.lowerBound {
            if range.upperBound > tail.upperBound {
                storage[end &- 1] = Range(uncheckedBounds: (tail.lowerBound, range.upperBound))
                length &+= range.upperBound &- tail.upperBound
            }
            return true
        }
        // Ranges that touch are joined, so the search takes ends equal to the lower bound too.
        let from = range.lowerBound == 0 ? start : firstSlot(endingAbove: range.lowerBound &- 1)
        var to = from
        var lower = range.lowerBound
        var upper = range.upperBound
        var joined: UInt64 = 0
        while to < end, storage[to].lowerBound <= range.upperBound {
            lower = Swift.min(lower, storage[to].lowerBound)
            upper = Swift.max(upper, storage[to].upperBound)
            joined &+= storage[to].upperBound &- storage[to].lowerBound
            to &+= 1
        }
        guard to > from else { return place(range, at: from) }
        storage[from] = Range(uncheckedBounds: (lower, upper))
        length = length &- joined &+ (upper &- lower)
        removeSlots(from &+ 1, to)
        return true
    }

    /// Takes the numbers of a range out.
    ///
    /// - Returns: false, with the set unchanged, if a split would need too many ranges.
    @discardableResult
    mutating func remove(_ range: Range<UInt64>) -> Bool {
        if range.isEmpty { return true }
        var from = firstSlot(endingAbove: range.lowerBound)
        guard from < end, storage[from].lowerBound < range.upperBound else { return true }
        let head = storage[from]
        if head.lowerBound < range.lowerBound {
            if head.upperBound > range.upperBound {
                let rest = Range(uncheckedBounds: (range.upperBound, head.upperBound))
                let index = from &- start
                guard place(rest, at: from &+ 1) else { return false }
                // Placing may have moved the ranges, and counted the rest a second time.
                storage[start &+ index] = Range(
                    uncheckedBounds: (head.lowerBound, range.lowerBound))
                length &-= head.upperBound &- range.lowerBound
                return true
            }
            storage[from] = Range(uncheckedBounds: (head.lowerBound, range.lowerBound))
            length &-= head.upperBound &- range.lowerBound
            from &+= 1
        }
        var to = from
        while to < end, storage[to].upperBound <= range.upperBound {
            length &-= storage[to].upperBound &- storage[to].lowerBound
            to &+= 1
        }
        if to < end, storage[to].lowerBound < range.upperBound {
            length &-= range.upperBound &- storage[to].lowerBound
            storage[to] = Range(uncheckedBounds: (range.upperBound, storage[to].upperBound))
        }
        removeSlots(from, to)
        return true
    }

    /// Takes out every number below `number`.
    mutating func remove(below number: UInt64) {
        while start < end, storage[start].upperBound <= number {
            length &-= storage[start].upperBound &- storage[start].lowerBound
            start &+= 1
        }
        if start < end, storage[start].lowerBound < number {
            length &-= number &- storage[start].lowerBound
            storage[start] = Range(uncheckedBounds: (number, storage[start].upperBound))
        }
        if start == end { (start, end) = (0, 0) }
    }

    /// Takes the lowest range out, or the first `maxLength` numbers of it.
    mutating func popFirst(maxLength: UInt64 = .max) -> Range<UInt64>? {
        guard start < end, maxLength > 0 else { return nil }
        let head = storage[start]
        let size = head.upperBound &- head.lowerBound
        if size <= maxLength {
            start &+= 1
            if start == end { (start, end) = (0, 0) }
            length &-= size
            return head
        }
        let middle = head.lowerBound &+ maxLength
        storage[start] = Range(uncheckedBounds: (middle, head.upperBound))
        length &-= maxLength
        return Range(uncheckedBounds: (head.lowerBound, middle))
    }

    /// Takes the range with the highest numbers out.
    mutating func popLast() -> Range<UInt64>? {
        guard start < end else { return nil }
        end &-= 1
        let tail = storage[end]
        if start == end { (start, end) = (0, 0) }
        length &-= tail.upperBound &- tail.lowerBound
        return tail
    }

    /// Takes out every number of another set.
    ///
    /// - Returns: false if a split would have needed too many ranges; what came before is done.
    @discardableResult
    mutating func subtract(_ other: RangeSet) -> Bool {
        for range in other where !remove(range) { return false }
        return true
    }

    /// Empties the set and keeps its storage.
    mutating func removeAll() {
        (start, end) = (0, 0)
        length = 0
    }

    /// The first slot whose range ends above `number`; `end` if there is none.
    private func firstSlot(endingAbove number: UInt64) -> Int {
        if start == end || storage[start].upperBound > number { return start }
        var low = start &+ 1
        var high = end
        while low < high {
            let middle = (low &+ high) &>> 1
            if storage[middle].upperBound > number { high = middle } else { low = middle &+ 1 }
        }
        return low
    }

    /// Puts a new range into a slot, moving the shorter side that has room.
    private mutating func place(_ range: Range<UInt64>, at slot: Int) -> Bool {
        guard count < maximumRangeCount else { return false }
        length &+= range.upperBound &- range.lowerBound
        var slot = slot
        if start > 0, slot &- start < end &- slot {
            move(start, slot, by: -1)
            start &-= 1
            storage[slot &- 1] = range
            return true
        }
        if end == storage.count { slot &-= makeRoom() }
        move(slot, end, by: 1)
        end &+= 1
        storage[slot] = range
        return true
    }

    /// Makes room at the end and returns by how many slots the ranges moved down.
    private mutating func makeRoom() -> Int {
        let free = start
        if free > 0, free >= storage.count / 2 {
            move(start, end, by: -free)
            (start, end) = (0, end &- free)
            return free
        }
        let added = Swift.max(8, storage.count)
        storage.append(contentsOf: repeatElement(0..<0, count: added))
        return 0
    }

    /// Takes the slots `from ..< to` out, moving the shorter side.
    private mutating func removeSlots(_ from: Int, _ to: Int) {
        let gone = to &- from
        if gone <= 0 { return }
        if from &- start < end &- to {
            move(start, from, by: gone)
            start &+= gone
        } else {
            move(to, end, by: -gone)
            end &-= gone
        }
        if start == end { (start, end) = (0, 0) }
    }

    /// Moves the slots `from ..< to`, which may overlap their new places.
    private mutating func move(_ from: Int, _ to: Int, by distance: Int) {
        if from >= to { return }
        unsafe storage.withUnsafeMutableBufferPointer { slots in
            guard let base = slots.baseAddress else { return }
            unsafe (base + from + distance).update(from: base + from, count: to - from)
        }
    }
}

extension RangeSet: Equatable {
    /// Equal when both have the same numbers; the bound on ranges does not count.
    static func == (left: RangeSet, right: RangeSet) -> Bool { left.elementsEqual(right) }
}
