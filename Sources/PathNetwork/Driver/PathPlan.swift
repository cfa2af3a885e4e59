public import PathTelemetry
public import PathTransport

/// The route of a client's path: its interface, and the addresses at both ends.
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
    /// The possible ways, best first; one is in use at a time.
    public internal(set) var ways: [Way]
    public var traits: PathTraits

    public init(
        name: String, interface: String? = nil, ways: [Way], traits: PathTraits = PathTraits()
    ) {
        self.name = name
        self.interface = interface
        self.ways = ways
        self.traits = traits
    }

    /// Makes a path with one way.
    public init(
        name: String, interface: String? = nil, local: SocketAddress? = nil,
        remote: SocketAddress, traits: PathTraits = PathTraits()
    ) {
        self.init(
            name: name, interface: interface, ways: [Way(local: local, remote: remote)],
            traits: traits)
    }
}

/// Searches for an address that answers by trying the ways of a plan in turn.
///
/// It tries one way at a time, so that a path keeps its number. It leaves a way that the system or
/// the network reports as unreachable at once, and a silent one after a second, which doubles each
/// time all were tried. It waits longer for the way that worked last before it tries the others
/// again, each of them only briefly.
struct PathAttempt {
    /// The first probe time-out of a path whose round trip is not known (RFC 9002, section 6.2.2).
    static let patience = TimeDelta.seconds(1)
    private static let longestPatience = TimeDelta.seconds(4)
    /// Patience with a way that has worked, as an outage of the link is more likely than a changed
    /// server address.
    static let loyalty = TimeDelta.seconds(5)

    private(set) var plan: PathPlan
    private var index = 0
    /// The way that worked last.
    private var proven: Int?
    private var rounds: Int64 = 0
    /// Number of consecutive ways that were reported as unreachable.
    private var faults = 0
    private var isFaulty = false
    private var isWorking = false
    /// When the way was selected, or when it stopped working.
    private var since: Instant

    /// - Parameter plan: a plan with at least one way.
    init(_ plan: PathPlan, now: Instant) {
        self.plan = plan
        since = now
    }

    /// The way in use.
    var way: PathPlan.Way { plan.ways[index] }

    /// When to switch to the next way; distant future while this one works or is the only one.
    var nextWayAt: Instant {
        guard plan.ways.count > 1, !isWorking else { return .distantFuture }
        if isFaulty, faults < plan.ways.count { return since }
        if proven == index { return since + PathAttempt.loyalty }
        guard proven == nil else { return since + PathAttempt.patience }
        let patience = PathAttempt.patience * (Int64(1) << min(rounds, 2))
        return since + min(patience, PathAttempt.longestPatience)
    }

    /// Takes the path's state from the connection.
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

    /// Notes that the way in use was reported as unreachable; for a working way the report may be
    /// forged and is ignored.
    mutating func noteFault() {
        guard !isWorking, !isFaulty, proven != index else { return }
        isFaulty = true
        faults += 1
    }

    /// Switches to the next way.
    mutating func advance(now: Instant) {
        if faults >= plan.ways.count { faults = 0 }
        isFaulty = false
        index = (index + 1) % plan.ways.count
        if index == 0 { rounds += 1 }
        since = now
    }

    /// Whether the path can continue unchanged under another plan.
    func fits(_ other: PathPlan) -> Bool {
        other.name == plan.name && other.interface == plan.interface
            && other.traits == plan.traits && other.ways.contains(way)
    }

    /// Whether the path can continue under another plan, with its traits.
    func continues(as other: PathPlan) -> Bool {
        var same = other
        same.traits = plan.traits
        return fits(same)
    }

    /// Continues under another plan that fits.
    mutating func adopt(_ other: PathPlan) {
        let old = proven.map { plan.ways[$0] }
        index = other.ways.firstIndex(of: way) ?? 0
        plan = other
        proven = old.flatMap { other.ways.firstIndex(of: $0) }
    }
}
