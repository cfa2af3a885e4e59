internal import PathNetwork
public import PathTelemetry
internal import PathTransport

/// The bytes and packets of one path, for rates, caps and comparison with the system's counters.
public struct PathCounters: Hashable, Sendable {
    public var path: PathID
    public var name: String
    public var state: PathState
    public var packetsSent: UInt64
    public var packetsReceived: UInt64
    public var packetsLost: UInt64
    /// Bytes of UDP payload.
    public var bytesSent: UInt64
    public var bytesReceived: UInt64
    /// Bytes of the headers of IP (without options) and UDP of one packet.
    public var headerBytes: UInt64
    /// Bursts that were sent on it first and whose end is known, and those of them that were late or lost.
    public var outcomes: UInt64
    public var lateOutcomes: UInt64
    /// Smoothed round trip; nil if nothing was measured.
    public var smoothedRTT: TimeDelta?

    /// Bytes sent with the headers of IP and UDP, as an operator counts them.
    public var wireBytesSent: UInt64 { bytesSent &+ packetsSent &* headerBytes }
    /// Bytes received with the headers of IP and UDP.
    public var wireBytesReceived: UInt64 { bytesReceived &+ packetsReceived &* headerBytes }

    init(
        path: PathID, name: String, state: PathState, statistics: PathStatistics,
        remote: SocketAddress
    ) {
        self.path = path
        self.name = name
        self.state = state
        packetsSent = statistics.packetsSent
        packetsReceived = statistics.packetsReceived
        packetsLost = statistics.packetsLost
        bytesSent = statistics.bytesSent
        bytesReceived = statistics.bytesReceived
        headerBytes = UInt64(remote.family.headerBytes)
        outcomes = statistics.outcomes
        lateOutcomes = statistics.lateOutcomes
    }

    /// Nil if there is no such path.
    init?(of path: PathID, _ connection: borrowing Connection, now: Instant) {
        guard let statistics = connection.statistics(of: path),
            let endpoint = connection.endpoint(of: path), let state = connection.state(of: path)
        else { return nil }
        self.init(
            path: path, name: connection.name(of: path), state: state, statistics: statistics,
            remote: endpoint.remote)
        if let snapshot = connection.snapshot(of: path, now: now), snapshot.minRTT != .infinite {
            smoothedRTT = snapshot.smoothedRTT
        }
    }
}

extension Session {
    /// The counters of all paths now; cheaper than `status`.
    ///
    /// - Parameter includingRemoved: also those of paths that do not exist any more.
    public func counters(includingRemoved: Bool = false) -> [PathCounters] {
        link.read { connection, now in
            let paths =
                includingRemoved
                ? (0..<UInt8(PathID.limit)).map { PathID(rawValue: $0) } : connection.pathIDs
            return paths.compactMap { PathCounters(of: $0, connection, now: now) }
        }
    }

    /// The paths that are wanted and do not exist now; a server knows of none.
    public func absentPaths() -> [AbsentPathReport] {
        link.absentPaths.map { absent in
            let counters = absent.path.flatMap { path in
                link.read { connection, now in PathCounters(of: path, connection, now: now) }
            }
            return AbsentPathReport(
                name: absent.name, reason: "\(absent.cause)", isCapped: absent.cause == .stopped,
                // Its number may have another path now.
                counters: counters?.name == absent.name ? counters : nil)
        }
    }
}
