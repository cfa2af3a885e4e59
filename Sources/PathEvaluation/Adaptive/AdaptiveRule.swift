import Glibc

/// How decisions of a log are weighted whose policy learned while it wrote it.
///
/// A weight h depends on the past only, so that weighted scores stay unbiased, and gives less to
/// decisions whose scores vary more. With v, the sum over actions of `pi(a)^2 / p(a)`, a score's
/// variance is about v times that of the reward.
enum AdaptiveRule: String, Hashable, Sendable {
    /// Equal weights.
    case uniform
    /// h = v^(-1/2), so that all decisions have the same variance, and the weighted mean is normal.
    case stable
    /// h = 1 / v, the least variance.
    case least

    /// The weight for a variance above zero.
    @inline(__always)
    func weight(_ variance: Double) -> Double {
        switch self {
        case .uniform: 1
        case .stable: 1 / variance.squareRoot()
        case .least: 1 / variance
        }
    }
}

/// Weights from allocation rates, for the value of an arm without contexts.
///
/// The squared weights over the propensities share one unit of variance among the decisions:
/// `h_t^2 / e_t = (1 - sum_{s<t} h_s^2 / e_s) l_t` with an allocation rate l that is known before the
/// decision. Source: Hadad, Hirshberg, Zhan, Wager and Athey, "Confidence intervals for policy
/// evaluation in adaptive experiments", 2021, section 3.
enum AllocationRate: Sendable {
    /// Equal shares: h is proportional to the root of the propensity.
    case constant
    /// Between what is right if the arm keeps its propensity, and if it falls to a floor of about
    /// `t^-a`, with the exponent a.
    case twoPoint(Double)

    /// The weights of the decisions, from the propensities of the arm in each of them.
    func weights(_ propensities: [Double]) -> [Double] {
        let total = Double(propensities.count)
        var left = 1.0
        return propensities.enumerated().map { index, propensity in
            let t = Double(index + 1)
            let good = 1 / (total - t + 1)
            var rate = good
            if case .twoPoint(let a) = self {
                let bad = (1 - a) / ((1 - a) + total * pow(t / total, a) - t)
                rate = propensity * good + (1 - propensity) * bad
            }
            rate = min(1, max(0, rate))
            let share = left * rate
            left -= share
            return (max(0, share) * propensity).squareRoot()
        }
    }
}
