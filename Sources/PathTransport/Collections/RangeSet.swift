/// A set of unsigned numbers, kept as sorted, disjoint, non-touching half-open ranges.
///
/// It holds stream offsets or byte positions of a message. As a sequence it yields the ranges in
/// ascending order; `length` counts the numbers in them. The ranges lie in blocks of at most 64, so
/// that inserting or removing a range in the middle moves at most one block, however many there
/// are; operations at the ends cost O(1) amortised, all others two binary searches. Storage is kept
/// when the set empties, so steady use does not allocate.
///
/// At most `maximumRangeCount` ranges are held: an `insert` or `remove` that would need more
/// changes nothing and returns false, which the caller treats as an attack or as a packet to drop.
/// Numbers lie in `0 ..< UInt64.max`.
struct RangeSet: Sendable {
    /// The most ranges in a block.
    static let blockSize = 64
    /// Neighbouring blocks with this many ranges together, or fewer, are merged.
    private static let mergeSize = blockSize / 2

    /// A block in use: its ranges are in the slots `start ..< end` of storage, within block
    /// `number`.
    private struct Entry {
        var number: Int
        var start: Int
        var end: Int

        var count: Int { end &- start }
    }

    /// The position of a range: its entry in the directory and its slot in storage.
    private struct Place {
        var entry: Int
        var slot: Int
    }

    private var storage: [Range<UInt64>] = []
    /// The blocks in use, sorted by their ranges; none of them is empty.
    private var directory: [Entry] = []
    /// Blocks of the storage that are not in use.
    private var free: [Int] = []
    /// How many ranges the set has.
    private(set) var count = 0
    /// How many numbers the set has.
    private(set) var length: UInt64 = 0
    /// How many ranges and directory entries were moved so far to make and close gaps.
    private(set) var moves = 0
    /// The most ranges held at once.
    let maximumRangeCount: Int

    init(maximumRangeCount: Int = .max) {
        self.maximumRangeCount = Swift.max(1, maximumRangeCount)
    }

    var isEmpty: Bool { count == 0 }
    var first: Range<UInt64>? { directory.first.map { storage[$0.start] } }
    var last: Range<UInt64>? { directory.last.map { storage[$0.end &- 1] } }

    /// The first run of numbers within `range` that are not in the set, or nil if it covers them.
    func firstGap(in range: Range<UInt64>) -> Range<UInt64>? {
        if range.isEmpty { return nil }
        var lower = range.lowerBound
        var place = firstPlace(endingAbove: lower)
        if let found = value(place), found.lowerBound <= lower {
            lower = found.upperBound
            place = next(place)
        }
        guard lower < range.upperBound else { return nil }
        let upper = Swift.min(value(place)?.lowerBound ?? .max, range.upperBound)
        return Range(uncheckedBounds: (lower, upper))
    }

    /// Adds the numbers of a range.
    ///
    /// - Returns: false, with the set unchanged, if that would need too many ranges.
    @discardableResult
    mutating func insert(_ range: Range<UInt64>) -> Bool {
        if range.isEmpty { return true }
        guard let tail = last, range.lowerBound <= tail.upperBound else {
            return add(range, at: Place(entry: directory.count, slot: 0))
        }
        if range.lowerBound >= tail.lowerBound {
            if range.upperBound > tail.upperBound {
                storage[directory[directory.count &- 1].end &- 1] = Range(
                    uncheckedBounds: (tail.lowerBound, range.upperBound))
                length &+= range.upperBound &- tail.upperBound
            }
            return true
        }
        // Ranges that touch are joined, so the search takes ends equal to the lower bound too.
        let from =
            range.lowerBound == 0
            ? Place(entry: 0, slot: directory[0].start)
            : firstPlace(endingAbove: range.lowerBound &- 1)
        guard let head = value(from), head.lowerBound <= range.upperBound else {
            return add(range, at: from)
        }
        let lower = Swift.min(head.lowerBound, range.lowerBound)
        var upper = range.upperBound
        var joined: UInt64 = 0
        var to = from
        while let found = value(to), found.lowerBound <= range.upperBound {
            upper = Swift.max(upper, found.upperBound)
            joined &+= found.upperBound &- found.lowerBound
            to = next(to)
        }
        storage[from.slot] = Range(uncheckedBounds: (lower, upper))
        length = length &- joined &+ (upper &- lower)
        removeAll(from: next(from), to: to)
        return true
    }

    /// Removes the numbers of a range.
    ///
    /// - Returns: false, with the set unchanged, if a split would need too many ranges.
    @discardableResult
    mutating func remove(_ range: Range<UInt64>) -> Bool {
        if range.isEmpty { return true }
        var from = firstPlace(endingAbove: range.lowerBound)
        guard let head = value(from), head.lowerBound < range.upperBound else { return true }
        if head.lowerBound < range.lowerBound {
            if head.upperBound > range.upperBound {
                guard count < maximumRangeCount else { return false }
                storage[from.slot] = Range(uncheckedBounds: (head.lowerBound, range.lowerBound))
                length &-= head.upperBound &- range.lowerBound
                // `add` counts the rest behind the hole again.
                return add(
                    Range(uncheckedBounds: (range.upperBound, head.upperBound)), at: next(from))
            }
            storage[from.slot] = Range(uncheckedBounds: (head.lowerBound, range.lowerBound))
            length &-= head.upperBound &- range.lowerBound
            from = next(from)
        }
        var to = from
        while let found = value(to), found.upperBound <= range.upperBound {
            length &-= found.upperBound &- found.lowerBound
            to = next(to)
        }
        if let found = value(to), found.lowerBound < range.upperBound {
            length &-= range.upperBound &- found.lowerBound
            storage[to.slot] = Range(uncheckedBounds: (range.upperBound, found.upperBound))
        }
        removeAll(from: from, to: to)
        return true
    }

    /// Removes and returns the lowest range, or its first `maxLength` numbers.
    mutating func popFirst(maxLength: UInt64 = .max) -> Range<UInt64>? {
        guard let head = first, maxLength > 0 else { return nil }
        let size = head.upperBound &- head.lowerBound
        let slot = directory[0].start
        if size <= maxLength {
            length &-= size
            removeAll(
                from: Place(entry: 0, slot: slot), to: next(Place(entry: 0, slot: slot)))
            return head
        }
        let middle = head.lowerBound &+ maxLength
        storage[slot] = Range(uncheckedBounds: (middle, head.upperBound))
        length &-= maxLength
        return Range(uncheckedBounds: (head.lowerBound, middle))
    }

    /// Empties the set and keeps its storage.
    mutating func removeAll() {
        for entry in directory { free.append(entry.number) }
        directory.removeAll(keepingCapacity: true)
        (count, length) = (0, 0)
    }

    // MARK: places

    /// The range at a place; nil past the end.
    private func value(_ place: Place) -> Range<UInt64>? {
        place.entry < directory.count ? storage[place.slot] : nil
    }

    private func next(_ place: Place) -> Place {
        if place.slot &+ 1 < directory[place.entry].end {
            return Place(entry: place.entry, slot: place.slot &+ 1)
        }
        let entry = place.entry &+ 1
        return Place(entry: entry, slot: entry < directory.count ? directory[entry].start : 0)
    }

    /// The place of the first range that ends above `number`; past the end if none exists.
    private func firstPlace(endingAbove number: UInt64) -> Place {
        var low = 0
        var high = directory.count
        if high > 0, storage[directory[0].end &- 1].upperBound > number { high = 0 }
        while low < high {
            let middle = (low &+ high) &>> 1
            if storage[directory[middle].end &- 1].upperBound > number {
                high = middle
            } else {
                low = middle &+ 1
            }
        }
        guard low < directory.count else { return Place(entry: low, slot: 0) }
        let entry = low
        low = directory[entry].start
        high = directory[entry].end &- 1
        while low < high {
            let middle = (low &+ high) &>> 1
            if storage[middle].upperBound > number { high = middle } else { low = middle &+ 1 }
        }
        return Place(entry: entry, slot: low)
    }

    // MARK: blocks

    /// Where the slots of an entry's block begin and end.
    private func bounds(_ entry: Entry) -> (lower: Int, upper: Int) {
        let lower = entry.number &* RangeSet.blockSize
        return (lower, Swift.min(lower &+ RangeSet.blockSize, storage.count))
    }

    /// Inserts a new range before the one at a place.
    private mutating func add(_ range: Range<UInt64>, at place: Place) -> Bool {
        guard count < maximumRangeCount else { return false }
        count &+= 1
        length &+= range.upperBound &- range.lowerBound
        var entry = place.entry
        var slot = place.slot
        if entry == directory.count {
            // At the end: into the last block if it has a free slot there.
            if let tail = directory.last, tail.end < bounds(tail).upper || grow() {
                directory[entry &- 1].end &+= 1
                storage[tail.end] = range
            } else {
                insertEntry(at: entry)
                storage[directory[entry].start] = range
                directory[entry].end &+= 1
            }
            return true
        }
        let limits = bounds(directory[entry])
        let isFirst = entry == 0 && slot == directory[0].start
        if isFirst, slot == limits.lower, storage.count >= RangeSet.blockSize,
            directory[0].count >= RangeSet.blockSize / 2
        {
            // Insertions at the front fill a block of their own from its end downwards.
            insertEntry(at: 0)
            directory[0].start = bounds(directory[0]).upper &- 1
            directory[0].end = directory[0].start &+ 1
            storage[directory[0].start] = range
            return true
        }
        if directory[entry].count == limits.upper &- limits.lower, !grow() {
            (entry, slot) = split(entry, slot)
        }
        let target = directory[entry]
        let space = bounds(target)
        let movesDown =
            target.start > space.lower
            && (target.end == space.upper || slot &- target.start < target.end &- slot)
        if movesDown {
            move(target.start, slot, by: -1)
            directory[entry].start &-= 1
            storage[slot &- 1] = range
        } else {
            move(slot, target.end, by: 1)
            directory[entry].end &+= 1
            storage[slot] = range
        }
        return true
    }

    /// Enlarges a small first block; returns false when the blocks have their full size.
    private mutating func grow() -> Bool {
        let size = storage.count
        guard size > 0, size < RangeSet.blockSize else { return false }
        storage.append(contentsOf: repeatElement(0..<0, count: size))
        return true
    }

    /// Inserts an empty block into the directory.
    private mutating func insertEntry(at index: Int) {
        var number = 0
        if let reused = free.popLast() {
            number = reused
        } else {
            number = storage.count / RangeSet.blockSize
            // The first block is small, so that a set of few ranges stays small.
            let size = storage.isEmpty ? 8 : RangeSet.blockSize
            storage.append(contentsOf: repeatElement(0..<0, count: size))
        }
        let start = number &* RangeSet.blockSize
        moves &+= directory.count &- index
        directory.insert(Entry(number: number, start: start, end: start), at: index)
    }

    /// Moves the upper half of a full block into a new one and returns where the range of `slot` is
    /// now.
    private mutating func split(_ index: Int, _ slot: Int) -> (entry: Int, slot: Int) {
        insertEntry(at: index &+ 1)
        let middle = directory[index].start &+ directory[index].count / 2
        let moved = directory[index].end &- middle
        let target = directory[index &+ 1].start
        move(middle, directory[index].end, by: target &- middle)
        directory[index].end = middle
        directory[index &+ 1].end = target &+ moved
        return slot <= middle ? (index, slot) : (index &+ 1, target &+ (slot &- middle))
    }

    /// Removes the ranges from one place up to, but not including, another.
    private mutating func removeAll(from: Place, to: Place) {
        guard from.entry < directory.count else { return }
        if from.entry == to.entry {
            removeSlots(from.slot, to.slot, of: from.entry)
        } else {
            // This removes the tail of the first block, all blocks between, and the head of the
            // last.
            if to.entry < directory.count {
                count &-= to.slot &- directory[to.entry].start
                directory[to.entry].start = to.slot
            }
            count &-= directory[from.entry].end &- from.slot
            directory[from.entry].end = from.slot
            for index in from.entry &+ 1..<Swift.max(to.entry, from.entry &+ 1) {
                count &-= directory[index].count
                directory[index].end = directory[index].start
            }
        }
        closeEntries(from.entry, Swift.min(to.entry, directory.count &- 1))
    }

    /// Removes slots of one block by moving the shorter side.
    private mutating func removeSlots(_ from: Int, _ to: Int, of index: Int) {
        let gone = to &- from
        guard gone > 0 else { return }
        count &-= gone
        let entry = directory[index]
        if from &- entry.start < entry.end &- to {
            move(entry.start, from, by: gone)
            directory[index].start &+= gone
        } else {
            move(to, entry.end, by: -gone)
            directory[index].end &-= gone
        }
    }

    /// Frees empty blocks and merges small ones with a neighbour.
    private mutating func closeEntries(_ first: Int, _ last: Int) {
        var kept = first
        for index in first..<Swift.max(last &+ 1, first) {
            if directory[index].count == 0 {
                free.append(directory[index].number)
            } else {
                directory[kept] = directory[index]
                kept &+= 1
            }
        }
        if kept <= last {
            moves &+= directory.count &- last &- 1
            directory.removeSubrange(kept...last)
        }
        for index in [kept, kept &- 1] where index > 0 && index < directory.count {
            join(index)
        }
    }

    /// Moves the ranges of a block to the one before it, if both are small.
    private mutating func join(_ index: Int) {
        let upper = directory[index]
        let lower = directory[index &- 1]
        guard upper.count &+ lower.count <= RangeSet.mergeSize else { return }
        let space = bounds(lower)
        if lower.end &+ upper.count > space.upper {
            move(lower.start, lower.end, by: space.lower &- lower.start)
            directory[index &- 1].start = space.lower
            directory[index &- 1].end = space.lower &+ lower.count
        }
        let end = directory[index &- 1].end
        move(upper.start, upper.end, by: end &- upper.start)
        directory[index &- 1].end = end &+ upper.count
        free.append(upper.number)
        moves &+= directory.count &- index &- 1
        directory.remove(at: index)
    }

    /// Moves the slots `from ..< to`, which may overlap their new places.
    private mutating func move(_ from: Int, _ to: Int, by distance: Int) {
        if from >= to || distance == 0 { return }
        moves &+= to &- from
        unsafe storage.withUnsafeMutableBufferPointer { slots in
            guard let base = slots.baseAddress else { return }
            unsafe (base + from + distance).update(from: base + from, count: to - from)
        }
    }
}

extension RangeSet: Sequence {
    /// The ranges in ascending order.
    func makeIterator() -> some IteratorProtocol<Range<UInt64>> {
        directory.lazy.flatMap { storage[$0.start..<$0.end] }.makeIterator()
    }
}
