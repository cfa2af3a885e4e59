import CKernels
import Glibc
public import PathTelemetry

/// The default policy: starts as good as the heuristic and only gets better.
///
/// The cost of a candidate with features x, prediction h and price p is
///
///     ln h + theta'(x, 1) + offset + variance / 2 - bonus + lateness P(late) + price + switching
///
/// where theta mixes the heuristic (zero) and two regressions of `ln(delivery / h)` with forgetting
/// of 2 s and 60 s by their recent likelihood (`ResidualMixture`), the offset is what they do not
/// explain of this path (`PathOffsets`, with its variance, and the bonus its uncertainty), and P(late) is a logistic
/// regression learned online (`LateHead`). The cheapest candidate and those nearly as fast and as
/// sure as it, and not silent while another answers, are the safe set: each gets a share of `epsilon`, and the
/// rest by `exp(-cost / temperature)`; outside it the probability is exactly zero. The steady rule
/// runs in shadow and decides while the guard does not trust the models (`PolicyGuard`). Outcomes
/// of forced decisions are learned from too: which path was taken says nothing about how well it
/// did given its features.
/// Sources: Raftery, Kárný and Ettler 2010 (mixture by likelihood); Lattimore and Szepesvári,
/// "Bandit Algorithms", 2020, chapter 7 (optimism) and section 11.2 (softmax with a floor).
struct LearnedPolicy: Policy {
    var settings: LearnedSettings { scorer.settings }
    /// What decisions use of all this.
    private var scorer: LearnedScorer
    private var offsets = PathOffsets()
    private var residual: ResidualMixture
    private var lateHead: LateHead
    private var policyGuard = PolicyGuard()
    private var shadow = SteadyPolicy()
    /// The regressions still have the prior of a trained model.
    private var startedFromModel: Bool
    private var lastLearned: Instant?

    /// - Parameters:
    ///   - residual: of the regression of log delivery, the constant last; nil for the heuristic.
    ///   - late: of the logit of P(late), likewise.
    ///
    /// A prior whose size is not `FeatureSchema.count + 1` is not used.
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
                    scorer.fill(&distribution, candidates, evaluation)
                    return
                }
                policyGuard.demote(.notFinite, now)
                relearn(keepingPrior: false)
            }
            distribution.choose(steady, among: candidates)
        }
    }

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
        x.withPointer {
            learn(
                $0, path: path, target: target, isLate: outcome.isLate, elapsed: elapsed, now: now)
        }
    }

    private mutating func learn(
        _ x: UnsafePointer<Double>, path: PathID, target: Double, isLate: Bool, elapsed: Double,
        now: Instant
    ) {
        // A late burst took the deadline or longer: who said longer was right.
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

    /// The oldest thing the guard did that was not handed out yet.
    mutating func pollEvent() -> GuardEvent? { policyGuard.pollEvent() }

    // MARK: Read

    /// The steady rule decides, because the guard does not trust the models.
    var isDemoted: Bool { policyGuard.isDemoted }
    /// How often the guard demoted the models.
    var demotions: UInt64 { policyGuard.demotions }
    /// The share of the heuristic in the mixture, 0...1.
    var heuristicShare: Double { residual.heuristicShare }

    func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        scorer.score(of: candidate, burst: burst)
    }

    /// How much feature `index` adds to the cost of a candidate by its expected delivery.
    func contribution(of index: Int, in features: borrowing FeatureVector) -> Double {
        scorer.weights[index] * features[index]
    }
}

extension LearnedPolicy {
    static let descriptor = PolicyDescriptor(
        "learned", "learns times and risks, explores what is safe, guarded (the default)",
        settings: LearnedSettings(),
        needs: { _ in
            PolicyNeeds().with {
                $0.model = true
                $0.forcedFeedback = true
            }
        }
    ) { settings, materials throws(LearningError) in
        let model = materials.model
        // A head on Fourier features is no prior of a model without them.
        let late = model?.late?.fourier == nil ? model?.late?.head : nil
        return LearnedPolicy(
            settings: settings, cost: materials.cost,
            residual: try model?.residual?.prior(
                limit: PolicyMaterials.priorLimit, lambda: settings.lambda),
            late: try late?.prior(limit: PolicyMaterials.priorLimit, lambda: settings.lambda))
    }
}

extension PolicySpecification {
    /// The default: residual regression, P(late), a safe set and a guard; starts from a model.
    public static func learned(
        _ settings: LearnedSettings = LearnedSettings()
    ) -> PolicySpecification {
        LearnedPolicy.descriptor.specification(settings)
    }
}
