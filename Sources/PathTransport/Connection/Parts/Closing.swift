import PathTelemetry

/// Tells the peer about the end of a connection.
struct Closing {
    /// What the peer is told.
    var notice = CloseNotice.done
    /// Bit mask of the paths on which a close frame is due.
    var framesDue = 0
    /// When a closing side next repeats its close frames.
    private(set) var nextAt = Instant.distantFuture
    /// How often it still repeats them.
    private var repeats = 6
    /// How often a peer that keeps sending is still answered.
    private var answers = 16

    /// Answers a peer that keeps sending on a path.
    mutating func answer(on index: Int) {
        guard answers > 0 else { return }
        answers -= 1
        framesDue |= 1 << index
    }

    /// The next path on which a close frame is due.
    mutating func nextPath() -> Int? {
        guard framesDue != 0 else { return nil }
        let index = framesDue.trailingZeroBitCount
        framesDue &= framesDue - 1
        return index
    }

    /// Notes that close frames were sent on all paths.
    ///
    /// - Parameter fastest: round trip of the fastest path.
    mutating func handleRepeated(fastest: TimeDelta, now: Instant) {
        repeats -= 1
        let interval = max(fastest + fastest / 2, .milliseconds(50))
        nextAt = repeats > 0 ? now + interval : .distantFuture
    }
}
