internal import CLinuxUDP
internal import PathTelemetry
public import PathTransport

/// What a connection measured on a way through the network, for a fast start of a later one.
public struct KnownPath: Hashable, Sendable {
    /// A way: what was measured on one says nothing about another.
    public struct Route: Hashable, Sendable {
        /// Nil if the system chose the interface.
        public var interface: String?
        /// Of any port.
        public var local: SocketAddress
        public var remote: SocketAddress

        public init(interface: String?, local: SocketAddress, remote: SocketAddress) {
            self.interface = interface
            self.local = local.with(port: 0)
            self.remote = remote
        }
    }

    /// Seconds for which a measurement holds, as in Chromium's bandwidth resumption
    /// (`kNumSecondsPerHour` in quic_server_session_base.cc); RFC 9959, section 4.3.1, speaks of
    /// minutes to hours.
    static let lifetime: Int64 = 3_600

    public var route: Route
    public var saved: SavedCapacity
    /// Seconds since 1970, UTC.
    public var measuredAt: Int64

    public init(_ route: Route, _ saved: SavedCapacity, measuredAt: Int64) {
        self.route = route
        self.saved = saved
        self.measuredAt = measuredAt
    }

    /// Whether it is recent; the clock may have been set since.
    ///
    /// - Parameter now: the time of day, seconds since 1970.
    public func isFresh(now: Int64) -> Bool {
        let (age, isTooLarge) = now.subtractingReportingOverflow(measuredAt)
        return !isTooLarge && age >= 0 && age <= KnownPath.lifetime
    }

    /// The time of day, seconds since 1970, UTC.
    public static func now() -> Int64 { clu_realtime() / 1_000_000_000 }
}

/// What a driver knows of ways that have no path at the moment, and of those that had one.
///
/// A path that is opened takes what is known of its way, so that no two start from it (RFC 9959,
/// section 3.2), and gives back what it measured.
struct KnownPaths {
    private var free: [KnownPath.Route: KnownPath] = [:]
    private var taken: [PathID: (route: KnownPath.Route, known: KnownPath?)] = [:]

    init(_ known: [KnownPath]) {
        for path in known { free[path.route] = path }
    }

    /// Takes what is known of the way of a path that was just opened; nil if that is nothing, or old.
    mutating func take(_ route: KnownPath.Route, for path: PathID, now: Int64) -> SavedCapacity? {
        let known = free.removeValue(forKey: route).flatMap { $0.isFresh(now: now) ? $0 : nil }
        taken[path] = (route, known)
        return known?.saved
    }

    /// Takes what a path that is closed has measured.
    ///
    /// - Parameters:
    ///   - capacity: nil if nothing is worth knowing; without an age if it is what the path was given.
    ///   - now: the time of day, seconds since 1970.
    mutating func give(
        _ path: PathID, _ capacity: (saved: SavedCapacity, age: TimeDelta?)?, now: Int64
    ) {
        guard let (route, known) = taken.removeValue(forKey: path), let capacity else { return }
        if let age = capacity.age {
            let measuredAt = now - age.nanoseconds / 1_000_000_000
            free[route] = KnownPath(route, capacity.saved, measuredAt: measuredAt)
        } else if let known {
            free[route] = known
        }
    }

    /// All that is known, which the driver then does not know any more.
    mutating func takeAll() -> [KnownPath] {
        defer { free = [:] }
        return Array(free.values)
    }
}

extension ClientDriver {
    /// Starts a path that was just opened from what is known of its way.
    func resume(_ path: PathID, _ plan: PathPlan, _ way: PathPlan.Way, socket: Int) {
        guard let local = way.local ?? sockets.localAddress(of: socket) else { return }
        let route = KnownPath.Route(interface: plan.interface, local: local, remote: way.remote)
        guard let saved = knownPaths.take(route, for: path, now: KnownPath.now()) else { return }
        connection.resume(path, from: saved)
    }

    /// Keeps what a path measured, before it is closed.
    func keepMeasurement(of path: PathID) {
        let now = MonotonicClock.now()
        let capacity = connection.capacity(of: path).map { capacity in
            (capacity.saved, capacity.measuredAt.map { max(now - $0, .zero) })
        }
        knownPaths.give(path, capacity, now: KnownPath.now())
    }

    /// What is known of the ways of this host to the server, for the next connection; this one does
    /// not need it any more.
    public func takeKnownPaths() -> [KnownPath] {
        lock.lock()
        defer { lock.unlock() }
        for path in attempts.keys { keepMeasurement(of: path) }
        return knownPaths.takeAll()
    }
}
