import Glibc
internal import PathTelemetry

/// The bytes that messages may spend on copies.
///
/// Each message deposits its share (`MessageOptions.redundancy`), and a copy costs its bytes, so
/// copies are never more than that share of the traffic. Credit fades with a constant of ten
/// seconds: a quiet time saves no more than what ten seconds of traffic deposit, enough to copy
/// everything for a second at 10 percent.
struct CopyBudget: Sendable {
    private static let memory = 10.0

    /// Bytes, as of `time`.
    private var credit = 0.0
    private var time = Instant.zero

    init() {}

    /// Takes the share of a message that is sent.
    mutating func deposit(bytes: Int, share: Double, now: Instant) {
        guard share > 0, bytes > 0 else { return }
        if now > time { credit *= exp(-(now - time).seconds / CopyBudget.memory) }
        credit += Double(bytes) * min(share, 1)
        time = max(now, time)
    }

    /// Pays for a copy; returns false and takes nothing if the credit is too small.
    mutating func spend(bytes: Int) -> Bool {
        guard bytes > 0, credit >= Double(bytes) else { return false }
        credit -= Double(bytes)
        return true
    }
}
