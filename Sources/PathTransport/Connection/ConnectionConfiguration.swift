import PathLearning
public import PathTelemetry

/// What a connection is set up with; constant while it lives.
public struct ConnectionConfiguration: Sendable {
    /// Limits told to the peer.
    public var parameters = TransportParameters()
    public var congestion = CongestionAlgorithm.modelBased
    /// Window of a path before anything is known of it, packets.
    public var initialWindowPackets = 32
    /// Bytes that each stream buffers until they are acknowledged.
    public var streamSendCapacity = 16 << 20
    /// Bounds of the time within which a burst of stream data should arrive; in between it is four
    /// round trips.
    ///
    /// Outcomes later than this count as late.
    public var streamDeadlineRange = TimeDelta.milliseconds(100)...TimeDelta.seconds(2)
    /// Time that a client tries to reach the server.
    public var handshakeTimeout = TimeDelta.seconds(5)
    /// Idle paths are probed this often while data flows elsewhere.
    public var idleProbeInterval = TimeDelta.milliseconds(500)
    /// A connection without traffic is kept alive this often; UDP NAT entries live 30 s or more.
    public var keepaliveInterval = TimeDelta.seconds(10)
    /// A failed path is probed this often.
    public var failedProbeInterval = TimeDelta.milliseconds(200)
    /// How often path samples are recorded; zero records none.
    public var sampleInterval = TimeDelta.milliseconds(100)
    /// Decisions and outcomes are handed out for recording.
    public var isRecording = false
    /// UTC minus the clock of `now`, for features on a UTC grid.
    public var utcOffset = TimeDelta.zero
    /// Seed of the policy's draws and of pauses between attempts: of nothing that is secret.
    public var seed: UInt64 = 1

    public init() {}
}

/// What a connection did, in all.
public struct ConnectionStatistics: Sendable {
    public var streamBytesSent: UInt64 = 0
    public var streamBytesRetransmitted: UInt64 = 0
    /// Bytes of streams and messages sent on a further path as a copy.
    public var bytesDuplicated: UInt64 = 0
    public var streamBytesReceived: UInt64 = 0
    /// Stream bytes received more than once.
    public var duplicateBytesReceived: UInt64 = 0
    public var messagesSent: UInt64 = 0
    public var messagesReceived: UInt64 = 0
    public var messagesExpired: UInt64 = 0
    public var decisions: UInt64 = 0
    public var forcedDecisions: UInt64 = 0
    public var lateOutcomes: UInt64 = 0
    public var failovers: UInt64 = 0
    public var forgedPackets: UInt64 = 0
    public var replayedPackets: UInt64 = 0
    public var keyChanges = 0

    public init() {}
}
