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
