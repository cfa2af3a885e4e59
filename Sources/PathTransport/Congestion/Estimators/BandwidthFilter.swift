import PathTelemetry

/// The maximum over a sliding window, kept as three candidates.
///
/// It is the counterpart of `WindowedMinimum`. Its owner advances the clock, so that time in which
/// nothing could be measured does not age the estimate.
struct WindowedMaximum: Sendable {
    private struct Entry {
        var value = 0.0
        var time = TimeDelta.zero
    }
    private var first = Entry()
    private var second = Entry()
    private var third = Entry()

    /// The maximum of the window at the last update; zero before the first.
    var value: Double { first.value }

    /// Forgets everything but this value.
    mutating func reset(to value: Double, at time: TimeDelta) {
        first = Entry(value: value, time: time)
        second = first
        third = first
    }

    mutating func update(_ value: Double, at time: TimeDelta, window: TimeDelta) {
        let entry = Entry(value: value, time: time)
        guard value < first.value, time - third.time <= window else {
            reset(to: value, at: time)
            return
        }
        if value >= second.value {
            second = entry
            third = entry
        } else if value >= third.value {
            third = entry
        }
        let age = time - first.time
        if age > window {
            first = second
            second = third
            third = entry
            if time - first.time > window {
                first = second
                second = third
            }
        } else if second.time == first.time && age > window / 4 {
            second = entry
            third = entry
        } else if third.time == second.time && age > window / 2 {
            third = entry
        }
    }
}

/// How many bytes more than the rate explains are acknowledged at once (draft-ietf-ccwg-bbr,
/// 5.5.9).
///
/// Receivers that handle packets in batches, radio links with frames and half-duplex media
/// acknowledge in bursts; the window must cover one such burst, or the sender idles before the
/// next. The maximum of the last five to ten rounds counts.
struct AckAggregation: Sendable {
    /// Rounds in each of the two halves of the window (bbr_extra_acked_win_rtts in Linux).
    static let roundsInHalf = 5

    private var epochStart: Instant?
    private var epochBytes = 0.0
    private var halves = (0.0, 0.0)
    private var rounds = 0

    /// The largest excess of the last five to ten rounds, bytes.
    var excess: Double { max(halves.0, halves.1) }

    /// Takes one ACK.
    ///
    /// - Parameter bandwidth: the estimate, bytes per second.
    mutating func handleAck(now: Instant, bytes: Int, bandwidth: Double, isRoundStart: Bool) {
        if isRoundStart {
            rounds &+= 1
            if rounds >= AckAggregation.roundsInHalf {
                rounds = 0
                halves = (halves.1, 0)
            }
        }
        let start = epochStart ?? now
        let expected = bandwidth * max((now - start).seconds, 0)
        if epochStart == nil || epochBytes <= expected {
            // Delivery is not faster than the rate, so a new epoch starts with this ACK.
            epochStart = now
            epochBytes = Double(bytes)
        } else {
            epochBytes += Double(bytes)
        }
        let elapsed = (now - (epochStart ?? now)).seconds
        halves.1 = max(halves.1, epochBytes - bandwidth * elapsed)
    }
}
