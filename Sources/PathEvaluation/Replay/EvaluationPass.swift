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
    private var sums: EvaluationSums
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
        sums = EvaluationSums(policies: policies.count, estimators: options.estimators)
    }

    mutating func run(_ source: TraceSource, step: (Int) -> Void) throws(EvaluationError) {
        for (session, names) in try source.sessions() {
            do throws(LearningError) {
                for run in runs { try run.begin(pathNames: names) }
            } catch {
                throw .learning(error)
            }
            var preparation = Preparation(
                reward: reward, model: model, robust: robust, total: total, ordinal: prepared,
                kept: source.kept(of: session))
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
        let kept: DecisionSample

        mutating func fill(_ round: Round) {
            for place in 0..<round.count {
                round.facts[place].fill(
                    round.batches[place], reward, model: model, robust: robust,
                    ordinal: ordinal, total: total, kept: kept)
                ordinal += round.batches[place].count
            }
        }
    }

    /// Updates the totals from a round that all policies have processed.
    private mutating func count(_ round: Round) {
        for place in 0..<round.count {
            sums.decisions += round.batches[place].count
            for index in 0..<round.batches[place].count {
                switch round.facts[place].exclusions[index] {
                case .forced: sums.forced += 1
                case .withoutOutcome: sums.withoutOutcome += 1
                case .refused: sums.refused += 1
                case .thinned: sums.thinned += 1
                case nil:
                    noteLoad(index, of: round.batches[place])
                    noteBurst(index, of: round.batches[place])
                }
            }
        }
        guard let baseline else { return }
        for (index, run) in runs.enumerated() {
            let base = runs[baseline]
            for place in run.scores.indices {
                let square = run.weights[place] - base.weights[place]
                sums.differences[index].add(
                    run.scores[place] - base.scores[place], square: square * square)
            }
        }
    }

    /// Adds the outcome of a burst and its price.
    private mutating func noteBurst(_ index: Int, of batch: borrowing DecisionBatch) {
        let range = Int(batch.candidateStarts[index])..<Int(batch.candidateStarts[index + 1])
        let price = RewardFunction.pricePerGB(
            batch.actions[index], batch.candidates.span.extracting(range))
        sums.recorded.add(
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
            sums.ownLoad.add(min(1, max(0, share)))
            return
        }
    }

    /// What was added up; call it once, after all sources.
    mutating func finish() -> EvaluationSums {
        sums.model = model?.fit
        sums.policies = runs.map { run in
            run.finish()
            return run.analysis
        }
        return sums
    }
}
