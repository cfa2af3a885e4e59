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
}

extension Session {
    /// The counters of all paths now; cheaper than `status`.
    public func counters() -> [PathCounters] {
        link.read { connection, now in
            connection.pathIDs.compactMap { path in
                guard let statistics = connection.statistics(of: path),
                    let endpoint = connection.endpoint(of: path),
                    let snapshot = connection.snapshot(of: path, now: now)
                else { return nil }
                return PathCounters(
                    path: path, name: connection.name(of: path), state: snapshot.state,
                    statistics: statistics, remote: endpoint.remote)
            }
        }
    }
}
