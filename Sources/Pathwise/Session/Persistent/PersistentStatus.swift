internal import PathTelemetry
internal import PathTransport

/// What a `PersistentSession` does at one moment.
public struct PersistentStatus: Sendable {
    /// The phases: `connecting` and `waiting` alternate until it is `connected`.
    public enum Phase: Hashable, Sendable {
        case connecting
        /// The next attempt comes after this time, counted from the change of the phase.
        case waiting(Duration)
        case connected
        case closed
    }

    public var phase = Phase.connecting
    /// Since when there is a session, or none.
    public var since = ContinuousClock.now
    /// Attempts since the latest session.
    public var attempts = 0
    /// Sessions so far.
    public var sessions = 0
    /// Why the latest attempt failed or the latest session ended.
    public var lastError: SessionError?
    /// Whether the server refused this client, so that attempts are rare.
    public var isRefused: Bool { refusals > 0 }
    /// The latest attempts in a row that the server refused.
    public var refusals = 0
}

/// The time from the end of a session, or from a failed attempt, to the next attempt.
struct ReconnectDelay {
    static let shortest = TimeDelta.seconds(1)
    static let longest = TimeDelta.seconds(30)

    private var next = ReconnectDelay.shortest

    /// The next delay.
    ///
    /// - Parameters:
    ///   - lived: how long the session lasted; zero if there was none.
    ///   - draw: uniform in 0..<1; many clients of one server must not return at once.
    mutating func next(afterLiving lived: TimeDelta, draw: Double) -> TimeDelta {
        if lived >= ReconnectDelay.longest { next = ReconnectDelay.shortest }
        let whole = next
        next = min(next * Int64(2), ReconnectDelay.longest)
        return whole - TimeDelta(seconds: whole.seconds / 4 * draw)
    }
}

extension SessionError {
    /// Whether the same attempt fails until somebody changes the server's configuration or this
    /// one's.
    var isRefusal: Bool {
        switch self {
        case .ended(.refused(.busy)): false
        case .ended(let reason) where reason.isWithdrawal: true
        case .ended(.refused), .ended(.handshakeFailed), .learning, .crypto: true
        default: false
        }
    }
}
