public import PathTelemetry

extension TimeDelta {
    /// Converts from the standard library's type, in whole nanoseconds, saturating at the limits.
    public init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        self = .seconds(seconds) + TimeDelta(nanoseconds: attoseconds / 1_000_000_000)
    }

    /// The time as the standard library's type.
    public var duration: Duration { .nanoseconds(nanoseconds) }
}
