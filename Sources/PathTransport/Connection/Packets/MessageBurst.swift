import PathTelemetry

/// The message that is being sent; all its fragments take the path decided for it.
struct MessageBurst {
    var number: UInt64
    var path: PathID
    var others: PathSet
    var decision: UInt64
    /// Whether its last fragment was sent.
    var isWhole = false
}
