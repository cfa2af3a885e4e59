import PathLearning
import PathTelemetry
import PathTrace

/// The second pass: every policy replayed over every decision.
struct EvaluationPass {
    /// Why a decision says nothing of another policy.
    enum Exclusion { case forced, withoutOutcome, refused }

    private let reward: RewardFunction
    private let model: RewardModel?
    private let robust: RewardModel?
    private let total: Int
    private let policies: [EvaluatedPolicy]
    private let baseline: Int?
    private var analyses: [PolicyAnalysis]
    /// DR scores above the baseline's, by decision.
    private var differences: [Moments]
    private var scores: [Double]
    private var counts: EvaluationReport
    private var ownLoad = Moments()
    private var ordinal = 0

    init(
        reward: RewardFunction, model: RewardModel?, robust: RewardModel?, total: Int,
        policies: [EvaluatedPolicy], baseline: Int?, options: AnalysisOptions
    ) {
        self.reward = reward
        self.model = model
        self.robust = robust
        self.total = total
        self.policies = policies
        self.baseline = baseline
        analyses = policies.map { _ in PolicyAnalysis(options: options, hasModel: model != nil) }
        differences = policies.map { _ in Moments() }
        scores = policies.map { _ in 0 }
        counts = EvaluationReport(source: .traces(reward.target), options: options)
        counts.model = model?.fit
    }

    static func reason(against decision: borrowing LoggedDecision) -> Exclusion? {
        let taken = decision.record.decision
        if taken.isForced { return .forced }
        guard decision.outcome != nil else { return .withoutOutcome }
        var sum = 0.0
        for index in 0..<taken.distribution.count {
            guard taken.distribution[index] >= 0 else { return .refused }
            sum += taken.distribution[index]
        }
        guard (sum - 1).magnitude <= TraceEvaluation.tolerance, taken.propensity > 0 else {
            return .refused
        }
        // In place: a candidate taken out by its position is copied.
        let count = decision.record.candidates.count
        let areFinite = decision.record.candidates.withSpan { candidates in
            for index in 0..<count {
                for feature in 0..<FeatureVector.count
                where !candidates[index].features[feature].isFinite {
                    return false
                }
            }
            return true
        }
        return areFinite ? nil : .refused
    }

    mutating func run(_ source: TraceSource, step: () -> Void) throws(EvaluationError) {
        for (session, names) in try source.sessions() {
            var replays: [PolicyReplay] = []
            // Every policy anew, as at the start of a connection.
            do throws(LearningError) {
                for policy in policies {
                    replays.append(
                        try PolicyReplay(
                            policy, pathNames: names, session: session.info, cost: reward.cost))
                }
            } catch {
                throw .learning(error)
            }
            try source.forEachDecision(of: session.id) { decision in
                step()
                add(decision, &replays, names)
            }
        }
    }

    private mutating func add(
        _ decision: borrowing LoggedDecision, _ replays: inout [PolicyReplay], _ names: [String]
    ) {
        counts.decisions += 1
        let blocks = model?.blockCount ?? 1
        let block = min(blocks - 1, ordinal * blocks / max(1, total))
        ordinal += 1
        let exclusion = EvaluationPass.reason(against: decision)
        var context = Context()
        var isUsable = false
        if exclusion == nil, let outcome = decision.outcome {
            context.earned = reward.reward(decision, outcome)
            context.outcome = outcome.delivery ?? outcome.deadline
            isUsable = context.earned.isFinite
            for index in 0..<decision.record.candidates.count {
                let features = decision.record.candidates[index].features
                if let model { context.plain[index] = model.predict(block: block, features) }
                if let robust { context.robust[index] = robust.predict(block: block, features) }
            }
        }
        switch exclusion {
        case .forced: counts.forced += 1
        case .withoutOutcome: counts.withoutOutcome += 1
        case .refused: counts.refused += 1
        case nil: if !isUsable { counts.refused += 1 }
        }
        if isUsable { noteLoad(decision.record) }
        for index in replays.indices {
            let distribution = replays[index].distribution(for: decision)
            guard isUsable else { continue }
            add(policy: index, distribution, decision.record, context, names)
        }
        guard isUsable, let baseline else { return }
        for index in scores.indices { differences[index].add(scores[index] - scores[baseline]) }
    }

    /// What the policies share of one decision.
    private struct Context {
        var earned = 0.0
        var outcome = 0.0
        /// The regressions' predictions for each candidate.
        var plain = InlineArray<16, Double>(repeating: 0)
        var robust = InlineArray<16, Double>(repeating: 0)
    }

    /// Our bytes in flight on the chosen path, as a share of what its window allows.
    private mutating func noteLoad(_ record: borrowing DecisionRecord) {
        guard let path = record.decision.action.first,
            let index = record.candidates.index(of: path)
        else { return }
        let candidate = record.candidates[index]
        guard candidate.congestionWindow > 0 else { return }
        let share = Double(candidate.bytesInFlight) / Double(candidate.congestionWindow)
        ownLoad.add(min(1, max(0, share)))
    }

    private mutating func add(
        policy: Int, _ distribution: borrowing ActionDistribution,
        _ record: borrowing DecisionRecord, _ context: borrowing Context, _ names: [String]
    ) {
        let taken = record.decision.action
        var row = OffPolicyRow(weight: 0, reward: context.earned)
        var probability = 0.0
        var impossible = 0.0
        var greatest = 0.0
        var squares = 0.0
        for index in 0..<distribution.count where distribution[index] > 0 {
            let action = distribution.action(index)
            let share = distribution[index]
            if action == taken { probability += share }
            if share > greatest {
                greatest = share
                row.isMatch = action == taken
            }
            let logged = EvaluationPass.probability(of: action, record.decision.distribution)
            if logged > 0 { squares += share * share / logged } else { impossible += share }
            if model != nil { row.direct += share * expected(action, record, context.plain) }
            if robust != nil {
                row.robustDirect += share * expected(action, record, context.robust)
            }
        }
        if model != nil { row.modelled = expected(taken, record, context.plain) }
        if robust != nil { row.robustModelled = expected(taken, record, context.robust) }
        row.weight = probability / record.decision.propensity
        scores[policy] = row.direct + row.weight * (row.reward - row.modelled)
        let burst = record.burst
        analyses[policy].add(
            row,
            RowFacts(
                row: ordinal, propensity: record.decision.propensity, agreement: probability,
                unsupported: impossible,
                weightVariance: squares - (1 - impossible) * (1 - impossible),
                outcome: context.outcome, action: Int(taken.rawValue),
                trafficClass: Int(burst.trafficClass.rawValue), paths: taken.rawValue),
            actionName: { EvaluationPass.name(of: taken, names) },
            className: { burst.trafficClass.name },
            pathName: { EvaluationPass.name(of: PathSet(PathID($0)), names) })
    }

    private func expected(
        _ action: PathSet, _ record: borrowing DecisionRecord,
        _ predictions: borrowing InlineArray<16, Double>
    ) -> Double {
        reward.expected(
            action, record.candidates, predictions: predictions, burst: record.burst)
    }

    /// The names of an action's paths.
    private static func name(of action: PathSet, _ names: [String]) -> String {
        var paths = action
        var parts: [String] = []
        while let path = paths.popFirst() {
            let name = path.index < names.count ? names[path.index] : ""
            parts.append(name.isEmpty ? "path \(path.index)" : name)
        }
        return parts.isEmpty ? "wait" : parts.joined(separator: "+")
    }

    /// Of the actions of a log the same one is never there twice.
    private static func probability(
        of action: PathSet, _ logged: borrowing ActionDistribution
    ) -> Double {
        for index in 0..<logged.count where logged.action(index) == action { return logged[index] }
        return 0
    }

    mutating func report() -> EvaluationReport {
        var report = counts
        for (index, policy) in policies.enumerated() {
            analyses[index].finish()
            var facts = analyses[index].diagnostics
            facts.forced = counts.forced
            facts.withoutOutcome = counts.withoutOutcome
            facts.refused = counts.refused
            facts.model = model?.fit
            facts.ownLoad = ownLoad.count > 0 ? ownLoad.mean : nil
            var evaluation = PolicyEvaluation(
                label: policy.label, analysis: analyses[index], diagnostics: facts)
            if let baseline, baseline != index, model != nil {
                let difference = differences[index]
                let estimate = Estimate(
                    estimator: .dr, value: difference.mean,
                    standardError: difference.standardError, count: difference.count)
                var interval = estimate.normal(
                    confidence: counts.options.simultaneousConfidence)
                interval.method += ", paired"
                if counts.options.candidates > 1 {
                    interval.method += ", \(counts.options.candidates) at once"
                }
                evaluation.overBaseline = (policies[baseline].label, estimate, interval)
            }
            report.policies.append(evaluation)
        }
        return report
    }
}
