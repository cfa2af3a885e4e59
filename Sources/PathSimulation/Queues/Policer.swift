import PathTelemetry

/// A token bucket before a link: what exceeds rate and burst is dropped, nothing waits.
struct Policer: Sendable {
    /// Its rate, and what may come at once.
    struct Settings: Sendable, Hashable {
        var megabits: Double
        var burstBytes: Int
    }

    private let bytesPerNanosecond: Double
    private let burst: Double
    private var tokens: Double
    private var filledAt: Int64 = 0

    init(_ settings: Settings) {
        bytesPerNanosecond = settings.megabits / 8000
        burst = Double(settings.burstBytes)
        tokens = burst
    }

    /// Whether a packet passes; times must not decrease.
    mutating func admits(bytes: Int, at now: Int64) -> Bool {
        if now > filledAt {
            tokens = min(burst, tokens + Double(now - filledAt) * bytesPerNanosecond)
            filledAt = now
        }
        guard tokens >= Double(bytes) else { return false }
        tokens -= Double(bytes)
        return true
    }
}
