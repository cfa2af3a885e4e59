public import PathLearning
public import PathTelemetry

/// The settings of a connection, constant while it lives.
public struct ConnectionConfiguration: Sendable {
    /// Limits announced to the peer.
    public var parameters = TransportParameters()
    public var congestion = CongestionAlgorithm.modelBased
    /// Initial window of a path, packets.
    public var initialWindowPackets = 32
    /// The most unacknowledged bytes that each stream buffers.
    public var streamSendCapacity = 16 << 20
    /// Bounds of the deadline of a burst of stream data; between them it is four round trips.
    ///
    /// Outcomes later than this count as late.
    public var streamDeadlineRange = TimeDelta.milliseconds(100)...TimeDelta.seconds(2)
    /// How long a client tries to reach the server.
    public var handshakeTimeout = TimeDelta.seconds(5)
    /// Interval of probes of idle paths while this side sends data, as long as probes and their
    /// answers stay below two percent of the data; metered and standby paths are not probed this
    /// way.
    public var quickProbeInterval = TimeDelta.milliseconds(125)
    /// Intervals of probes of idle paths, and of metered idle paths, while data flows in either
    /// direction.
    public var idleProbeInterval = TimeDelta.milliseconds(500)
    public var meteredProbeInterval = TimeDelta.seconds(2)
    /// Interval of keepalives of a connection without traffic; UDP NAT entries live 30 s or more.
    public var keepaliveInterval = TimeDelta.seconds(10)
    /// Interval of probes of a failed path.
    public var failedProbeInterval = TimeDelta.milliseconds(200)
    /// Interval of recorded path samples; zero records none.
    public var sampleInterval = TimeDelta.milliseconds(100)
    /// Whether decisions, outcomes and samples are returned for recording.
    public var isRecording = false
    /// Whose decisions are estimated beside those that are made, from the beginning.
    public var judging = Judging.off
    /// Seed of the policy's draws and of pauses between attempts; no secret depends on it.
    public var seed: UInt64 = 1

    public init() {}
}

/// Totals of a connection.
public struct ConnectionStatistics: Sendable {
    public var streamBytesSent: UInt64 = 0
    public var streamBytesRetransmitted: UInt64 = 0
    /// Bytes of streams and messages sent as copies on further paths.
    public var bytesDuplicated: UInt64 = 0
    public var streamBytesReceived: UInt64 = 0
    /// Stream bytes received more than once.
    public var duplicateBytesReceived: UInt64 = 0
    public var messagesSent: UInt64 = 0
    public var messagesReceived: UInt64 = 0
    public var messagesExpired: UInt64 = 0
    /// Messages that were also sent on another path because theirs paused, and those of them whose
    /// copy arrived first.
    public var messagesCopied: UInt64 = 0
    public var messagesSaved: UInt64 = 0
    public var decisions: UInt64 = 0
    public var forcedDecisions: UInt64 = 0
    public var lateOutcomes: UInt64 = 0
    public var failovers: UInt64 = 0
    public var forgedPackets: UInt64 = 0
    public var replayedPackets: UInt64 = 0
    public var keyChanges = 0
    /// How often the clock of a host jumped or stood still.
    var clockJumps = 0

    public init() {}

    mutating func noteCopy(_ chunk: MessageChunk) {
        guard chunk.isCopy else { return }
        bytesDuplicated += UInt64(chunk.length)
        if chunk.offset + chunk.length >= chunk.total { messagesCopied += 1 }
    }
}
