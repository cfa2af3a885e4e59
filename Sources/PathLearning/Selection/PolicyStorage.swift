import PathTelemetry

/// The one policy of a selector, by value.
///
/// One optional a kind, of which exactly one is there. An enum with payloads would be shorter, but
/// to change a payload it has to be moved out and in again: 60 ns a decision against 6 here.
struct PolicyStorage: Sendable {
    private enum Kind {
        case single, roundRobin, weighted, minRTT, earliest, steady, ecf, blest, backup, redundant
        case reinject, linear, sliding, linUCB, ols, prune, exp3, exp4, peekaboo, falcon
        case learned
    }

    private let kind: Kind
    private var single: SinglePolicy?
    private var roundRobin: RoundRobinPolicy?
    private var weighted: WeightedPolicy?
    private var minRTT: MinRTTPolicy?
    private var earliest: EarliestPolicy?
    private var steady: SteadyPolicy?
    private var ecf: ECFPolicy?
    private var blest: BLESTPolicy?
    private var backup: BackupPolicy?
    private var redundant: RedundantPolicy?
    private var reinject: ReinjectPolicy?
    private var linear: LinearBandit<LinearPosterior>?
    private var sliding: LinearBandit<WindowedPosterior>?
    private var linUCB: LinUCBPolicy?
    private var ols: OLSPolicy?
    private var prune: PrunePolicy?
    private var exp3: Exp3Policy?
    private var exp4: Exp4Policy?
    private var peekaboo: PeekabooPolicy?
    private var falcon: FalconPolicy?
    private var learned: LearnedPolicy?

    /// As how many observations a model's prior counts at most.
    private static let priorLimit = 500.0

    init(
        _ specification: PolicySpecification, model: Model?, cost: Cost
    ) throws(LearningError) {
        switch specification {
        case .single(.number(let path)):
            kind = .single
            single = SinglePolicy(path: path)
        case .single(.name(let name)):
            throw .unknownPath(name: name, known: [])
        case .roundRobin:
            kind = .roundRobin
            roundRobin = RoundRobinPolicy()
        case .weighted(let settings):
            kind = .weighted
            weighted = WeightedPolicy(settings: settings, cost: cost)
        case .minRTT:
            kind = .minRTT
            minRTT = MinRTTPolicy()
        case .earliest:
            kind = .earliest
            earliest = EarliestPolicy()
        case .steady:
            kind = .steady
            steady = SteadyPolicy()
        case .ecf(let settings):
            kind = .ecf
            ecf = ECFPolicy(settings: settings)
        case .blest(let settings):
            kind = .blest
            blest = BLESTPolicy(settings: settings)
        case .backup(let settings):
            kind = .backup
            backup = BackupPolicy(settings: settings)
        case .redundant:
            kind = .redundant
            redundant = RedundantPolicy()
        case .reinject(let settings):
            kind = .reinject
            reinject = ReinjectPolicy(settings: settings)
        case .linear(let settings):
            let prior = try PolicyStorage.prior(model, lambda: settings.lambda)
            if settings.rule == .slidingLinUCB {
                kind = .sliding
                sliding = LinearBandit(
                    settings: settings, cost: cost,
                    belief: WindowedPosterior(prior: prior, window: settings.window))
            } else {
                kind = .linear
                linear = LinearBandit(
                    settings: settings, cost: cost, belief: LinearPosterior(prior: prior))
            }
        case .ols(let settings):
            kind = .ols
            ols = OLSPolicy(settings: settings)
        case .prune(let settings):
            kind = .prune
            prune = PrunePolicy(settings: settings, cost: cost)
        case .exp3(let settings):
            kind = .exp3
            exp3 = Exp3Policy(settings: settings)
        case .exp4(let settings):
            kind = .exp4
            exp4 = Exp4Policy(settings: settings)
        case .peekaboo(let settings):
            kind = .peekaboo
            peekaboo = PeekabooPolicy(settings: settings)
        case .falcon(let settings):
            kind = .falcon
            falcon = FalconPolicy(
                settings: settings, clusters: ClusterModels(model: model), cost: cost)
        case .learned(let settings):
            kind = .learned
            // A head on Fourier features is no prior of a model without them.
            let late = model?.late?.fourier == nil ? model?.late?.head : nil
            learned = LearnedPolicy(
                settings: settings, cost: cost,
                residual: try model?.residual?.prior(
                    limit: PolicyStorage.priorLimit, lambda: settings.lambda),
                late: try late?.prior(
                    limit: PolicyStorage.priorLimit, lambda: settings.lambda))
        case .linUCB(let settings):
            kind = .linUCB
            linUCB = LinUCBPolicy(
                settings: settings, cost: cost,
                prior: try PolicyStorage.prior(model, lambda: settings.lambda))
        }
    }

    /// What a model says beforehand of features and constant, or nothing.
    private static func prior(
        _ model: Model?, lambda: Double
    ) throws(LearningError) -> LinearPrior {
        let size = FeatureSchema.count + 1
        let flat = LinearPrior(size: size, lambda: lambda)
        guard let residual = model?.residual else { return flat }
        let prior = try residual.prior(limit: priorLimit, lambda: lambda)
        return prior.mean.count == size ? prior : flat
    }

    // MARK: one line a kind

    /// States the policy's distribution; `distribution` comes in empty.
    ///
    /// - Returns: what the policy wants to hear again of this decision.
    mutating func state(
        _ candidates: Span<Candidate>, _ burst: BurstContext, _ now: Instant,
        _ out: inout ActionDistribution
    ) -> UInt64 {
        switch kind {
        case .single: single?.distribution(for: candidates, burst: burst, now: now, into: &out)
        case .roundRobin:
            roundRobin?.distribution(for: candidates, burst: burst, now: now, into: &out)
        case .weighted: weighted?.distribution(for: candidates, burst: burst, now: now, into: &out)
        case .minRTT: minRTT?.distribution(for: candidates, burst: burst, now: now, into: &out)
        case .earliest: earliest?.distribution(for: candidates, burst: burst, now: now, into: &out)
        case .steady: steady?.distribution(for: candidates, burst: burst, now: now, into: &out)
        case .ecf: ecf?.distribution(for: candidates, burst: burst, now: now, into: &out)
        case .blest:
            blest?.distribution(for: candidates, burst: burst, now: now, into: &out)
            return blest?.memo ?? 0
        case .backup: backup?.distribution(for: candidates, burst: burst, now: now, into: &out)
        case .redundant:
            redundant?.distribution(for: candidates, burst: burst, now: now, into: &out)
        case .reinject: reinject?.distribution(for: candidates, burst: burst, now: now, into: &out)
        case .linear: linear?.distribution(for: candidates, burst: burst, now: now, into: &out)
        case .sliding: sliding?.distribution(for: candidates, burst: burst, now: now, into: &out)
        case .linUCB: linUCB?.distribution(for: candidates, burst: burst, now: now, into: &out)
        case .ols:
            ols?.distribution(for: candidates, burst: burst, now: now, into: &out)
            return ols?.memo ?? 0
        case .prune: prune?.distribution(for: candidates, burst: burst, now: now, into: &out)
        case .exp3: exp3?.distribution(for: candidates, burst: burst, now: now, into: &out)
        case .exp4:
            exp4?.distribution(for: candidates, burst: burst, now: now, into: &out)
            return exp4?.memo ?? 0
        case .peekaboo:
            peekaboo?.distribution(for: candidates, burst: burst, now: now, into: &out)
            return peekaboo?.memo ?? 0
        case .falcon: falcon?.distribution(for: candidates, burst: burst, now: now, into: &out)
        case .learned: learned?.distribution(for: candidates, burst: burst, now: now, into: &out)
        }
        return 0
    }

    /// Hands an outcome to policies that learn; that of a forced decision to `learned` alone.
    mutating func learn(_ feedback: borrowing Feedback) {
        guard !feedback.isForced || kind == .learned else { return }
        switch kind {
        case .weighted: weighted?.learn(feedback)
        case .blest: blest?.learn(feedback)
        case .linear: linear?.learn(feedback)
        case .sliding: sliding?.learn(feedback)
        case .linUCB: linUCB?.learn(feedback)
        case .ols: ols?.learn(feedback)
        case .prune: prune?.learn(feedback)
        case .exp3: exp3?.learn(feedback)
        case .exp4: exp4?.learn(feedback)
        case .peekaboo: peekaboo?.learn(feedback)
        case .falcon: falcon?.learn(feedback)
        case .learned: learned?.learn(feedback)
        case .single, .roundRobin, .minRTT, .earliest, .steady, .ecf, .backup, .redundant,
            .reinject:
            break
        }
    }

    /// The policy wants to know which action was taken.
    var hearsChoices: Bool { kind == .peekaboo }

    /// Tells which action was taken.
    mutating func handleChoice(_ action: PathSet, now: Instant) {
        if kind == .peekaboo { peekaboo?.handleChoice(action, now: now) }
    }

    /// The oldest thing the guard of `learned` did that was not handed out yet.
    mutating func pollEvent() -> GuardEvent? { learned?.pollEvent() }

    /// What the policy minimises, for one candidate.
    func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        let score =
            switch kind {
            case .single: single?.score(of: candidate, burst: burst)
            case .roundRobin: roundRobin?.score(of: candidate, burst: burst)
            case .weighted: weighted?.score(of: candidate, burst: burst)
            case .minRTT: minRTT?.score(of: candidate, burst: burst)
            case .earliest: earliest?.score(of: candidate, burst: burst)
            case .steady: steady?.score(of: candidate, burst: burst)
            case .ecf: ecf?.score(of: candidate, burst: burst)
            case .blest: blest?.score(of: candidate, burst: burst)
            case .backup: backup?.score(of: candidate, burst: burst)
            case .redundant: redundant?.score(of: candidate, burst: burst)
            case .reinject: reinject?.score(of: candidate, burst: burst)
            case .linear: linear?.score(of: candidate, burst: burst)
            case .sliding: sliding?.score(of: candidate, burst: burst)
            case .linUCB: linUCB?.score(of: candidate, burst: burst)
            case .ols: ols?.score(of: candidate, burst: burst)
            case .prune: prune?.score(of: candidate, burst: burst)
            case .exp3: exp3?.score(of: candidate, burst: burst)
            case .exp4: exp4?.score(of: candidate, burst: burst)
            case .peekaboo: peekaboo?.score(of: candidate, burst: burst)
            case .falcon: falcon?.score(of: candidate, burst: burst)
            case .learned: learned?.score(of: candidate, burst: burst)
            }
        return score ?? .infinity
    }
}
