public import PathTelemetry
internal import PathTransport

/// Whether a session can carry data now, without the cost of a whole status.
public struct SessionHealth: Hashable, Sendable {
    /// Whether a path is active or standby.
    public var hasPath: Bool
    /// Time since the session began.
    public var elapsed: Duration
    /// Time since the latest packet of the peer.
    public var silence: Duration
    /// The session ends when nothing has arrived for this long.
    public var idleTimeout: Duration

    /// Whether data passes: over a path, or, if the peer was heard within the last second, over one
    /// that probably works again at once.
    public var works: Bool { hasPath || silence < .seconds(1) }

    /// How long the session is still kept if nothing arrives.
    public var rest: Duration { max(.zero, idleTimeout - silence) }
}

extension PathState {
    /// Whether a path in this state can carry data.
    var carriesData: Bool { self == .active || self == .standby }
}

extension SessionStatus {
    /// Whether the session could carry data at that moment.
    public var health: SessionHealth {
        SessionHealth(
            hasPath: paths.contains { $0.snapshot.state.carriesData }, elapsed: elapsed,
            silence: silence, idleTimeout: idleTimeout)
    }
}

extension Session {
    /// Whether it can carry data now; cheaper than `status`.
    public func health() -> SessionHealth {
        link.read { connection, now in
            SessionHealth(
                hasPath: connection.pathIDs.contains {
                    connection.state(of: $0)?.carriesData == true
                },
                elapsed: (now - connection.startedAt).duration,
                silence: (now - connection.lastReceivedAt).duration,
                idleTimeout: connection.idleTimeout.duration)
        }
    }
}
