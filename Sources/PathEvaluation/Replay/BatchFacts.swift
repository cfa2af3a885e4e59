import PathLearning
import PathTelemetry
import PathTrace

/// The facts about the decisions of a batch that do not depend on the policy.
struct BatchFacts {
    /// Why a decision cannot evaluate another policy.
    enum Exclusion: UInt8 {
        case forced, withoutOutcome, refused
        /// It is left out so that recordings of different shares count alike.
        case thinned
    }

    // One row per decision.
    private(set) var exclusions: [Exclusion?] = []
    /// The rewards, and the times to delivery, or the deadline if that passed first.
    private(set) var earned: [Double] = []
    private(set) var outcomes: [Double] = []
    /// The models' expectations for the chosen action; zero without a model.
    private(set) var modelled: [Double] = []
    private(set) var robustModelled: [Double] = []
    // The models' expectations, one row per candidate.
    private(set) var plain: [Double] = []
    private(set) var robust: [Double] = []

    private var predictions = [Double](repeating: 0, count: PathID.limit)

    /// Computes the facts of a batch.
    ///
    /// - Parameters:
    ///   - ordinal: the number of the batch's first decision among `total`.
    ///   - kept: the decisions of the session that count.
    mutating func fill(
        _ batch: borrowing DecisionBatch, _ reward: RewardFunction, model: RewardModel?,
        robust robustModel: RewardModel?, ordinal: Int, total: Int, kept: DecisionSample
    ) {
        let count = batch.count
        let rows = batch.candidates.count
        resize(&earned, count)
        resize(&outcomes, count)
        resize(&modelled, count)
        resize(&robustModelled, count)
        resize(&plain, model == nil ? 0 : rows)
        resize(&robust, robustModel == nil ? 0 : rows)
        exclusions.removeAll(keepingCapacity: true)
        let blocks = model?.blockCount ?? 1
        for index in 0..<count {
            var exclusion =
                kept.takes(batch.numbers[index])
                ? BatchFacts.exclusion(index, of: batch) : .thinned
            if exclusion == nil, let outcome = batch.outcome(index) {
                let range =
                    Int(batch.candidateStarts[index])..<Int(batch.candidateStarts[index + 1])
                let candidates = batch.candidates.span.extracting(range)
                let action = batch.actions[index]
                let burst = batch.bursts[index]
                earned[index] = reward.reward(action, candidates, bytes: burst.bytes, outcome)
                outcomes[index] = outcome.delivery ?? outcome.deadline
                if !(earned[index].magnitude <= EvaluationLimit.number) { exclusion = .refused }
                let block = min(blocks - 1, (ordinal + index) * blocks / max(1, total))
                if let model {
                    model.predict(block: block, candidates, into: &predictions)
                    BatchFacts.expect(reward, candidates, predictions, range, &plain)
                    modelled[index] = reward.expected(
                        action, candidates, plain.span.extracting(range), burst: burst)
                }
                if let robustModel {
                    robustModel.predict(block: block, candidates, into: &predictions)
                    BatchFacts.expect(reward, candidates, predictions, range, &robust)
                    robustModelled[index] = reward.expected(
                        action, candidates, robust.span.extracting(range), burst: burst)
                }
            }
            exclusions.append(exclusion)
        }
    }

    private func resize(_ column: inout [Double], _ count: Int) {
        if column.count < count {
            column.append(contentsOf: repeatElement(0, count: count - column.count))
        } else {
            column.removeLast(column.count - count)
        }
    }

    @inline(__always)
    private static func expect(
        _ reward: RewardFunction, _ candidates: Span<Candidate>, _ predictions: [Double],
        _ range: Range<Int>, _ expectations: inout [Double]
    ) {
        var target = expectations.mutableSpan
        for place in candidates.indices {
            target[range.lowerBound &+ place] = reward.expectation(
                predictions[place], predictedDelivery: candidates[place].predictedDelivery)
        }
    }

    private static func exclusion(
        _ index: Int, of batch: borrowing DecisionBatch
    ) -> Exclusion? {
        if batch.isForced[index] { return .forced }
        guard batch.hasOutcome[index] else { return .withoutOutcome }
        let probabilities = batch.probabilities.span
        var sum = 0.0
        for row in Int(batch.actionStarts[index])..<Int(batch.actionStarts[index + 1]) {
            guard probabilities[row] >= 0 else { return .refused }
            sum += probabilities[row]
        }
        guard (sum - 1).magnitude <= TraceEvaluation.tolerance,
            batch.propensities[index] >= EvaluationLimit.propensity
        else { return .refused }
        let candidates = batch.candidates.span
        for row in Int(batch.candidateStarts[index])..<Int(batch.candidateStarts[index + 1]) {
            // Zero times a number is zero unless it is infinite or NaN.
            var product = SIMD4(repeating: 0.0)
            for feature in stride(from: 0, to: FeatureVector.count, by: 4) {
                product +=
                    SIMD4(
                        candidates[row].features[feature],
                        candidates[row].features[feature &+ 1],
                        candidates[row].features[feature &+ 2],
                        candidates[row].features[feature &+ 3]) * 0
            }
            guard product == .zero else { return .refused }
        }
        return nil
    }
}
