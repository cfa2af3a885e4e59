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
    }

    /// Nil if there is no such path.
    init?(of path: PathID, _ connection: borrowing Connection) {
        guard let statistics = connection.statistics(of: path),
            let endpoint = connection.endpoint(of: path), let state = connection.state(of: path)
        else { return nil }
        self.init(
            path: path, name: connection.name(of: path), state: state, statistics: statistics,
            remote: endpoint.remote)
    }
}

extension Session {
    /// The counters of all paths now; cheaper than `status`.
    ///
    /// - Parameter includingRemoved: also those of paths that do not exist any more.
    public func counters(includingRemoved: Bool = false) -> [PathCounters] {
        link.read { connection, _ in
            let paths =
                includingRemoved
                ? (0..<UInt8(PathID.limit)).map { PathID(rawValue: $0) } : connection.pathIDs
            return paths.compactMap { PathCounters(of: $0, connection) }
        }
    }

    /// The paths that are wanted and do not exist now.
    func absentPaths() -> [AbsentPathReport] {
        link.absentPaths.map { absent in
            let counters = absent.path.flatMap { path in
                link.read { connection, _ in PathCounters(of: path, connection) }
            }
            return AbsentPathReport(
                name: absent.name, reason: "\(absent.cause)", isCapped: absent.cause == .stopped,
                // Its number may have another path now.
                counters: counters?.name == absent.name ? counters : nil)
        }
    }
}
