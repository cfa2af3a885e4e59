import PathLearning
import PathTelemetry

/// What has to be known about a frame when its packet is acknowledged or lost.
enum SentFrame {
    case none
    case stream(StreamFrame)
    case message(MessageChunk)
    case control(StreamControl)
    /// An acknowledgement of the peer's packets up to `largest`.
    case ack(path: PathID, largest: UInt64)
    case path(PathID, PathFrame.Kind)

    /// The bytes of a stream or message in the frame; nil if it carries none.
    var piece: DataPiece? {
        switch self {
        case .stream(let frame):
            DataPiece(
                stream: frame.id.rawValue, offset: frame.chunk.offset, length: frame.chunk.length)
        case .message(let chunk):
            DataPiece(message: chunk.number, offset: chunk.offset, length: chunk.length)
        default: nil
        }
    }
}

/// One packet in flight: plain memory that is cheap to copy, kept in `SentPacketRing`.
struct SentPacket {
    enum State: UInt8 {
        case inFlight, acknowledged, lost, forgotten
    }

    static let frameLimit = 4

    var sentAt: Instant
    /// Bytes of the datagram, which congestion control counts.
    var bytes: Int32
    var state: State
    var isAckEliciting: Bool
    /// Whether its data was queued on other paths while it was still unacknowledged.
    var isReinjected = false
    /// Whether the decision follows its bytes and not the packet: it was lost, its data was queued
    /// on other paths, or copies of it are in flight.
    var isByBytes = false
    /// Whether it carries only probes or control frames, so that its delivery says nothing about
    /// the rate of the path.
    var isBare = false
    /// Whether it is a path MTU probe, whose loss is no sign of congestion (RFC 8899, section 3).
    var isMTUProbe = false
    var frameCount: UInt8 = 0
    var frames: InlineArray<4, SentFrame> = InlineArray(repeating: .none)
    /// The decision that put it on this path; `noDecision` if none exists.
    var decision: UInt64 = SentPacket.noDecision
    var delivery = DeliveryState(
        delivered: 0, lost: 0, deliveredTime: .zero, firstSentTime: .zero, receivedTime: nil,
        bytesInFlight: 0, isAppLimited: false)

    static let noDecision = UInt64.max

    init(sentAt: Instant, bytes: Int, isAckEliciting: Bool) {
        self.sentAt = sentAt
        self.bytes = Int32(truncatingIfNeeded: bytes)
        self.isAckEliciting = isAckEliciting
        state = .inFlight
    }

    /// The application data that it carries.
    var pieces: InlineArray<4, DataPiece?> {
        var pieces = InlineArray<4, DataPiece?>(repeating: nil)
        for index in 0..<Int(frameCount) { pieces[index] = frames[index].piece }
        return pieces
    }

    /// Whether it carries messages; then it carries no streams.
    var hasMessages: Bool {
        for index in 0..<Int(frameCount) {
            if case .message = frames[index] { return true }
        }
        return false
    }

    var hasFrameRoom: Bool { frameCount < SentPacket.frameLimit }

    mutating func add(_ frame: SentFrame) {
        guard hasFrameRoom else { return }
        frames[Int(frameCount)] = frame
        frameCount += 1
    }
}

/// The packets of one path that are not settled yet, by packet number.
///
/// It grows by doubling up to `capacityLimit` and allocates at no other time.
struct SentPacketRing {
    /// The most packets in flight: 2^16 of 1,400 bytes are 90 MB on one path.
    static let capacityLimit = 1 << 16

    private var storage: [SentPacket]
    private var mask: Int
    /// Number of the oldest packet kept.
    private(set) var first: UInt64 = 0
    /// Number of the next packet sent.
    private(set) var next: UInt64 = 0

    init() {
        let empty = SentPacket(sentAt: .zero, bytes: 0, isAckEliciting: false)
        storage = Array(repeating: empty, count: 256)
        mask = 255
    }

    var isEmpty: Bool { first == next }
    var count: Int { Int(next - first) }
    var needsGrowth: Bool { count > mask }
    var isFull: Bool { count >= SentPacketRing.capacityLimit }

    subscript(number: UInt64) -> SentPacket {
        @inline(__always) _read { yield storage[Int(truncatingIfNeeded: number) & mask] }
        @inline(__always) _modify { yield &storage[Int(truncatingIfNeeded: number) & mask] }
    }

    func contains(_ number: UInt64) -> Bool { number >= first && number < next }

    /// Appends the packet with the number `next`.
    mutating func append(_ packet: SentPacket) {
        if needsGrowth { grow() }
        storage[Int(truncatingIfNeeded: next) & mask] = packet
        next += 1
    }

    private mutating func grow() {
        var larger = Array(
            repeating: SentPacket(sentAt: .zero, bytes: 0, isAckEliciting: false),
            count: storage.count * 2)
        let largerMask = larger.count - 1
        for number in first..<next {
            larger[Int(truncatingIfNeeded: number) & largerMask] =
                storage[Int(truncatingIfNeeded: number) & mask]
        }
        storage = larger
        mask = largerMask
    }

    /// Drops settled packets from the front; lost ones stay until `cutoff`, so that late
    /// acknowledgements are recognised.
    mutating func dropSettled(lostBefore cutoff: Instant) {
        while first < next {
            let packet = storage[Int(truncatingIfNeeded: first) & mask]
            switch packet.state {
            case .inFlight: return
            case .lost where packet.sentAt > cutoff: return
            default: first += 1
            }
        }
    }
}
