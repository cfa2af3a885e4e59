import PathTelemetry

/// The end of a connection that the peer has to hear of.
struct Closing {
    /// Bit mask of the paths on which the end is still to be told.
    var framesDue = 0
    /// When a closing side says so again.
    private(set) var nextAt = Instant.distantFuture
    /// How often it still does.
    private var repeats = 6
    /// How often a peer that goes on sending is told again.
    private var answers = 16

    /// The peer goes on sending on a path.
    mutating func answer(on index: Int) {
        guard answers > 0 else { return }
        answers -= 1
        framesDue |= 1 << index
    }

    /// The next path on which the end is to be told.
    mutating func nextPath() -> Int? {
        guard framesDue != 0 else { return nil }
        let index = framesDue.trailingZeroBitCount
        framesDue &= framesDue - 1
        return index
    }

    /// The end was said on all paths.
    ///
    /// - Parameter fastest: round trip of the fastest path.
    mutating func handleRepeated(fastest: TimeDelta, now: Instant) {
        repeats -= 1
        let interval = max(fastest + fastest / 2, .milliseconds(50))
        nextAt = repeats > 0 ? now + interval : .distantFuture
    }
}
