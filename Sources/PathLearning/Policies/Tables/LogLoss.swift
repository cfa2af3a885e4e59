import DenseMath
import PathTelemetry

/// The loss of a burst from 0 to 1, for policies whose theory needs bounded losses.
enum LogLoss {
    /// ln 100: a burst delivered in a hundredth of its deadline or less costs nothing.
    private static let range = 4.605170185988092

    /// One for a late burst, else up to 0.9 by the logarithm of the delivery time.
    static func of(_ outcome: borrowing Outcome) -> Double {
        guard !outcome.isLate, let delivery = outcome.delivery, outcome.deadline > 0,
            delivery <= outcome.deadline
        else { return 1 }
        let share = max(delivery, 1e-6) / max(outcome.deadline, 1e-6)
        let loss = 0.9 * (1 + naturalLogarithm(share) / range)
        return loss > 0 ? min(loss, 0.9) : 0
    }
}
