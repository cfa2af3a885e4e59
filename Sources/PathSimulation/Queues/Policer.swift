import PathTelemetry

/// A token bucket before a link: what exceeds rate and burst is dropped, nothing waits.
struct Policer: Sendable {
    /// Its rate, and what may come at once.
    struct Settings: Sendable, Hashable {
        var megabits: Double
        var burstBytes: Int
    }

    private var bytesPerNanosecond: Double
    private var burst: Double
    private var tokens: Double
    private var filledAt: Int64 = 0

    init(_ settings: Settings) {
        bytesPerNanosecond = settings.megabits / 8000
        burst = Double(settings.burstBytes)
        tokens = burst
    }

    /// Takes another rate and burst; what was saved up stays, as far as the burst allows.
    mutating func change(to settings: Settings, at now: Int64) {
        fill(at: now)
        bytesPerNanosecond = settings.megabits / 8000
        burst = Double(settings.burstBytes)
        tokens = min(burst, tokens)
    }

    private mutating func fill(at now: Int64) {
        guard now > filledAt else { return }
        tokens = min(burst, tokens + Double(now - filledAt) * bytesPerNanosecond)
        filledAt = now
    }

    /// Whether a packet passes; times must not decrease.
    mutating func admits(bytes: Int, at now: Int64) -> Bool {
        fill(at: now)
        guard tokens >= Double(bytes) else { return false }
        tokens -= Double(bytes)
        return true
    }
}
