import Glibc
internal import PathTelemetry

/// Exponential weights on experts: fixed policies give advice, and experts whose advice costs less
/// are followed more often.
///
/// Experts: min-rtt, earliest, steady, round-robin, the least loss, the highest rate. The
/// probability of a path is the weight of the experts that name it, plus a share of epsilon. When
/// the path that an expert named was taken, its loss is that of `LogLoss` divided by that
/// probability. The memo of a decision stores what each expert named. Source: Auer, Cesa-Bianchi,
/// Freund and Schapire, "The Nonstochastic Multiarmed Bandit Problem", 2002, section 7.
struct Exp4Policy: Policy {
    /// min-rtt, earliest, steady, round-robin, least loss, highest rate.
    private static let count = 6

    let settings: ExponentialSettings
    /// Four bits per expert: the number of the path that it named.
    private(set) var memo: UInt64 = 0
    /// Losses, indexed by expert instead of path.
    private var losses: PathOutcomes
    private var steady = SteadyPolicy()
    private var turns = RoundRobinPolicy()

    init(settings: ExponentialSettings = ExponentialSettings()) {
        self.settings = settings
        losses = PathOutcomes(halfLife: settings.halfLife)
    }

    mutating func distribution(
        for candidates: Span<Candidate>, burst: BurstContext, now: Instant,
        into distribution: inout ActionDistribution
    ) {
        losses.advance(to: now)
        var advice = InlineArray<6, Int>(repeating: 0)
        advice[0] = candidates.leastWithRoom { $0.smoothedRTT }
        advice[1] = candidates.least { $0.predictedDelivery }
        var scratch = ActionDistribution()
        steady.distribution(for: candidates, burst: burst, now: now, into: &scratch)
        advice[2] = Exp4Policy.choice(scratch, candidates.count)
        scratch.removeAll()
        turns.distribution(for: candidates, burst: burst, now: now, into: &scratch)
        advice[3] = Exp4Policy.choice(scratch, candidates.count)
        advice[4] = candidates.leastWithRoom { $0.lossRate }
        advice[5] = candidates.leastWithRoom { -$0.rate }

        var shares = InlineArray<16, Double>(repeating: 0)
        memo = 0
        let weights = weights()
        for expert in 0..<Exp4Policy.count {
            shares[advice[expert]] += weights[expert]
            memo |= UInt64(candidates[advice[expert]].path.rawValue & 15) &<< UInt64(4 * expert)
        }
        let answering = SafeSet.answering(candidates)
        let floor = settings.epsilon / Double(max(1, answering.nonzeroBitCount))
        for index in 0..<candidates.count {
            let share = answering & (1 &<< UInt32(index)) != 0 ? floor : 0
            distribution.append(
                PathSet(candidates[index].path), share + (1 - settings.epsilon) * shares[index])
        }
    }

    /// The experts' weights, which sum to one.
    func weights() -> InlineArray<6, Double> {
        var weights = InlineArray<6, Double>(repeating: 0)
        var least = Double.infinity
        var count = 0.0
        for expert in 0..<Exp4Policy.count {
            let sums = losses.sums(of: PathID(expert))
            least = min(least, sums.total)
            count = max(count, sums.count)
        }
        let rate = settings.learningRate(arms: Exp4Policy.count, count: count)
        var total = 0.0
        for expert in 0..<Exp4Policy.count {
            weights[expert] = exp(-rate * (losses.sums(of: PathID(expert)).total - least))
            total += weights[expert]
        }
        for expert in 0..<Exp4Policy.count { weights[expert] /= total }
        return weights
    }

    private static func choice(_ distribution: borrowing ActionDistribution, _ count: Int) -> Int {
        for index in 0..<count where distribution[index] > 0.5 { return index }
        return 0
    }

    mutating func learn(_ feedback: borrowing Feedback) {
        guard feedback.action.count == 1, feedback.propensity > 1e-6 else { return }
        let loss = LogLoss.of(feedback.outcome) / feedback.propensity
        let named = feedback.memo
        let taken = UInt64(feedback.path.rawValue & 15)
        let late = feedback.outcome.isLate
        let time = feedback.now
        for expert in 0..<Exp4Policy.count where (named &>> UInt64(4 * expert)) & 15 == taken {
            losses.add(path: PathID(expert), at: time, value: loss, isLate: late)
        }
    }

    /// The inputs of the experts (round trip, prediction, loss and others), each times the expert's
    /// weight.
    func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        let weights = weights()
        let rtt = weights[0] * candidate.smoothedRTT + weights[2] * SteadyPolicy.estimate(candidate)
        return rtt + weights[1] * candidate.predictedDelivery + weights[4] * candidate.lossRate
            + weights[5] / max(1, candidate.rate)
    }
}

extension Exp4Policy {
    static let descriptor = PolicyDescriptor(
        "exp4", "exponential weights on fixed policies as experts",
        source: "Auer 2002",
        settings: ExponentialSettings()
    ) { settings, _ throws(LearningError) in
        Exp4Policy(settings: settings)
    }
}
