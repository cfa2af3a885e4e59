public import PathTelemetry
public import PathTransport

/// Where a path of a client runs: through which interface, from and to which address.
public struct PathPlan: Hashable, Sendable {
    /// A local address and an address of the server that it may reach.
    public struct Way: Hashable, Sendable {
        /// Nil leaves the choice to the system.
        public var local: SocketAddress?
        public var remote: SocketAddress

        public init(local: SocketAddress? = nil, remote: SocketAddress) {
            self.local = local
            self.remote = remote
        }
    }

    public var name: String
    /// Interface to bind to; nil leaves the choice to the system.
    public var interface: String?
    /// The ways that may work, the best one first; one is in use at a time.
    var ways: [Way]
    public var traits: PathTraits

    public init(
        name: String, interface: String? = nil, ways: [Way], traits: PathTraits = PathTraits()
    ) {
        self.name = name
        self.interface = interface
        self.ways = ways
        self.traits = traits
    }

    /// A path with one way.
    public init(
        name: String, interface: String? = nil, local: SocketAddress? = nil,
        remote: SocketAddress, traits: PathTraits = PathTraits()
    ) {
        self.init(
            name: name, interface: interface, ways: [Way(local: local, remote: remote)],
            traits: traits)
    }
}

/// A path on its way to an address that answers: tries the ways of its plan in turn.
///
/// One way at a time, so that a path keeps its number. A way that the system or the network reports
/// as unreachable is left at once, a silent one after a second, and after twice as long each time
/// all have been tried. The way that worked last is waited for longer before the others are tried
/// again, and each of those only briefly.
struct PathAttempt {
    /// The first probe time-out of a path whose round trip is not known (RFC 9002, section 6.2.2).
    static let patience = TimeDelta.seconds(1)
    private static let longestPatience = TimeDelta.seconds(4)
    /// For a way that has worked: an outage of the link is more likely than another server address.
    static let loyalty = TimeDelta.seconds(5)

    private(set) var plan: PathPlan
    private var index = 0
    /// The way that worked last.
    private var proven: Int?
    private var rounds: Int64 = 0
    /// Ways that were reported as unreachable one after the other, this one among them or not.
    private var faults = 0
    private var isFaulty = false
    private var isWorking = false
    /// When the way was taken, or when it stopped working.
    private var since: Instant

    /// - Parameter plan: with at least one way.
    init(_ plan: PathPlan, now: Instant) {
        self.plan = plan
        since = now
    }

    /// The way in use.
    var way: PathPlan.Way { plan.ways[index] }

    /// When the next way is to be taken; distant future while this one works or is the only one.
    var nextWayAt: Instant {
        guard plan.ways.count > 1, !isWorking else { return .distantFuture }
        if isFaulty, faults < plan.ways.count { return since }
        if proven == index { return since + PathAttempt.loyalty }
        guard proven == nil else { return since + PathAttempt.patience }
        let patience = PathAttempt.patience * (Int64(1) << min(rounds, 2))
        return since + min(patience, PathAttempt.longestPatience)
    }

    /// Takes in what the connection says of the path.
    mutating func note(_ state: PathState, now: Instant) {
        switch state {
        case .active, .standby, .suspect, .probing:
            isWorking = true
            proven = index
            rounds = 0
            faults = 0
            isFaulty = false
        case .validating, .failed, .closed:
            if isWorking { since = now }
            isWorking = false
        }
    }

    /// The way in use was reported as unreachable; of a way that works this may be forged.
    mutating func noteFault() {
        guard !isWorking, !isFaulty, proven != index else { return }
        isFaulty = true
        faults += 1
    }

    /// Takes the next way.
    mutating func advance(now: Instant) {
        if faults >= plan.ways.count { faults = 0 }
        isFaulty = false
        index = (index + 1) % plan.ways.count
        if index == 0 { rounds += 1 }
        since = now
    }

    /// Whether the path can go on as it is under another plan.
    func fits(_ other: PathPlan) -> Bool {
        other.name == plan.name && other.interface == plan.interface
            && other.traits == plan.traits && other.ways.contains(way)
    }

    /// Goes on under another plan that fits.
    mutating func adopt(_ other: PathPlan) {
        let old = proven.map { plan.ways[$0] }
        index = other.ways.firstIndex(of: way) ?? 0
        plan = other
        proven = old.flatMap { other.ways.firstIndex(of: $0) }
    }
}
