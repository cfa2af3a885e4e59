/// The state of a path.
///
/// Only `active` and `standby` paths are offered to policies.
public enum PathState: UInt8, Sendable, CaseIterable {
    /// Known, but its address has not answered a challenge yet.
    case validating
    /// Validated and in use.
    case active
    /// Validated, kept alive, used only when no active path can carry data.
    case standby
    /// Silent while others answer, or past a probe time-out: it gets no new data, and its
    /// unacknowledged data is moved.
    case suspect
    /// Not used until a probe is answered; its data was queued on other paths.
    case failed
    /// Failed, but a first probe was answered; a second answer makes it active.
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

/// The kind of link of a path, if the user or the system tells it.
public enum LinkKind: UInt8, Sendable, CaseIterable {
    case unknown, wired, wifi, cellular, starlink
}

/// The user's settings of a path; constant while the path exists, except whether it is held in
/// reserve.
public struct PathTraits: Hashable, Sendable {
    /// Share wanted by the `weighted` policy, relative to the other paths.
    ///
    /// Positive.
    public var weight: Double
    /// Price of a gigabyte (10^9 bytes), in the user's currency.
    ///
    /// Zero or positive.
    public var pricePerGB: Double
    /// Highest rate to send at, bytes per second; infinite if unlimited.
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

/// The transport's state of one path at one instant: input of the feature schema, row of a status
/// table, and sample in a trace.
///
/// Bytes are bytes of UDP payload.
public struct PathSnapshot: Sendable {
    public var path: PathID
    public var state: PathState
    public var traits: PathTraits
    /// RFC 9002, section 5: smoothed RTT, its variation, the latest sample, and the minimum over 10
    /// s.
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
    /// How long a packet would wait for the pacer now.
    public var pacingDelay: TimeDelta
    /// Send time of the oldest ack-eliciting packet that is not acknowledged, if there is one.
    public var oldestUnanswered: Instant?
    /// Arrival of the latest authenticated packet on, or acknowledgement of, this path.
    public var lastReply: Instant?
    /// Consecutive probe time-outs (RFC 9002, section 6.2).
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
