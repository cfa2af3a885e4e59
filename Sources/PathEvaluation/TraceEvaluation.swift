import DenseMath
public import PathLearning
import PathTelemetry
public import PathTrace

/// Evaluates policies on traces in two streaming passes: one fits the reward model, one replays.
public struct TraceEvaluation {
    public var target = RewardTarget.cost
    public var cost = Cost()
    /// Blocks of time for the cross-fit.
    public var blocks = 2
    /// Penalty of the reward model's ridge regression.
    public var lambda = 1.0
    /// How far recorded probabilities may be from summing to one.
    public static let tolerance = 1e-9

    public init() {}

    /// Evaluates all policies at once.
    ///
    /// - Parameters:
    ///   - progress: told how many of all the decisions to read have been read.
    /// - Throws: a trace that cannot be read or has other features, a policy that names a path the
    ///   session does not have, or nothing to evaluate.
    public func evaluate(
        _ traces: [TraceReader], policies: [EvaluatedPolicy],
        progress: (_ done: Int, _ of: Int) -> Void = { _, _ in }
    ) throws(EvaluationError) -> EvaluationReport {
        let expected = TraceWriter.Schema.current.hash
        var total = 0
        for trace in traces {
            guard trace.schema.hash == expected else {
                throw .trace(
                    .otherSchema(
                        path: trace.path, found: trace.schema.hash, expected: expected))
            }
            do throws(TraceError) { total += try trace.info().decisions } catch {
                throw .trace(error)
            }
        }
        let reward = RewardFunction(target: target, cost: cost)
        var done = 0
        func step() {
            done += 1
            if done & 0xfff == 0 { progress(done, 2 * total) }
        }
        let model = try fit(traces, reward, total: total, step: step)
        var pass = EvaluationPass(
            reward: reward, model: model, total: total, policies: policies)
        for trace in traces {
            try pass.run(trace, step: step)
        }
        progress(2 * total, 2 * total)
        let report = pass.report
        guard report.evaluated > 0 else {
            throw .nothingToEvaluate(
                decisions: report.decisions, forced: report.forced,
                withoutOutcome: report.withoutOutcome, refused: report.refused)
        }
        return report
    }

    /// The first pass; nil when there is too little to fit a model on.
    private func fit(
        _ traces: [TraceReader], _ reward: RewardFunction, total: Int, step: () -> Void
    ) throws(EvaluationError) -> RewardModel? {
        var model = RewardModel(blocks: blocks)
        var ordinal = 0
        for trace in traces {
            do throws(TraceError) {
                try trace.forEachDecision { decision in
                    let block = min(
                        model.blockCount - 1, ordinal * model.blockCount / max(1, total))
                    ordinal += 1
                    step()
                    guard EvaluationPass.reason(against: decision) == nil,
                        let outcome = decision.outcome,
                        decision.record.decision.action.count == 1,
                        let path = decision.record.decision.action.first,
                        let index = decision.record.candidates.index(of: path)
                    else { return }
                    let candidate = decision.record.candidates[index]
                    model.add(
                        block: block, features: candidate.features,
                        regressand: reward.regressand(candidate, outcome))
                }
            } catch {
                throw .trace(error)
            }
        }
        do throws(LearningError) {
            try model.solve(lambda: lambda)
            return model
        } catch {
            return nil
        }
    }
}

/// The second pass: every policy replayed over every decision.
struct EvaluationPass {
    /// Why a decision says nothing of another policy.
    enum Exclusion { case forced, withoutOutcome, refused }

    private let reward: RewardFunction
    private let model: RewardModel?
    private let total: Int
    private let policies: [EvaluatedPolicy]
    private var rows: [OffPolicyAccumulator]
    private var unsupported: [CompensatedSum]
    private var agreement: [CompensatedSum]
    private var counts: EvaluationReport
    private var ordinal = 0

    init(reward: RewardFunction, model: RewardModel?, total: Int, policies: [EvaluatedPolicy]) {
        self.reward = reward
        self.model = model
        self.total = total
        self.policies = policies
        rows = policies.map { _ in
            OffPolicyAccumulator(
                scores: Estimator.scores(for: Estimator.all), hasModel: model != nil)
        }
        unsupported = policies.map { _ in CompensatedSum() }
        agreement = policies.map { _ in CompensatedSum() }
        counts = EvaluationReport(target: reward.target, model: model?.fit)
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
        for index in 0..<decision.record.candidates.count {
            for feature in 0..<FeatureVector.count
            where !decision.record.candidates[index].features[feature].isFinite {
                return .refused
            }
        }
        return nil
    }

    mutating func run(
        _ trace: TraceReader, step: () -> Void
    ) throws(EvaluationError) {
        let sessions: [RecordedSession]
        do throws(TraceError) { sessions = try trace.sessions() } catch { throw .trace(error) }
        for session in sessions {
            var replays = try replays(trace, session.id)
            do throws(TraceError) {
                try trace.forEachDecision(of: session.id) { decision in
                    step()
                    add(decision, &replays)
                }
            } catch {
                throw .trace(error)
            }
        }
    }

    /// Every policy anew, as at the start of a connection.
    private func replays(
        _ trace: TraceReader, _ session: SessionID
    ) throws(EvaluationError) -> [PolicyReplay] {
        var names = [String](repeating: "", count: PathID.limit)
        do throws(TraceError) {
            for path in try trace.paths(of: session) {
                names[path.info.path.index] = path.info.name
            }
        } catch {
            throw .trace(error)
        }
        do throws(LearningError) {
            var replays: [PolicyReplay] = []
            for policy in policies {
                replays.append(try PolicyReplay(policy, pathNames: names, cost: reward.cost))
            }
            return replays
        } catch {
            throw .learning(error)
        }
    }

    private mutating func add(
        _ decision: borrowing LoggedDecision, _ replays: inout [PolicyReplay]
    ) {
        counts.decisions += 1
        let blocks = model?.blockCount ?? 1
        let block = min(blocks - 1, ordinal * blocks / max(1, total))
        ordinal += 1
        let exclusion = EvaluationPass.reason(against: decision)
        let record = decision.record
        var predictions = InlineArray<16, Double>(repeating: 0)
        var earned = 0.0
        if exclusion == nil, let outcome = decision.outcome {
            earned = reward.reward(decision, outcome)
            if let model {
                for index in 0..<record.candidates.count {
                    predictions[index] = model.predict(
                        block: block, record.candidates[index].features)
                }
            }
        }
        let isUsable = exclusion == nil && earned.isFinite
        switch exclusion {
        case .forced: counts.forced += 1
        case .withoutOutcome: counts.withoutOutcome += 1
        case .refused: counts.refused += 1
        case nil: if !isUsable { counts.refused += 1 }
        }
        if isUsable {
            counts.smallestPropensity = min(
                counts.smallestPropensity, record.decision.propensity)
        }
        for index in replays.indices {
            let distribution = replays[index].distribution(for: decision)
            guard isUsable else { continue }
            add(policy: index, distribution, record, earned, predictions)
        }
    }

    private mutating func add(
        policy: Int, _ distribution: borrowing ActionDistribution,
        _ record: borrowing DecisionRecord, _ earned: Double,
        _ predictions: borrowing InlineArray<16, Double>
    ) {
        let taken = record.decision.action
        var probability = 0.0
        var impossible = 0.0
        var direct = 0.0
        for index in 0..<distribution.count where distribution[index] > 0 {
            let action = distribution.action(index)
            if action == taken { probability += distribution[index] }
            if !EvaluationPass.isPossible(action, record.decision.distribution) {
                impossible += distribution[index]
            }
            if model != nil {
                direct +=
                    distribution[index]
                    * reward.expected(
                        action, record.candidates, predictions: predictions, burst: record.burst)
            }
        }
        let modelled =
            model == nil
            ? 0
            : reward.expected(
                taken, record.candidates, predictions: predictions, burst: record.burst)
        unsupported[policy].add(impossible)
        agreement[policy].add(probability)
        rows[policy].add(
            OffPolicyRow(
                weight: probability / record.decision.propensity, reward: earned,
                modelled: modelled, direct: direct))
    }

    private static func isPossible(
        _ action: PathSet, _ logged: borrowing ActionDistribution
    ) -> Bool {
        for index in 0..<logged.count where logged.action(index) == action {
            return logged[index] > 0
        }
        return false
    }

    var report: EvaluationReport {
        var report = counts
        for (index, policy) in policies.enumerated() {
            let sums = rows[index].sums
            let number = Double(max(1, sums.count))
            let share = unsupported[index].value / number
            report.policies.append(
                PolicyEvaluation(
                    label: policy.label, rows: sums, unsupportedShare: share,
                    agreement: agreement[index].value / number,
                    verdict: Verdict(sums, unsupportedShare: share)))
        }
        return report
    }
}
