import PathLearning
import PathTelemetry

/// The outcomes of the decisions of one block, by their position in it.
///
/// Layout, after the magic number: the number of positions (4 bytes), one bit per position that
/// tells whether it has an outcome, then columns with one row per outcome. Integers
/// (`IntegerColumn`): flags (bit 0: late, bit 1: delivered), closing time, packets, lost packets.
/// Doubles (`WordColumn`): delivery, if delivered, and deadline. Integers: the set of paths that
/// carried bytes of the burst, and the bytes of each path of each set. The block ends with the hash
/// of everything before. Blocks of the first layout have no columns after the deadlines.
struct OutcomeStore {
    static let firstMagic: UInt32 = 0x014f_5750
    static let magic: UInt32 = 0x024f_5750

    /// The bytes that the burst at a position sent on one path.
    struct Share: Comparable {
        var position: Int
        var path: PathID
        var bytes: Int64

        static func < (left: Share, right: Share) -> Bool {
            (left.position, left.path) < (right.position, right.path)
        }
    }

    /// Bits of `flags`.
    static let isKnown: UInt8 = 1
    static let isLate: UInt8 = 2
    static let isDelivered: UInt8 = 4

    private(set) var flags: [UInt8] = []
    private(set) var closed: [Int64] = []
    private(set) var packets: [Int64] = []
    private(set) var lost: [Int64] = []
    private(set) var deliveries: [UInt64] = []
    private(set) var deadlines: [UInt64] = []
    /// Unordered.
    private(set) var shares: [Share] = []
    /// False for a block of the first layout, which has no bytes.
    private var hasBytes = true
    /// How many outcomes are known.
    private(set) var count = 0

    mutating func removeAll() {
        resize(0)
        shares.removeAll(keepingCapacity: true)
        hasBytes = true
        count = 0
    }

    /// Makes room for the outcomes of `positions` decisions.
    mutating func resize(_ positions: Int) {
        flags.resize(positions, 0)
        closed.resize(positions, 0)
        packets.resize(positions, 0)
        lost.resize(positions, 0)
        deliveries.resize(positions, 0)
        deadlines.resize(positions, 0)
    }

    /// Stores an outcome; returns false if the position already has one.
    mutating func set(_ position: Int, _ outcome: OutcomeFrame) -> Bool {
        if position >= flags.count {
            resize(
                max(position + 1, min(2 * flags.count + 32, DecisionBlockBuilder.decisionLimit)))
        }
        guard flags[position] == 0 else { return false }
        flags[position] =
            OutcomeStore.isKnown | (outcome.isLate ? OutcomeStore.isLate : 0)
            | (outcome.isDelivered ? OutcomeStore.isDelivered : 0)
        closed[position] = outcome.closed
        packets[position] = outcome.packets
        lost[position] = outcome.lost
        deliveries[position] = outcome.delivery
        deadlines[position] = outcome.deadline
        var paths = outcome.bytes.paths
        while let path = paths.popFirst() {
            shares.append(
                Share(position: position, path: path, bytes: Int64(outcome.bytes[path])))
        }
        hasBytes = true
        count += 1
        return true
    }

    /// Encodes the outcomes into a block, and their rows for SQL into a text.
    ///
    /// A row is a JSON array of integers, or 0 if there is no outcome: `[delivery (ns), late,
    /// deadline (ns), packets, lost, closing time after the block's first decision (ns), {path:
    /// bytes}]`.
    func encode(after firstTime: Int64, into bytes: inout BlockBytes, text: inout BlockBytes) {
        // Positions after the last known outcome are left out.
        let positions = (flags.lastIndex { $0 != 0 } ?? -1) + 1
        bytes.removeAll()
        let shares = self.shares.sorted()
        bytes.put(hasBytes ? OutcomeStore.magic : OutcomeStore.firstMagic)
        bytes.put(UInt32(positions))
        var bits: UInt8 = 0
        for position in 0..<positions {
            if flags[position] != 0 { bits |= 1 << UInt8(position & 7) }
            if position & 7 == 7 || position == positions - 1 {
                bytes.put(bits)
                bits = 0
            }
        }
        withUnsafeTemporaryAllocation(of: Int64.self, capacity: 4 * count + 1) { integers in
            withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 2 * count + 1) { words in
                var at = 0
                var delivered = 0
                for position in 0..<positions where flags[position] != 0 {
                    integers[at] = Int64(flags[position] >> 1)
                    integers[count + at] = closed[position]
                    integers[2 * count + at] = packets[position]
                    integers[3 * count + at] = lost[position]
                    words[count + at] = deadlines[position]
                    if flags[position] & OutcomeStore.isDelivered != 0 {
                        words[delivered] = deliveries[position]
                        delivered += 1
                    }
                    at += 1
                }
                for column in 0..<4 {
                    IntegerColumn.put(
                        UnsafeBufferPointer(
                            rebasing: integers[column * count..<(column + 1) * count]),
                        into: &bytes)
                }
                WordColumn.put(
                    UnsafeBufferPointer(rebasing: words[0..<delivered]), .seconds, into: &bytes)
                WordColumn.put(
                    UnsafeBufferPointer(rebasing: words[count..<2 * count]), .seconds,
                    into: &bytes)
            }
        }
        if hasBytes { put(shares, into: &bytes) }
        bytes.put(XXHash64.value(bytes.bytes))
        putText(positions, shares, after: firstTime, into: &text)
    }

    /// Writes the sets of paths and their bytes; `shares` are sorted.
    private func put(_ shares: [Share], into bytes: inout BlockBytes) {
        withUnsafeTemporaryAllocation(of: Int64.self, capacity: count + shares.count + 1) { room in
            var row = 0
            var next = 0
            for position in flags.indices where flags[position] != 0 {
                var paths = PathSet.wait
                while next < shares.count, shares[next].position == position {
                    paths.insert(PathSet(shares[next].path))
                    room[count + next] = shares[next].bytes
                    next += 1
                }
                room[row] = Int64(paths.rawValue)
                row += 1
            }
            IntegerColumn.put(UnsafeBufferPointer(rebasing: room[0..<row]), into: &bytes)
            IntegerColumn.put(
                UnsafeBufferPointer(rebasing: room[count..<count + next]), into: &bytes)
        }
    }

    private func putText(
        _ positions: Int, _ shares: [Share], after firstTime: Int64, into text: inout BlockBytes
    ) {
        var next = 0
        text.removeAll()
        for position in 0..<positions {
            text.put(character: position == 0 ? 0x5b : 0x2c)
            guard flags[position] != 0 else {
                text.put(character: 0x30)
                continue
            }
            text.put(character: 0x5b)
            let isDelivered = flags[position] & OutcomeStore.isDelivered != 0
            let delivery = Double(bitPattern: deliveries[position])
            if isDelivered, let nanoseconds = DecisionRowText.nanoseconds(delivery) {
                text.put(decimal: nanoseconds)
            } else {
                text.put(word: "null")
            }
            DecisionRowText.put(
                flags[position] & OutcomeStore.isLate != 0 ? 1 : 0, to: &text)
            DecisionRowText.put(
                DecisionRowText.nanoseconds(Double(bitPattern: deadlines[position])), to: &text)
            DecisionRowText.put(packets[position], to: &text)
            DecisionRowText.put(lost[position], to: &text)
            DecisionRowText.put(closed[position] &- firstTime, to: &text)
            if hasBytes {
                text.put(word: ",{")
                let first = next
                while next < shares.count, shares[next].position == position {
                    text.put(word: next == first ? "\"" : ",\"")
                    text.put(decimal: Int64(shares[next].path.rawValue))
                    text.put(word: "\":")
                    text.put(decimal: shares[next].bytes)
                    next += 1
                }
                text.put(character: 0x7d)
            }
            text.put(character: 0x5d)
        }
        if positions == 0 { text.put(character: 0x5b) }
        text.put(character: 0x5d)
    }

    /// Decodes a block; `limit` is the number of decisions of its decision block.
    mutating func decode(
        _ data: UnsafeRawBufferPointer, limit: Int
    ) throws(BlockFault) {
        removeAll()
        var reader = try BlockReader(checked: data)
        switch try reader.take(UInt32.self) {
        case OutcomeStore.magic: hasBytes = true
        case OutcomeStore.firstMagic: hasBytes = false
        default: throw BlockFault("is not a block of outcomes of a known layout")
        }
        let positions = Int(try reader.take(UInt32.self))
        guard positions <= limit else {
            throw BlockFault("has outcomes of \(positions) decisions instead of \(limit)")
        }
        resize(positions)
        let bits = try reader.take(bytes: (positions + 7) / 8)
        var known = 0
        for position in 0..<positions where bits[position >> 3] & 1 << UInt8(position & 7) != 0 {
            flags[position] = OutcomeStore.isKnown
            known += 1
        }
        count = known
        // The column of closing times temporarily holds the flags.
        try OutcomeStore.take(&closed, flags, known, &reader)
        for position in flags.indices where flags[position] != 0 {
            guard closed[position] >= 0, closed[position] < 4 else {
                throw BlockFault("has an outcome with the flags \(closed[position])")
            }
            flags[position] |= UInt8(closed[position]) << 1
        }
        try OutcomeStore.take(&closed, flags, known, &reader)
        try OutcomeStore.take(&packets, flags, known, &reader)
        try OutcomeStore.take(&lost, flags, known, &reader)
        try decodeWords(&reader)
        if hasBytes { try decodeBytes(&reader) }
        guard reader.remaining == 0 else { throw BlockFault("has bytes left over") }
    }

    private mutating func decodeBytes(_ reader: inout BlockReader) throws(BlockFault) {
        var sets = [Int64](repeating: 0, count: count)
        try OutcomeStore.take(&sets, &reader)
        var total = 0
        for set in sets {
            guard set >= 0, set <= Int64(UInt16.max) else {
                throw BlockFault("has an outcome of the paths \(set)")
            }
            total += set.nonzeroBitCount
        }
        var values = [Int64](repeating: 0, count: total)
        try OutcomeStore.take(&values, &reader)
        var row = 0
        for position in flags.indices where flags[position] != 0 {
            var paths = PathSet(rawValue: UInt16(truncatingIfNeeded: sets[row]))
            row += 1
            while let path = paths.popFirst() {
                let bytes = values[shares.count]
                guard bytes > 0, bytes <= Int64(UInt32.max) else {
                    throw BlockFault("has an outcome of \(bytes) bytes on a path")
                }
                shares.append(Share(position: position, path: path, bytes: bytes))
            }
        }
    }

    private static func take(
        _ values: inout [Int64], _ reader: inout BlockReader
    ) throws(BlockFault) {
        let failure: BlockFault? = values.withUnsafeMutableBufferPointer { room in
            do throws(BlockFault) {
                try IntegerColumn.take(into: room, from: &reader)
                return nil
            } catch {
                return error
            }
        }
        if let failure { throw failure }
    }

    /// Reads an integer column and spreads it over the known positions.
    private static func take(
        _ column: inout [Int64], _ flags: borrowing [UInt8], _ known: Int,
        _ reader: inout BlockReader
    ) throws(BlockFault) {
        let failure: BlockFault? = column.withUnsafeMutableBufferPointer { values in
            do throws(BlockFault) {
                try IntegerColumn.take(
                    into: UnsafeMutableBufferPointer(rebasing: values[0..<known]), from: &reader)
                return nil
            } catch {
                return error
            }
        }
        if let failure { throw failure }
        guard known < flags.count else { return }
        // It runs from the end, so that nothing is overwritten before it has moved.
        var from = known
        for position in flags.indices.reversed() where flags[position] != 0 {
            from -= 1
            column[position] = column[from]
        }
    }

    private mutating func decodeWords(_ reader: inout BlockReader) throws(BlockFault) {
        var delivered = 0
        for flag in flags where flag & OutcomeStore.isDelivered != 0 { delivered += 1 }
        let delivery = try WordColumn.take(from: &reader, limit: flags.count)
        let deadline = try WordColumn.take(from: &reader, limit: flags.count)
        guard delivery.count == delivered, deadline.count == count else {
            throw BlockFault("has \(delivery.count) deliveries and \(deadline.count) deadlines")
        }
        deliveries.withUnsafeMutableBufferPointer {
            if let base = $0.baseAddress { delivery.expand(into: base) }
        }
        deadlines.withUnsafeMutableBufferPointer {
            if let base = $0.baseAddress { deadline.expand(into: base) }
        }
        if delivered < flags.count {
            var from = delivered
            for position in flags.indices.reversed()
            where flags[position] & OutcomeStore.isDelivered != 0 {
                from -= 1
                deliveries[position] = deliveries[from]
            }
        }
        if count < flags.count {
            var from = count
            for position in flags.indices.reversed() where flags[position] != 0 {
                from -= 1
                deadlines[position] = deadlines[from]
            }
        }
    }
}

extension BlockReader {
    /// Verifies the hash at the end of a block and returns the bytes before it.
    init(checked data: UnsafeRawBufferPointer) throws(BlockFault) {
        guard data.count >= 8 else { throw .cutOff }
        let content = UnsafeRawBufferPointer(rebasing: data[0..<data.count - 8])
        let hash = UInt64(
            littleEndian: data.loadUnaligned(fromByteOffset: content.count, as: UInt64.self))
        guard XXHash64.value(content) == hash else {
            throw BlockFault("has other bytes than were written: its hash differs")
        }
        self.init(content)
    }
}

extension Array {
    /// Resizes the array; new elements have the given value.
    mutating func resize(_ length: Int, _ value: Element) {
        if count < length {
            append(contentsOf: repeatElement(value, count: length - count))
        } else if count > length {
            removeLast(count - length)
        }
    }
}

/// An outcome in its form in the ring.
struct OutcomeFrame {
    let number: UInt64
    let closed: Int64
    let delivery: UInt64
    let deadline: UInt64
    let packets: Int64
    let lost: Int64
    let isLate: Bool
    let isDelivered: Bool
    private(set) var bytes = PathBytes()

    /// - Parameter frame: the end of the frame's header.
    init(_ frame: UnsafeRawPointer) {
        var reader = FrameReader(pointer: frame)
        number = reader.take(UInt64.self)
        closed = reader.take(Int64.self)
        delivery = reader.take(UInt64.self)
        deadline = reader.take(UInt64.self)
        packets = reader.take(Int64.self)
        lost = reader.take(Int64.self)
        isLate = reader.take(UInt32.self) != 0
        isDelivered = reader.take(UInt32.self) != 0
        var paths = PathSet(
            rawValue: UInt16(truncatingIfNeeded: UInt64(littleEndian: reader.take(UInt64.self))))
        while let path = paths.popFirst() { bytes.add(Int(reader.takeInt()), to: path) }
    }
}
