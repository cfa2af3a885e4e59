import Glibc
internal import PathTelemetry

/// Parameters of exp3 and exp4.
public struct ExponentialSettings: PolicySettings {
    /// Factor of the theoretical learning rate.
    public var rate = 4.0
    /// Probability shared by all answering paths.
    public var epsilon = 0.02
    /// Half-life of losses, seconds.
    public var halfLife = 20.0

    public init() {}

    public var fields: [PolicyField<ExponentialSettings>] {
        [
            PolicyField("rate", \.rate, 1e-3...1e3, "a number from 0.001 to 1000"),
            PolicyField("epsilon", \.epsilon, 1e-4...1, "a number from 0.0001 to 1"),
            PolicyField(
                "half-life", \.halfLife, 1e-3...Double.infinity, "seconds above 0, or inf"),
        ]
    }

    /// The learning rate for `arms` after `count` losses: `rate sqrt(2 ln K / (K n))`, at most one.
    func learningRate(arms: Int, count: Double) -> Double {
        let number = Double(max(2, arms))
        return min(1, rate * (2 * log(number) / (number * max(1, count))).squareRoot())
    }
}

/// Exponential weights on paths for adversarial losses, without context.
///
/// `p = (1 - epsilon) exp(-eta L) / sum + epsilon / K` with L the sum of the losses of `LogLoss`,
/// each divided by the propensity of its path, discounted by one clock. A path that appears later
/// starts with the least L. Source: Auer, Cesa-Bianchi, Freund and Schapire, "The Nonstochastic
/// Multiarmed Bandit Problem", 2002, section 3; the learning rate after Bubeck and Cesa-Bianchi,
/// "Regret Analysis of Stochastic and Nonstochastic Multi-armed Bandit Problems", 2012, theorem
/// 3.1.
struct Exp3Policy: Policy {
    let settings: ExponentialSettings
    private var losses: PathOutcomes
    private var known: UInt32 = 0

    init(settings: ExponentialSettings = ExponentialSettings()) {
        self.settings = settings
        losses = PathOutcomes(halfLife: settings.halfLife)
    }

    mutating func distribution(
        for candidates: Span<Candidate>, burst: BurstContext, now: Instant,
        into distribution: inout ActionDistribution
    ) {
        losses.advance(to: now)
        meet(candidates)
        let answering = SafeSet.answering(candidates)
        var least = Double.infinity
        var count = 0.0
        for index in 0..<candidates.count where answering & (1 &<< UInt32(index)) != 0 {
            let sums = losses.sums(of: candidates[index].path)
            least = min(least, sums.total)
            count += sums.count
        }
        let number = answering.nonzeroBitCount
        let rate = settings.learningRate(arms: number, count: count)
        var weights = InlineArray<16, Double>(repeating: 0)
        var total = 0.0
        for index in 0..<candidates.count where answering & (1 &<< UInt32(index)) != 0 {
            let sums = losses.sums(of: candidates[index].path)
            weights[index] = exp(-rate * (sums.total - least))
            total += weights[index]
        }
        let floor = settings.epsilon / Double(number)
        for index in 0..<candidates.count {
            let isIn = answering & (1 &<< UInt32(index)) != 0
            distribution.append(
                PathSet(candidates[index].path),
                isIn ? floor + (1 - settings.epsilon) * weights[index] / total : 0)
        }
    }

    /// Gives new paths the sum of the best one.
    private mutating func meet(_ candidates: Span<Candidate>) {
        var fresh: UInt32 = 0
        for index in 0..<candidates.count { fresh |= 1 &<< UInt32(candidates[index].path.index) }
        fresh &= ~known
        guard fresh != 0 else { return }
        var least = Double.infinity
        for path in 0..<PathID.limit where known & (1 &<< UInt32(path)) != 0 {
            least = min(least, losses.sums(of: PathID(path)).total)
        }
        if least < .infinity {
            for path in 0..<PathID.limit where fresh & (1 &<< UInt32(path)) != 0 {
                losses.start(path: PathID(path), total: least)
            }
        }
        known |= fresh
    }

    mutating func learn(_ feedback: borrowing Feedback) {
        guard feedback.action.count == 1, feedback.propensity > 1e-6 else { return }
        losses.add(
            path: feedback.path, at: feedback.now,
            value: LogLoss.of(feedback.outcome) / feedback.propensity,
            isLate: feedback.outcome.isLate)
    }

    /// The sum of the losses, each divided by its propensity.
    func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        losses.sums(of: candidate.path).total
    }
}

extension Exp3Policy {
    static let descriptor = PolicyDescriptor(
        "exp3", "exponential weights on paths, for adversarial networks",
        source: "Auer 2002",
        settings: ExponentialSettings()
    ) { settings, _ throws(LearningError) in
        Exp3Policy(settings: settings)
    }
}
