/// Where a path stands in its life.
///
/// Only `active` and `standby` paths are offered to policies.
public enum PathState: UInt8, Sendable, CaseIterable {
    /// Known, but its address has not answered a challenge yet.
    case validating
    /// Validated and in service.
    case active
    /// Validated, kept alive, used only when no active path can carry data.
    case standby
    /// Quiet while others answer, or past a probe time-out: no new data, unanswered data moved.
    case suspect
    /// Given up until a probe is answered; its data has been queued on other paths.
    case failed
    /// Failed, and a first probe was answered: one more makes it active.
    case probing
    /// Removed (interface gone, or closed by either side); the number may be used again.
    case closed

    /// The word used in tables, JSON and traces.
    public var name: String {
        switch self {
        case .validating: "validating"
        case .active: "active"
        case .standby: "standby"
        case .suspect: "suspect"
        case .failed: "failed"
        case .probing: "probing"
        case .closed: "closed"
        }
    }
}

/// What kind of link a path runs over, as far as the user or the system says.
public enum LinkKind: UInt8, Sendable, CaseIterable {
    case unknown, wired, wifi, cellular, starlink
}

/// What the user says of a path; constant while the path lives.
public struct PathTraits: Hashable, Sendable {
    /// Share wanted by the `weighted` policy, relative to the other paths.
    ///
    /// Positive.
    public var weight: Double
    /// Price of a gigabyte (10^9 bytes), in the user's currency.
    ///
    /// Zero or positive.
    public var pricePerGB: Double
    /// Highest rate to send at, bytes per second; infinite when unlimited.
    public var rateLimit: Double
    /// Used only when no other path is active.
    public var isBackup: Bool
    public var kind: LinkKind

    public init(
        weight: Double = 1, pricePerGB: Double = 0, rateLimit: Double = .infinity,
        isBackup: Bool = false, kind: LinkKind = .unknown
    ) {
        self.weight = weight
        self.pricePerGB = pricePerGB
        self.rateLimit = rateLimit
        self.isBackup = isBackup
        self.kind = kind
    }
}

/// What the transport knows of one path at one instant: input of the feature schema, row of a
/// status table, and sample in a trace.
///
/// Bytes are bytes of UDP payload.
public struct PathSnapshot: Sendable {
    public var path: PathID
    public var state: PathState
    public var traits: PathTraits
    /// RFC 9002, section 5: smoothed RTT, its variation, the latest sample, and the least of 10 s.
    public var smoothedRTT: TimeDelta
    public var rttVariation: TimeDelta
    public var latestRTT: TimeDelta
    public var minRTT: TimeDelta
    /// Bytes sent and neither acknowledged nor declared lost.
    public var bytesInFlight: Int
    /// The congestion controller's window, bytes, and pacing rate, bytes per second.
    public var congestionWindow: Int
    public var pacingRate: Double
    /// Delivery rate of the latest sample, bytes per second; zero before the first.
    public var deliveryRate: Double
    /// How long a packet given to the path now would wait for the pacer.
    public var pacingDelay: TimeDelta
    /// Send time of the oldest ack-eliciting packet without an answer, if there is one.
    public var oldestUnanswered: Instant?
    /// Arrival of the latest authenticated packet on, or acknowledgement of, this path.
    public var lastReply: Instant?
    /// Probe time-outs in a row, RFC 9002 section 6.2.
    public var probeTimeouts: Int

    public init(path: PathID, state: PathState, traits: PathTraits) {
        self.path = path
        self.state = state
        self.traits = traits
        smoothedRTT = .milliseconds(333)
        rttVariation = TimeDelta(nanoseconds: 166_500_000)
        latestRTT = .zero
        minRTT = .infinite
        bytesInFlight = 0
        congestionWindow = 0
        pacingRate = 0
        deliveryRate = 0
        pacingDelay = .zero
        oldestUnanswered = nil
        lastReply = nil
        probeTimeouts = 0
    }
}
