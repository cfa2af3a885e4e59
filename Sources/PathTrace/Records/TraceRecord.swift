public import PathLearning
public import PathTelemetry

/// A path of a session, from when it was added.
public struct PathInfo: Hashable, Sendable {
    public var path: PathID
    /// The name that the user gave, or the name of the interface.
    public var name: String
    /// The addresses of both ends as text.
    public var local: String
    public var remote: String
    public var traits: PathTraits
    public var added: Instant

    public init(
        path: PathID, name: String, local: String, remote: String, traits: PathTraits,
        added: Instant
    ) {
        self.path = path
        self.name = name
        self.local = local
        self.remote = remote
        self.traits = traits
        self.added = added
    }
}

/// A path as read from a trace.
public struct RecordedPath: Hashable, Sendable {
    public var session: SessionID
    public var info: PathInfo
    /// When it was removed; nil if it existed until the end of the recording.
    public var removed: Instant?
}

/// The kind of an event: one word, the same in tables, JSON and SQL.
public struct TraceEventKind: RawRepresentable, Hashable, Sendable {
    public var rawValue: String

    public init(rawValue: String) { self.rawValue = rawValue }

    /// A path changed its state; the text names the new state.
    public static let pathState = TraceEventKind(rawValue: "path-state")
    /// Data was moved off a path; the value is the time it took, seconds.
    public static let failover = TraceEventKind(rawValue: "failover")
    /// A failed path carries data again; the value is the length of the outage, seconds.
    public static let recovery = TraceEventKind(rawValue: "recovery")
    /// The guard switched to the fallback policy, or back to the learned one.
    public static let fallback = TraceEventKind(rawValue: "fallback")
    public static let restored = TraceEventKind(rawValue: "restored")
    /// An address or interface of this machine appeared, vanished or changed.
    public static let network = TraceEventKind(rawValue: "network")
    /// Handshake, rekeying or close of the connection.
    public static let connection = TraceEventKind(rawValue: "connection")
    /// The policy switched to another model, whose hash is in the text, or a model was refused.
    public static let model = TraceEventKind(rawValue: "model")
    /// Not every decision of the session is recorded; the value is the probability of each.
    static let sampling = TraceEventKind(rawValue: "sampling")
    /// Anything else worth recording.
    public static let note = TraceEventKind(rawValue: "note")
}

/// An event at one time, of one path or of the whole session.
public struct TraceEvent: Hashable, Sendable {
    /// The longest recorded text, bytes; longer ones are truncated at a character.
    public static let textLimit = 1000

    public var time: Instant
    public var kind: TraceEventKind
    public var path: PathID?
    public var text: String
    /// A number whose meaning depends on the kind, mostly seconds.
    public var value: Double?

    public init(
        time: Instant, kind: TraceEventKind, path: PathID? = nil, text: String = "",
        value: Double? = nil
    ) {
        self.time = time
        self.kind = kind
        self.path = path
        self.text = text
        self.value = value
    }
}

/// The transport's state of one path at one time.
public struct PathSample: Sendable {
    public var time: Instant
    public var snapshot: PathSnapshot
    /// Its traffic totals by then; nil if nobody counts.
    public var totals: PathTotals?

    public init(time: Instant, snapshot: PathSnapshot, totals: PathTotals? = nil) {
        self.time = time
        self.snapshot = snapshot
        self.totals = totals
    }
}

/// Traffic totals of one side of a path since the session began: packets are UDP datagrams, bytes
/// their payload.
public struct PathTotals: Hashable, Sendable {
    public var packetsSent: UInt64
    public var bytesSent: UInt64
    public var packetsReceived: UInt64
    public var bytesReceived: UInt64
    public var packetsLost: UInt64

    public init(
        packetsSent: UInt64, bytesSent: UInt64, packetsReceived: UInt64, bytesReceived: UInt64,
        packetsLost: UInt64
    ) {
        self.packetsSent = packetsSent
        self.bytesSent = bytesSent
        self.packetsReceived = packetsReceived
        self.bytesReceived = bytesReceived
        self.packetsLost = packetsLost
    }
}

/// Everything that can be put into a ring.
public enum TraceRecord: Sendable {
    case pathAdded(PathInfo)
    case pathRemoved(PathID, at: Instant)
    case decision(DecisionRecord)
    case outcome(Outcome)
    case sample(PathSample)
    case event(TraceEvent)
}

/// A decision as read from a trace, with its outcome if that was recorded.
public struct LoggedDecision: Sendable {
    public var session: SessionID
    public var record: DecisionRecord
    public var outcome: Outcome?

    public init(session: SessionID, record: DecisionRecord, outcome: Outcome?) {
        self.session = session
        self.record = record
        self.outcome = outcome
    }
}

extension LoggedDecision {
    /// An empty value into which a decision cursor reads.
    public static var empty: LoggedDecision {
        LoggedDecision(
            session: SessionID(rawValue: 0),
            record: DecisionRecord(
                number: 0, time: .zero,
                burst: BurstContext(bytes: 0, deadline: .zero, trafficClass: .stream),
                candidates: CandidateSet(),
                decision: Decision(distribution: ActionDistribution(), chosen: 0), draw: 0),
            outcome: nil)
    }
}
