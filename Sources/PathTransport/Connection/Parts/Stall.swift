import PathTelemetry

/// A pause of this host: it slept, the process was stopped, or the clock jumped.
enum Stall {
    private static let shortest = TimeDelta.seconds(1)
    /// How long a connection lives at least after a stall, for the peer's answer.
    static let grace = TimeDelta.seconds(5)

    /// Whether being called so much later than `pollTimeout` said means that this host stood still.
    static func isOne(_ delay: TimeDelta) -> Bool { delay > shortest }
}
