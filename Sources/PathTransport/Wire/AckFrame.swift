import PathTelemetry

/// An acknowledgement: ranges of received packet numbers of one path, newest first, and the
/// receiver's stamps of the newest runs of packets.
///
/// docs/protocol.md, section 4.1.
struct AckFrame: ~Copyable {
    private let pin = Pin()
    static let maximumRanges = 64
    static let maximumStamps = 16

    /// Packets `first ... last` arrived.
    struct Range: Equatable {
        var first: UInt64
        var last: UInt64
    }

    /// The packets from `first` up to the next newer run were received at `time`, microseconds of
    /// the receiver's own clock; overtaken packets among them were received then or later.
    struct Stamp: Equatable {
        var first: UInt64
        var time: UInt64
    }

    var path: PathID
    /// Time from the arrival of the largest packet to the departure of the frame.
    var delay: TimeDelta
    /// Packets below the largest that have not arrived, of all that were ever sent on the path.
    var missing: UInt64 = 0
    private(set) var rangeCount = 0
    private(set) var stampCount = 0
    private var rangeStorage = InlineArray<64, Range>(repeating: Range(first: 0, last: 0))
    private var stampStorage = InlineArray<16, Stamp>(repeating: Stamp(first: 0, time: 0))

    init(path: PathID, delay: TimeDelta) {
        self.path = path
        self.delay = delay
    }

    var largest: UInt64 { rangeCount > 0 ? rangeStorage[0].last : 0 }
    func range(_ index: Int) -> Range { rangeStorage[index] }
    func stamp(_ index: Int) -> Stamp { stampStorage[index] }

    /// Appends a range below those already there.
    mutating func append(range: Range) {
        guard rangeCount < AckFrame.maximumRanges else { return }
        rangeStorage[rangeCount] = range
        rangeCount += 1
    }

    /// Appends a stamp of packets before those already there.
    mutating func append(stamp: Stamp) {
        guard stampCount < AckFrame.maximumStamps else { return }
        stampStorage[stampCount] = stamp
        stampCount += 1
    }

    /// The receiver's stamp of a packet: that of its run, or of the nearest known run.
    func receiveTime(of number: UInt64) -> UInt64? {
        guard stampCount > 0 else { return nil }
        for index in 0..<stampCount where stampStorage[index].first <= number {
            return stampStorage[index].time
        }
        return stampStorage[stampCount - 1].time
    }

    /// When the receiver sent the frame, by its own clock: the newest stamp and the delay since.
    var sendTime: UInt64? {
        guard stampCount > 0 else { return nil }
        return stampStorage[0].time &+ UInt64(max(0, delay.microseconds))
    }

    // MARK: wire

    /// Takes what follows the kind byte, in place of what was there.
    ///
    /// It is read in place, as a frame is larger than a kilobyte. After an error the frame holds a
    /// part.
    mutating func read(_ reader: inout ByteReader) throws(FrameError) {
        let kind = FrameKind.ack
        rangeCount = 0
        stampCount = 0
        guard let path = reader.byte(), let largest = reader.varint(),
            let delay = reader.varint(), let missing = reader.varint(),
            let count = reader.varint(), let first = reader.varint()
        else { throw .truncated(kind: kind) }
        guard path < PathID.limit, largest <= DataHeader.largestPacketNumber,
            count < AckFrame.maximumRanges, first <= largest, missing <= largest - first,
            delay <= 10_000_000
        else { throw .outOfRange(kind: kind) }
        self.path = PathID(rawValue: path)
        self.delay = .microseconds(Int64(delay))
        self.missing = missing
        append(range: Range(first: largest - first, last: largest))
        var smallest = largest - first
        for _ in 0..<count {
            guard let gap = reader.varint(), let length = reader.varint() else {
                throw .truncated(kind: kind)
            }
            // RFC 9000, section 19.3.1: a gap of 0 means one missing packet.
            guard gap &+ 2 <= smallest, gap < smallest, length <= smallest - gap - 2 else {
                throw .outOfRange(kind: kind)
            }
            let last = smallest - gap - 2
            append(range: Range(first: last - length, last: last))
            smallest = last - length
        }
        try readStamps(&reader)
    }

    private mutating func readStamps(_ reader: inout ByteReader) throws(FrameError) {
        let kind = FrameKind.ack
        guard let count = reader.varint() else { throw .truncated(kind: kind) }
        guard count <= AckFrame.maximumStamps else { throw .outOfRange(kind: kind) }
        var first = largest
        var time: UInt64 = 0
        for index in 0..<count {
            guard let step = reader.varint(), let delta = reader.varint() else {
                throw .truncated(kind: kind)
            }
            guard step <= first, index == 0 || delta <= time else { throw .outOfRange(kind: kind) }
            first -= step
            time = index == 0 ? delta : time - delta
            append(stamp: Stamp(first: first, time: time))
        }
    }

    /// The most bytes that the frame takes.
    var maximumLength: Int { 1 + 1 + 8 + 4 + 8 + 1 + 8 + rangeCount * 8 + 1 + stampCount * 12 + 8 }

    func write(to writer: inout ByteWriter) {
        guard rangeCount > 0 else { return }
        writer.byte(FrameKind.ack)
        writer.byte(path.rawValue)
        writer.varint(largest)
        writer.varint(UInt64(max(0, min(delay.microseconds, 10_000_000))))
        writer.varint(missing)
        writer.varint(UInt64(rangeCount - 1))
        writer.varint(rangeStorage[0].last - rangeStorage[0].first)
        var smallest = rangeStorage[0].first
        for index in 1..<max(rangeCount, 1) {
            let range = rangeStorage[index]
            writer.varint(smallest - range.last - 2)
            writer.varint(range.last - range.first)
            smallest = range.first
        }
        writer.varint(UInt64(stampCount))
        var first = largest
        var time: UInt64 = 0
        for index in 0..<stampCount {
            let stamp = stampStorage[index]
            writer.varint(first - stamp.first)
            writer.varint(index == 0 ? stamp.time : time - stamp.time)
            first = stamp.first
            time = stamp.time
        }
    }
}
