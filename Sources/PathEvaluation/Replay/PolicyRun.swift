import PathLearning
import PathTelemetry
import PathTrace

/// The replay and analysis of one policy.
///
/// Several runs execute in parallel, each on one thread at a time, and share no state, so
/// properties have no run-time checks of exclusive access.
final class PolicyRun {
    let policy: EvaluatedPolicy
    @exclusivity(unchecked) private(set) var analysis: PolicyAnalysis
    /// DR scores of the evaluated decisions of the latest round.
    @exclusivity(unchecked) private(set) var scores: [Double] = []
    /// Their weights.
    @exclusivity(unchecked) private(set) var weights: [Double] = []
    private let reward: RewardFunction
    private let hasModel: Bool
    private let hasRobust: Bool
    private var replay: PolicyReplay?
    private var names: [String] = []

    init(
        _ policy: EvaluatedPolicy, _ reward: RewardFunction, options: AnalysisOptions,
        hasModel: Bool, hasRobust: Bool
    ) {
        self.policy = policy
        self.reward = reward
        self.hasModel = hasModel
        self.hasRobust = hasRobust
        analysis = PolicyAnalysis(options: options, hasModel: hasModel)
    }

    /// Resets the policy, as at the start of a connection.
    ///
    /// The policy minimises the sender's cost, whatever the weights of the reported values.
    func begin(pathNames: [String]) throws(LearningError) {
        names = pathNames
        replay = try PolicyReplay(policy, pathNames: pathNames)
    }

    /// Processes the decisions of a round; its first one has the number `ordinal` in the log.
    func add(_ round: Round, ordinal: Int) {
        scores.removeAll(keepingCapacity: true)
        weights.removeAll(keepingCapacity: true)
        guard var replay = replay.take() else { return }
        var first = ordinal
        for place in 0..<round.count {
            add(round.batches[place], round.facts[place], first, &replay)
            first += round.batches[place].count
        }
        self.replay = consume replay
    }

    /// Adds what is still buffered; call it once at the end of the log.
    func finish() { analysis.finish() }

    private func add(
        _ batch: borrowing DecisionBatch, _ facts: borrowing BatchFacts, _ ordinal: Int,
        _ replay: inout PolicyReplay
    ) {
        for index in 0..<batch.count {
            replay.state(index, of: batch)
            guard facts.exclusions[index] == nil else { continue }
            add(index, of: batch, facts, ordinal + index + 1, replay.distribution)
        }
    }

    private func add(
        _ index: Int, of batch: borrowing DecisionBatch, _ facts: borrowing BatchFacts,
        _ number: Int, _ distribution: borrowing ActionDistribution
    ) {
        let taken = batch.actions[index]
        let burst = batch.bursts[index]
        let propensity = batch.propensities[index]
        let range = Int(batch.candidateStarts[index])..<Int(batch.candidateStarts[index + 1])
        let candidates = batch.candidates.span.extracting(range)
        let recorded = Int(batch.actionStarts[index])..<Int(batch.actionStarts[index + 1])
        let offered = batch.offeredActions.span.extracting(recorded)
        let logged = batch.probabilities.span.extracting(recorded)
        var row = OffPolicyRow(weight: 0, reward: facts.earned[index])
        var probability = 0.0
        var impossible = 0.0
        var greatest = 0.0
        var squares = 0.0
        var pricePerGB = 0.0
        let count = distribution.count
        distribution.withSpans { actions, shares in
            for place in 0..<count where shares[place] > 0 {
                let action = actions[place]
                let share = shares[place]
                if action == taken { probability += share }
                if share > greatest {
                    greatest = share
                    row.isMatch = action == taken
                }
                pricePerGB += share * RewardFunction.pricePerGB(action, candidates)
                let chance = PolicyRun.probability(of: action, offered, logged)
                if chance > 0 { squares += share * share / chance } else { impossible += share }
                if hasModel {
                    row.direct +=
                        share
                        * reward.expected(
                            action, candidates, facts.plain.span.extracting(range), burst: burst)
                }
                if hasRobust {
                    row.robustDirect +=
                        share
                        * reward.expected(
                            action, candidates, facts.robust.span.extracting(range),
                            burst: burst)
                }
            }
        }
        if hasModel { row.modelled = facts.modelled[index] }
        if hasRobust { row.robustModelled = facts.robustModelled[index] }
        row.weight = probability / propensity
        row.weightSquare = squares
        scores.append(row.direct + row.weight * (row.reward - row.modelled))
        weights.append(row.weight)
        var about = RowFacts(
            row: number, propensity: propensity, agreement: probability,
            unsupported: impossible,
            weightVariance: squares - (1 - impossible) * (1 - impossible),
            outcome: facts.outcomes[index], action: Int(taken.rawValue),
            trafficClass: Int(burst.trafficClass.rawValue), paths: taken.rawValue)
        about.greatest = greatest
        about.burst = BurstFacts(index, of: batch, pricePerGB: pricePerGB)
        analysis.add(
            row, about, actionName: { name(of: taken) },
            className: { burst.trafficClass.name }, pathName: { name(of: PathSet(PathID($0))) })
    }

    /// The names of an action's paths.
    private func name(of action: PathSet) -> String {
        var paths = action
        var parts: [String] = []
        while let path = paths.popFirst() {
            let name = path.index < names.count ? names[path.index] : ""
            parts.append(name.isEmpty ? "path \(path.index)" : name)
        }
        return parts.isEmpty ? "wait" : parts.joined(separator: "+")
    }

    /// An action occurs at most once among the logged actions.
    @inline(__always)
    private static func probability(
        of action: PathSet, _ offered: Span<PathSet>, _ logged: Span<Double>
    ) -> Double {
        for index in offered.indices where offered[index] == action { return logged[index] }
        return 0
    }
}
