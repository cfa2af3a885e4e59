public import PathTelemetry

/// Estimates the round-trip time of one path after RFC 9002, section 5, with a windowed minimum.
///
/// The minimum is windowed because paths change their base delay (mobile handover, re-routing);
/// RFC 9002, 5.2 allows for that.
public struct RTTEstimator: Sendable {
    /// Round-trip time assumed before the first sample (RFC 9002, 6.2.2).
    static let initialRTT = TimeDelta.milliseconds(333)
    /// Timer granularity, the smallest variation term in a time-out (RFC 9002, 6.1.2).
    static let granularity = TimeDelta.milliseconds(1)
    /// How long a minimum stays valid.
    static let minimumWindow = TimeDelta.seconds(10)

    /// The latest sample, or the initial value.
    public private(set) var latest = RTTEstimator.initialRTT
    /// Exponentially weighted mean: a new sample weighs 1/8, and more after a pause.
    public private(set) var smoothed = RTTEstimator.initialRTT
    /// Exponentially weighted mean deviation: a new sample weighs 1/4.
    public private(set) var variation = RTTEstimator.initialRTT / 2
    /// Number of samples so far.
    private(set) var sampleCount = 0
    private var minimumFilter = WindowedMinimum()
    private var updatedAt = Instant.zero
    /// A sample after a pause of this length, or longer, weighs one half.
    private static let memory = TimeDelta.milliseconds(250)
    /// Shorter pauses occur in normal traffic, where the weights of RFC 9002 apply.
    private static let leastPause = TimeDelta.milliseconds(100)

    public init() {}

    /// Whether the values come from a measurement.
    public var hasSample: Bool { sampleCount > 0 }

    /// The smallest sample of the last 10 s, or the initial value.
    public var minimum: TimeDelta { minimumFilter.value ?? RTTEstimator.initialRTT }

    /// Takes one sample (RFC 9002, 5.3).
    ///
    /// - Parameters:
    ///   - sample: from sending the largest newly acknowledged packet to its ACK; values that are
    ///     not positive are ignored.
    ///   - ackDelay: how long the receiver says that it held the ACK back.
    ///   - maxAckDelay: the maximum that the peer announced; a longer delay counts as this much.
    ///   - now: when the ACK arrived.
    public mutating func update(
        sample: TimeDelta, ackDelay: TimeDelta = .zero, maxAckDelay: TimeDelta = .infinite,
        now: Instant
    ) {
        guard sample > .zero else { return }
        latest = sample
        minimumFilter.update(sample, now: now, window: RTTEstimator.minimumWindow)
        // The delay is subtracted only if the result is not below the minimum.
        let delay = min(max(ackDelay, .zero), maxAckDelay)
        updateMean(sample: sample >= minimum + delay ? sample - delay : sample, now: now)
    }

    /// Takes a sample into mean and deviation alone: that of a packet which others overtook, and
    /// which was acknowledged at once.
    ///
    /// - Parameters:
    ///   - adjusted: the round trip without the receiver's delay; values that are not positive are
    ///     ignored.
    ///   - now: when the ACK arrived.
    mutating func updateMean(sample adjusted: TimeDelta, now: Instant) {
        guard adjusted > .zero else { return }
        if sampleCount == 0 {
            smoothed = adjusted
            variation = adjusted / 2
        } else {
            let deviation = (smoothed - adjusted).magnitude
            variation = variation + (deviation - variation) / 4
            smoothed = smoothed + RTTEstimator.part(of: adjusted - smoothed, after: now - updatedAt)
        }
        updatedAt = now
        sampleCount &+= 1
    }

    /// How far a sample moves the mean: an eighth of the distance, or `pause / (pause + memory)`
    /// after a pause, at most one half.
    ///
    /// With one eighth always, the estimate of a path that is probed a few times a second would lag
    /// by seconds.
    private static func part(of distance: TimeDelta, after pause: TimeDelta) -> TimeDelta {
        guard pause >= leastPause else { return distance / 8 }
        let known = min(pause, memory).seconds
        return TimeDelta(seconds: distance.seconds * (known / (known + memory.seconds)))
    }

    /// The probe time-out before back-off (RFC 9002, 6.2.1).
    public func probeTimeout(maxAckDelay: TimeDelta) -> TimeDelta {
        smoothed + max(variation * Int64(4), RTTEstimator.granularity) + maxAckDelay
    }

    /// The time threshold of loss detection: 9/8 of the round trip (RFC 9002, 6.1.2).
    var lossDelay: TimeDelta {
        let base = max(latest, smoothed)
        return max(base + base / 8, RTTEstimator.granularity)
    }
}

/// The minimum over a sliding time window, kept as three candidates.
///
/// This is K. Nichols' filter of Linux (lib/win_minmax.c): it takes constant space and is exact for
/// the newest third of the window and close to it for the rest.
struct WindowedMinimum: Sendable {
    private struct Entry {
        var value: TimeDelta
        var time: Instant
    }
    private var first: Entry?
    private var second = Entry(value: .zero, time: .zero)
    private var third = Entry(value: .zero, time: .zero)

    /// The minimum of the window at the last update; nil before the first.
    var value: TimeDelta? { first?.value }
    /// When the current minimum was seen.
    var time: Instant { first?.time ?? .zero }

    mutating func reset() { first = nil }

    mutating func update(_ value: TimeDelta, now: Instant, window: TimeDelta) {
        let entry = Entry(value: value, time: now)
        guard var best = first, value > best.value, now - third.time <= window else {
            first = entry
            second = entry
            third = entry
            return
        }
        if value <= second.value {
            second = entry
            third = entry
        } else if value <= third.value {
            third = entry
        }
        let age = now - best.time
        if age > window {
            // The best value left the window, so the others move up, at most twice.
            best = second
            second = third
            third = entry
            if now - best.time > window {
                best = second
                second = third
            }
        } else if second.time == best.time && age > window / 4 {
            second = entry
            third = entry
        } else if third.time == second.time && age > window / 2 {
            third = entry
        }
        first = best
    }
}
