import PathTelemetry

/// The message that is being sent: all its fragments go the way that was decided for it.
struct MessageBurst {
    var number: UInt64
    var path: PathID
    var others: PathSet
    var decision: UInt64
    /// Its last fragment has left.
    var isWhole = false
}
