import Glibc
import PathLearning
import PathTelemetry
import PathTrace

/// What a decision earns: the number whose mean is estimated; more is better.
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

    /// What the logged action of this decision earned.
    func reward(_ decision: borrowing LoggedDecision, _ outcome: borrowing Outcome) -> Double {
        switch target {
        case .late: return outcome.isLate ? -1 : 0
        case .cost:
            return -cost.total(
                outcome: outcome, bytes: decision.record.burst.bytes,
                pricePerGB: RewardFunction.price(
                    of: decision.record.decision.action, decision.record.candidates))
        }
    }

    /// What the regression is to predict from the features of the path that carried the burst.
    func regressand(predictedDelivery: Double, _ outcome: borrowing Outcome) -> Double {
        switch target {
        case .late: outcome.isLate ? 1 : 0
        case .cost:
            cost.residual(predictedDelivery: predictedDelivery, outcome: outcome)
        }
    }

    /// The reward expected of an action, given the regression's prediction for each candidate.
    ///
    /// Of several copies the best one counts. Waiting, which carries nothing, counts as late.
    func expected(
        _ action: PathSet, _ candidates: borrowing CandidateSet,
        predictions: borrowing InlineArray<16, Double>, burst: BurstContext
    ) -> Double {
        var best = Double.infinity
        for index in 0..<candidates.count where action.contains(candidates[index].path) {
            let prediction = predictions[index]
            switch target {
            case .late: best = min(best, min(1, max(0, prediction)))
            case .cost:
                let h = min(max(candidates[index].predictedDelivery, 1e-4), 1e6)
                best = min(best, log(h) + prediction)
            }
        }
        guard best < .infinity else {
            let deadline = min(max(burst.deadline.seconds, 1e-4), 1e6)
            return target == .late ? -1 : -(log(deadline) + cost.lateness)
        }
        guard target == .cost else { return -best }
        let price = RewardFunction.price(of: action, candidates)
        return -(best + cost.price(bytes: burst.bytes, pricePerGB: price))
    }

    /// The prices of an action's paths, added up.
    private static func price(of action: PathSet, _ candidates: borrowing CandidateSet) -> Double {
        var sum = 0.0
        for index in 0..<candidates.count where action.contains(candidates[index].path) {
            sum += candidates[index].traits.pricePerGB
        }
        return sum
    }
}
