public import PathTelemetry

/// How a message is to be sent.
public struct MessageOptions: Hashable, Sendable {
    /// After this time the message is useless: it is dropped and reported.
    ///
    /// `Instant.distantFuture` means that it never expires.
    public var deadline: Instant
    /// Whether lost fragments are retransmitted as long as the deadline allows.
    ///
    /// If not, the first loss ends the message.
    public var isReliable: Bool
    /// Messages of a more urgent class leave before those of the others that still wait; the peer is
    /// not told.
    public var priority: StreamPriority
    /// Bytes that copies on other paths may take, as a share of the message's own, 0...1.
    ///
    /// A message is copied while its path pauses and another one would deliver it sooner, if such
    /// shares have paid for it.
    public var redundancy: Double

    /// The redundancy of messages whose sender does not say otherwise.
    public static let usualRedundancy = 0.1

    public init(
        deadline: Instant = .distantFuture, isReliable: Bool = true,
        priority: StreamPriority = .media, redundancy: Double = MessageOptions.usualRedundancy
    ) {
        self.deadline = deadline
        self.isReliable = isReliable
        self.priority = priority
        self.redundancy = redundancy
    }
}

/// The fate of a message, as far as the sender knows.
enum MessageOutcome: Hashable, Sendable {
    /// The peer has all of it.
    case delivered(number: UInt64)
    /// The deadline passed with some bytes not acknowledged, and some of those never sent.
    case expired(number: UInt64, unacknowledged: Int, unsent: Int)
    /// A fragment of a message that tolerates loss was lost.
    case lost(number: UInt64)
}

/// A piece of a message that one packet carries.
struct MessageChunk: Hashable, Sendable {
    var number: UInt64
    var offset: Int
    var length: Int
    /// Bytes of the whole message.
    var total: Int
    var deadline: Instant
    /// Some of it was sent before.
    var isRetransmission = false
    /// It is sent because its path pauses, and not after a loss.
    var isCopy = false
}

/// Bounds on messages that both ends agree on.
enum MessageLimits {
    /// Most bytes of one message: a UDP datagram of any size over IPv4 (65,507 bytes) and the header
    /// that a forwarder puts before it, in the largest buffer of `MessageBuffers`.
    static let size = 65_536
    /// The range of numbers within which a receiver recognises duplicates; a power of two.
    ///
    /// A sender has no outstanding message further below its newest.
    static let window = 8192
    /// No fragment is smaller unless it is the rest of its message or of a lost range.
    static let fragment = 64
    /// Most separate pieces of a message that a receiver keeps: fragments of the smallest size with
    /// every other one missing.
    static let ranges = size / fragment / 2 + 1
    /// Highest number of a message, and of any variable-length integer (RFC 9000, section 16).
    static let number: UInt64 = 1 << 62 - 1
}
