import PathTelemetry

/// Turns a sequence of pings into path samples.
///
/// Smoothed RTT and variation are those of RFC 9002, section 5.3; the minimum RTT is that of the
/// series so far.
struct PingSeries {
    private var smoothed: Double?
    private var variation = 0.0
    private var least = Double.infinity
    private var unanswered = 0

    /// Takes an answered ping.
    ///
    /// - Parameters:
    ///   - time: time of the sample.
    ///   - rtt: milliseconds.
    ///   - reply: when the answer arrived.
    mutating func answered(at time: Instant, rtt: Double, reply: Instant) -> PathSample {
        unanswered = 0
        least = min(least, rtt)
        if let mean = smoothed {
            variation = 0.75 * variation + 0.25 * (mean - rtt).magnitude
            smoothed = 0.875 * mean + 0.125 * rtt
        } else {
            smoothed = rtt
            variation = rtt / 2
        }
        var sample = sample(at: time)
        sample.snapshot.latestRTT = PingSeries.time(rtt)
        sample.snapshot.lastReply = reply
        return sample
    }

    /// Takes consecutive unanswered pings as one sample.
    mutating func missed(_ count: Int, at time: Instant) -> PathSample {
        unanswered = min(unanswered &+ count, 1 << 40)
        return sample(at: time)
    }

    private func sample(at time: Instant) -> PathSample {
        var sample = PathSample.measured(at: time)
        sample.snapshot.smoothedRTT = PingSeries.time(smoothed ?? 0)
        sample.snapshot.rttVariation = PingSeries.time(variation)
        if least < .infinity { sample.snapshot.minRTT = PingSeries.time(least) }
        sample.snapshot.probeTimeouts = unanswered
        return sample
    }

    /// Converts milliseconds to a time, to the nearest nanosecond.
    static func time(_ milliseconds: Double) -> TimeDelta {
        TimeDelta(nanoseconds: Int64((min(milliseconds, limit) * 1e6).rounded()))
    }

    /// The longest plausible round trip of a ping, milliseconds.
    static let limit = 1e9

    /// Whether a field means that there was no answer.
    static func isMissing(_ field: String) -> Bool {
        let word = field.lowercased()
        if word.contains("time"), word.contains("out") { return true }
        return [
            "", "-", "*", "lost", "loss", "none", "null", "nan", "na", "n/a", "unreachable",
            "no answer", "no reply",
        ].contains(word)
    }
}
