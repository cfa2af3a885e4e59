import CKernels
import Glibc
internal import PathTelemetry

/// The default policy: it starts as the heuristic or a trained model and learns online under a
/// guard.
///
/// The cost of a candidate with features x, prediction h and price p is
///
///     ln h + theta'(x, 1) + offset + variance / 2 - bonus + lateness P(late) + price + switching
///
/// where theta mixes the heuristic (zero) and two regressions of `ln(delivery / h)` with half-lives
/// of 2 s and 60 s by their recent likelihood (`ResidualMixture`), the offset is the path's mean
/// error beyond them (`PathOffsets`, with its variance, and the bonus for its uncertainty), and
/// P(late) is a logistic regression learned online (`LateHead`). Of a message the logarithm of its
/// expected result stands in place of delivery and lateness: its time, where a late one counts as
/// twice its deadline, and the path's usual excess over that (`PathSurcharges`). The safe set contains the cheapest
/// candidate and those nearly as fast and as likely to be timely, unless they are silent while
/// another answers: each gets a share of `epsilon`, and the rest by `exp(-cost / temperature)`;
/// outside it the probability is exactly zero. About a message the least round trip decides too,
/// where it disagrees, in the share that its results have earned (`LiveComparison`). The steady rule
/// runs in shadow, and decides alone while the guard does not trust the models (`PolicyGuard`). It also learns from forced decisions, since the
/// choice of a path does not affect its outcome given its features. Sources: Raftery, Kárný and
/// Ettler 2010 (mixture by likelihood); Lattimore and Szepesvári, "Bandit Algorithms", 2020,
/// chapter 7 (optimism) and section 11.2 (softmax with a floor).
struct LearnedPolicy: Policy {
    var settings: LearnedSettings { scorer.settings }
    /// The part of the state that decisions use.
    private var scorer: LearnedScorer
    private var offsets = PathOffsets()
    private var residual: ResidualMixture
    private var lateHead: LateHead
    private var surcharges = PathSurcharges()
    private var comparison = LiveComparison()
    /// Of the latest decision, for its outcome; zero where the scores and their rival agreed.
    private var latestMemo: UInt64 = 0
    private var policyGuard = PolicyGuard()
    private var shadow = SteadyPolicy()
    /// Whether the regressions still have the prior of a trained model.
    private var startedFromModel: Bool
    private var lastLearned: Instant?

    /// - Parameters:
    ///   - residual: prior of the regression of log delivery, with the constant last; nil for the
    ///     heuristic.
    ///   - late: prior of the logit of P(late), likewise.
    ///
    /// A prior whose size is not `FeatureSchema.count + 1` is ignored.
    init(
        settings: LearnedSettings = LearnedSettings(), cost: Cost = Cost(),
        residual prior: LinearPrior? = nil, late: LinearPrior? = nil
    ) {
        residual = ResidualMixture(settings: settings, prior: prior)
        lateHead = LateHead(prior: late)
        startedFromModel = prior != nil || late != nil
        scorer = LearnedScorer(settings: settings, cost: cost, stride: residual.stride)
        takeWeights()
    }

    // MARK: Poll

    mutating func distribution(
        for candidates: Span<Candidate>, burst: BurstContext, now: Instant,
        into distribution: inout ActionDistribution
    ) {
        latestMemo = 0
        withUnsafeTemporaryAllocation(
            of: Double.self, capacity: LearnedEvaluation.capacity
        ) { buffer in
            guard let memory = buffer.baseAddress else { return }
            let evaluation = scorer.evaluate(candidates, burst: burst, in: memory)
            let steady = shadow.choice(among: candidates, burst: burst) {
                evaluation.estimates[$0]
            }
            if !policyGuard.isDemoted {
                if evaluation.isFinite {
                    if LearnedPolicy.isJudged(burst, candidates) {
                        fill(&distribution, candidates, burst, evaluation)
                    } else {
                        scorer.fill(&distribution, candidates, evaluation)
                    }
                    return
                }
                policyGuard.demote(.notFinite, now)
                relearn(keepingPrior: false)
            }
            distribution.choose(steady, among: candidates)
        }
    }

    /// Whether a decision is about a message, whose result tells who chose better, on paths that
    /// cost the same.
    @inline(__always)
    private static func isJudged(_ burst: BurstContext, _ candidates: Span<Candidate>) -> Bool {
        guard burst.trafficClass == .message, candidates.count > 1 else { return false }
        let price = candidates[0].traits.pricePerGB
        for index in 1..<candidates.count where candidates[index].traits.pricePerGB != price {
            return false
        }
        return true
    }

    /// Gives `1 - epsilon` to the scores' choice and their rival's, in the shares that their
    /// results have earned, and `epsilon` to the safe set.
    ///
    /// The rival is the steady rule's estimate without its hysteresis: a message goes to the path with
    /// room of the least round trip, where an overdue reply counts with its age. A path that is slower
    /// by less than a sixth is not worth leaving for a stream, but it is for the next message.
    private mutating func fill(
        _ distribution: inout ActionDistribution, _ candidates: Span<Candidate>,
        _ burst: BurstContext, _ evaluation: LearnedEvaluation
    ) {
        let own = scorer.fillLeast(&distribution, candidates, evaluation)
        let rival = candidates.leastWithRoom { SteadyPolicy.estimate($0) }
        guard own != rival else { return }
        let moved = (1 - settings.epsilon) * (1 - comparison.share)
        distribution[own] -= moved
        distribution[rival] += moved
        let whole = 2 * burst.deadline.seconds
        latestMemo = LiveComparison.memo(
            rival: (candidates[rival].path, evaluation.results[rival] / whole),
            learned: (candidates[own].path, evaluation.results[own] / whole))
    }

    var memo: UInt64 { mutating get { latestMemo } }

    // MARK: Handle

    mutating func learn(_ feedback: borrowing Feedback) {
        let now = feedback.now
        let elapsed = lastLearned.map { max(0, (now - $0).seconds) } ?? 0
        lastLearned = max(lastLearned ?? now, now)
        let outcome = feedback.outcome
        let target =
            scorer.cost.residual(
                predictedDelivery: feedback.predictedDelivery, outcome: outcome)
            - (outcome.isLate ? scorer.cost.lateness : 0)
        var x = AffineFeatures(feedback.features)
        let path = feedback.path
        if feedback.burst.trafficClass == .message { learnResult(feedback, elapsed: elapsed) }
        x.withPointer {
            learn(
                $0, path: path, target: target, isLate: outcome.isLate, elapsed: elapsed, now: now)
        }
    }

    private mutating func learnResult(_ feedback: borrowing Feedback, elapsed: Double) {
        let whole = 2 * feedback.outcome.deadline
        guard whole > 0 else { return }
        let isLate = feedback.outcome.isLate
        let result = isLate ? whole : min(feedback.outcome.delivery ?? whole, whole)
        if !feedback.isForced {
            comparison.learn(
                memo: feedback.memo, path: feedback.path, propensity: feedback.propensity,
                result: result / whole, elapsed: elapsed)
        }
        let error = result - scorer.expectedResult(feedback)
        guard error.isFinite else { return }
        surcharges.learn(feedback.path, error: error, elapsed: elapsed)
        surcharges.fill(&scorer.terms[0])
    }

    private mutating func learn(
        _ x: UnsafePointer<Double>, path: PathID, target: Double, isLate: Bool, elapsed: Double,
        now: Instant
    ) {
        // A late burst took the deadline or longer, so a longer prediction counts as correct.
        func error(_ prediction: Double) -> Double {
            isLate && prediction > target ? 0 : target - prediction
        }
        let promised = lateHead.predict(x)
        let model = residual.modelMean(x)
        let verdict = policyGuard.learn(
            modelError: model.isFinite ? error(model) : .nan, heuristicError: error(0),
            promisedLate: promised, isLate: isLate,
            resets: residual.resets &+ lateHead.posterior.resets,
            startedFromModel: startedFromModel, elapsed: elapsed, now: now)
        if verdict == .relearn { relearn(keepingPrior: false) }
        let decay = exp2(-elapsed / PathOffsets.halfLife)
        offsets.learn(path, error: error(residual.mean(x)), decay: decay)
        residual.learn(x, target: target, isCensored: isLate, elapsed: elapsed)
        lateHead.learn(x, isLate: isLate, elapsed: elapsed)
        takeWeights()
    }

    private mutating func relearn(keepingPrior: Bool) {
        residual.forget(keepingPrior: keepingPrior)
        lateHead.forget(keepingPrior: keepingPrior)
        offsets.forget()
        surcharges.forget()
        surcharges.fill(&scorer.terms[0])
        comparison.forget()
        startedFromModel = startedFromModel && keepingPrior
        takeWeights()
    }

    private mutating func takeWeights() {
        let stride = residual.stride
        for index in 0..<stride { scorer.weights[index] = residual.theta[index] }
        lateHead.posterior.withWeights { theta, _, _ in
            for index in 0..<stride { scorer.weights[stride + index] = theta[index] }
        }
        scorer.terms[0].late_correction = lateHead.correction
        offsets.fill(
            &scorer.terms[0], usual: residual.variance,
            optimism: scorer.settings.alpha * residual.variance.squareRoot())
    }

    /// The oldest pending event of the guard.
    mutating func pollEvent() -> GuardEvent? { policyGuard.pollEvent() }

    // MARK: Read

    /// Whether the steady rule decides, because the guard does not trust the models.
    var isDemoted: Bool { policyGuard.isDemoted }
    /// How often the guard demoted the models.
    var demotions: UInt64 { policyGuard.demotions }
    /// The share of the heuristic in the mixture, 0...1.
    var heuristicShare: Double { residual.heuristicShare }

    func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        scorer.score(of: candidate, burst: burst)
    }

    /// The contribution of feature `index` to the cost of a candidate.
    func contribution(of index: Int, in features: borrowing FeatureVector) -> Double {
        scorer.weights[index] * features[index]
    }
}

extension LearnedPolicy {
    static let descriptor = PolicyDescriptor(
        "learned", "learns delivery times and risks, explores safely, with a guard (the default)",
        settings: LearnedSettings(),
        needs: { _ in
            PolicyNeeds().with {
                $0.model = true
                $0.forcedFeedback = true
                $0.leavesSlowPaths = true
            }
        }
    ) { settings, materials throws(LearningError) in
        let model = materials.model
        // A head with Fourier features cannot be the prior of a model without them.
        let late = model?.late?.fourier == nil ? model?.late?.head : nil
        return LearnedPolicy(
            settings: settings, cost: materials.cost,
            residual: try model?.residual?.prior(
                limit: PolicyMaterials.priorLimit, lambda: settings.lambda),
            late: try late?.prior(limit: PolicyMaterials.priorLimit, lambda: settings.lambda))
    }
}

extension PolicySpecification {
    /// The default: residual regression, P(late), a safe set and a guard; it starts from a model if
    /// there is one.
    public static func learned(
        _ settings: LearnedSettings = LearnedSettings()
    ) -> PolicySpecification {
        LearnedPolicy.descriptor.specification(settings)
    }
}
