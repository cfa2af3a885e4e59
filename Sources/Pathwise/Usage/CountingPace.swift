/// How long to wait before counters of bytes are read again, so that a process that is killed loses
/// few of them.
///
/// The next reading comes after about half of what is written at once: after 5 ms at high rates, and
/// after 200 ms where nothing is moved.
package struct CountingPace: Sendable {
    private var pause = Duration.milliseconds(100)

    package init() {}

    /// The time until the next reading.
    ///
    /// - Parameter bytes: that were moved since the reading before.
    package mutating func pause(after bytes: UInt64) -> Duration {
        let wanted = Double(UsageCounter.flushBytes) / 2
        let step = bytes > 0 ? wanted / Double(bytes) : 2
        pause = min(max(pause * min(2, step), .milliseconds(5)), .milliseconds(200))
        return pause
    }
}
