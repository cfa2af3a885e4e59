import Glibc
import PathLearning
import PathTelemetry
import PathTrace

/// The reward of a decision, whose mean is estimated; more is better.
public enum RewardTarget: String, Hashable, Sendable, CaseIterable {
    /// Minus `Cost.total`: log delivery time, lateness, price.
    case cost
    /// Minus one for a late burst, zero otherwise: its mean is minus the share of late bursts.
    case late
}

/// Turns outcomes into rewards, and a regression on features into expected rewards.
struct RewardFunction {
    let target: RewardTarget
    let cost: Cost

    /// The reward of an action.
    func reward(
        _ action: PathSet, _ candidates: Span<Candidate>, bytes: Int,
        _ outcome: borrowing Outcome
    ) -> Double {
        switch target {
        case .late: return outcome.isLate ? -1 : 0
        case .cost:
            let price = cost.price(
                of: outcome, action: action, planned: bytes, candidates: candidates)
            return -cost.total(outcome: outcome, price: price)
        }
    }

    /// The price of 10^9 bytes on all paths of an action.
    @inline(__always)
    static func pricePerGB(_ action: PathSet, _ candidates: Span<Candidate>) -> Double {
        var price = 0.0
        for index in candidates.indices where action.contains(candidates[index].path) {
            price += candidates[index].traits.pricePerGB
        }
        return price
    }

    /// The regressand, predicted from the features of the path that carried the burst.
    func regressand(predictedDelivery: Double, _ outcome: borrowing Outcome) -> Double {
        switch target {
        case .late: outcome.isLate ? 1 : 0
        case .cost:
            cost.residual(predictedDelivery: predictedDelivery, outcome: outcome)
        }
    }

    /// Converts a regression's prediction for a candidate to its probability of lateness, or to its
    /// log delivery time plus lateness.
    @inline(__always)
    func expectation(_ prediction: Double, predictedDelivery: Double) -> Double {
        switch target {
        case .late: min(1, max(0, prediction))
        case .cost: log(min(max(predictedDelivery, 1e-4), 1e6)) + prediction
        }
    }

    /// The expected reward of an action, given the expectation for each candidate.
    ///
    /// For several copies the best one counts. Waiting, which carries nothing, counts as late.
    @inline(__always)
    func expected(
        _ action: PathSet, _ candidates: Span<Candidate>, _ expectations: Span<Double>,
        burst: BurstContext
    ) -> Double {
        var best = Double.infinity
        var price = 0.0
        for index in candidates.indices where action.contains(candidates[index].path) {
            best = min(best, expectations[index])
            price += candidates[index].traits.pricePerGB
        }
        guard best < .infinity else {
            let deadline = min(max(burst.deadline.seconds, 1e-4), 1e6)
            return target == .late ? -1 : -(log(deadline) + cost.lateness)
        }
        guard target == .cost else { return -best }
        return -(best + cost.price(bytes: burst.bytes, pricePerGB: price))
    }
}
