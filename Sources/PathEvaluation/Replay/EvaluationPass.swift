import PathLearning
import PathTelemetry
import PathTrace

/// The second pass, which replays every policy over every decision.
///
/// The policies run in parallel while the next decisions are read; each processes all decisions in
/// order, so that the result does not depend on the number of threads.
struct EvaluationPass {
    private let reward: RewardFunction
    private let model: RewardModel?
    private let robust: RewardModel?
    private let total: Int
    private let threads: Int
    private let baseline: Int?
    private let runs: [PolicyRun]
    /// DR score minus the baseline's, per decision.
    private var differences: [(moments: Moments, stretches: TimeBatches)]
    /// Network figures of the recorded policy.
    private var recorded = NetworkSums()
    private var counts: EvaluationReport
    private var ownLoad = Moments()
    /// Number of decisions that were prepared, and that the policies have processed.
    private var prepared = 0
    private var seen = 0

    init(
        reward: RewardFunction, model: RewardModel?, robust: RewardModel?, total: Int,
        policies: [EvaluatedPolicy], baseline: Int?, options: AnalysisOptions, threads: Int
    ) {
        self.reward = reward
        self.model = model
        self.robust = robust
        self.total = total
        self.threads = threads
        self.baseline = baseline
        runs = policies.map {
            PolicyRun(
                $0, reward, options: options, hasModel: model != nil, hasRobust: robust != nil)
        }
        differences = policies.map { _ in (Moments(), TimeBatches()) }
        counts = EvaluationReport(source: .traces(reward.target), options: options)
        counts.model = model?.fit
        counts.valueWeights = reward.cost
    }

    mutating func run(_ source: TraceSource, step: (Int) -> Void) throws(EvaluationError) {
        for (session, names) in try source.sessions() {
            do throws(LearningError) {
                for run in runs { try run.begin(pathNames: names) }
            } catch {
                throw .learning(error)
            }
            var preparation = Preparation(
                reward: reward, model: model, robust: robust, total: total, ordinal: prepared)
            let runs = runs
            var first = seen
            try source.forEachRound(
                of: session.id, columns: [.outcomes, .candidates, .distributions],
                threads: threads, prepare: { preparation.fill($0) }, pieces: runs.count,
                work: { runs[$0].add($1, ordinal: first) }
            ) { round in
                count(round)
                first += round.decisions
                step(round.decisions)
            }
            prepared = preparation.ordinal
            seen = first
        }
    }

    /// Computes what all policies need for a round.
    private struct Preparation {
        let reward: RewardFunction
        let model: RewardModel?
        let robust: RewardModel?
        let total: Int
        var ordinal: Int

        mutating func fill(_ round: Round) {
            for place in 0..<round.count {
                round.facts[place].fill(
                    round.batches[place], reward, model: model, robust: robust,
                    ordinal: ordinal, total: total)
                ordinal += round.batches[place].count
            }
        }
    }

    /// Updates the totals from a round that all policies have processed.
    private mutating func count(_ round: Round) {
        for place in 0..<round.count {
            counts.decisions += round.batches[place].count
            for index in 0..<round.batches[place].count {
                switch round.facts[place].exclusions[index] {
                case .forced: counts.forced += 1
                case .withoutOutcome: counts.withoutOutcome += 1
                case .refused: counts.refused += 1
                case nil:
                    noteLoad(index, of: round.batches[place])
                    noteBurst(index, of: round.batches[place])
                }
            }
        }
        guard let baseline else { return }
        for (index, run) in runs.enumerated() {
            for (score, base) in zip(run.scores, runs[baseline].scores) {
                differences[index].moments.add(score - base)
                differences[index].stretches.add(
                    weight: 1, reward: score - base, modelled: 0, direct: 0)
            }
        }
    }

    /// Adds the outcome of a burst and its price.
    private mutating func noteBurst(_ index: Int, of batch: borrowing DecisionBatch) {
        let range = Int(batch.candidateStarts[index])..<Int(batch.candidateStarts[index + 1])
        let price = RewardFunction.pricePerGB(
            batch.actions[index], batch.candidates.span.extracting(range))
        recorded.add(
            BurstFacts(index, of: batch, pricePerGB: price), weight: 1, agreement: 1)
    }

    /// Adds the sender's bytes in flight on the chosen path, as a share of the congestion window.
    private mutating func noteLoad(_ index: Int, of batch: borrowing DecisionBatch) {
        guard let path = batch.actions[index].first else { return }
        let candidates = batch.candidates.span
        for row in Int(batch.candidateStarts[index])..<Int(batch.candidateStarts[index + 1])
        where candidates[row].path == path {
            guard candidates[row].congestionWindow > 0 else { return }
            let share =
                Double(candidates[row].bytesInFlight) / Double(candidates[row].congestionWindow)
            ownLoad.add(min(1, max(0, share)))
            return
        }
    }

    mutating func report() -> EvaluationReport {
        var report = counts
        for (index, run) in runs.enumerated() {
            run.finish()
            var facts = run.analysis.diagnostics
            facts.forced = counts.forced
            facts.withoutOutcome = counts.withoutOutcome
            facts.refused = counts.refused
            facts.model = model?.fit
            facts.ownLoad = ownLoad.count > 0 ? ownLoad.mean : nil
            var evaluation = PolicyEvaluation(
                label: run.policy.label, analysis: run.analysis, diagnostics: facts)
            if let baseline, baseline != index, model != nil {
                evaluation.overBaseline = overBaseline(
                    differences[index].moments, differences[index].stretches,
                    name: runs[baseline].policy.label)
            }
            report.policies.append(evaluation)
        }
        report.recordedNetwork = recorded.figures(confidence: counts.options.confidence)
        report.warnOfLateness(reward.cost.lateness)
        return report
    }

    /// The gain over the baseline, paired by decision.
    private func overBaseline(
        _ difference: Moments, _ stretches: TimeBatches, name: String
    ) -> (name: String, estimate: Estimate, interval: Interval) {
        let options = counts.options
        let confidence = options.simultaneousConfidence
        let estimate = Estimate(
            estimator: .dr, value: difference.mean, standardError: difference.standardError,
            count: difference.count)
        var interval = estimate.normal(confidence: confidence)
        if ![.normal, .student].contains(options.interval),
            stretches.dependence(of: \.recorded, independent: estimate.standardError) > 1,
            let stretched = stretches.batchMeans(confidence: confidence, \.recorded)
        {
            interval = stretched.interval
        }
        interval.method += ", paired"
        if options.candidates > 1 { interval.method += ", \(options.candidates) at once" }
        return (name, estimate, interval)
    }
}
