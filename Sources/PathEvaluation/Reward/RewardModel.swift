import PathLearning
import PathTelemetry
import PathTrace

/// A ridge regression on the features of a path, fitted for each block of time on all the others,
/// so that no decision is predicted by a model that saw its outcome.
struct RewardModel {
    /// Its out-of-fold fit.
    private(set) var fit = RewardModelFit()
    private var blocks: [RidgeAccumulator]
    private var weights: [[Double]] = []
    private var intercepts: [Double] = []
    /// Moments of the full target: the regressand plus the part that needs no model.
    private var targets = Moments()
    private var row = [Double](repeating: 0, count: FeatureSchema.count + 1)

    init(blocks: Int) {
        self.blocks = [RidgeAccumulator](
            repeating: RidgeAccumulator(size: FeatureSchema.count), count: max(2, blocks))
    }

    var blockCount: Int { blocks.count }

    /// A model without weights, which expects what the heuristic predicts, for a trace that has too
    /// little data for its own.
    static func untrained(blocks: Int) -> RewardModel {
        var model = RewardModel(blocks: blocks)
        model.weights = model.blocks.map { _ in
            [Double](repeating: 0, count: FeatureSchema.count)
        }
        model.intercepts = model.blocks.map { _ in 0 }
        return model
    }

    /// Adds the features of the path that carried a burst, and the outcome.
    ///
    /// - Parameter target: the full target, of which the regressand is a part, in units of reward.
    mutating func add(
        block: Int, features: UnsafeBufferPointer<Double>, regressand: Double, target: Double,
        weight: Double = 1
    ) {
        targets.add(target)
        for index in 0..<FeatureSchema.count { row[index] = features[index] }
        row[FeatureSchema.count] = regressand
        row.withUnsafeBufferPointer { blocks[block].add(row: $0, weight: weight) }
    }

    /// Fits each block's model on the other blocks, with the penalty of the least out-of-fold
    /// error.
    ///
    /// - Throws: `LearningError.training` if a block has no others to learn from.
    mutating func solve(lambdas: [Double]) throws(LearningError) {
        var others: [RidgeAccumulator] = []
        for block in blocks.indices {
            var sum = RidgeAccumulator(size: FeatureSchema.count)
            for other in blocks.indices where other != block { try sum.merge(blocks[other]) }
            others.append(sum)
        }
        fit.rows = blocks.reduce(0) { $0 + Int(clamping: $1.count) }
        fit.scatter = targets.scatter
        fit.squaredError = .infinity
        for lambda in lambdas {
            var solutions: [RidgeSolution] = []
            var error = 0.0
            for block in blocks.indices {
                let solution = try others[block].solve(lambda: lambda)
                if blocks[block].count > 0 {
                    error += blocks[block].squaredError(
                        weights: solution.weights, intercept: solution.intercept)
                }
                solutions.append(solution)
            }
            guard error < fit.squaredError || weights.isEmpty else { continue }
            fit.squaredError = error
            weights = solutions.map(\.weights)
            intercepts = solutions.map(\.intercept)
        }
    }

    /// Evaluates a block's regression for each candidate.
    ///
    /// It computes four candidates at once; each sum runs in the order of the features.
    func predict(block: Int, _ candidates: Span<Candidate>, into results: inout [Double]) {
        let count = candidates.count
        var target = results.mutableSpan
        weights[block].withUnsafeBufferPointer { weights in
            var row = 0
            while row &+ 4 <= count {
                var sums = SIMD4(repeating: intercepts[block])
                for index in 0..<FeatureSchema.count {
                    sums +=
                        weights[index]
                        * SIMD4(
                            candidates[row].features[index],
                            candidates[row &+ 1].features[index],
                            candidates[row &+ 2].features[index],
                            candidates[row &+ 3].features[index])
                }
                for lane in 0..<4 { target[row &+ lane] = sums[lane] }
                row &+= 4
            }
            while row < count {
                var sum = intercepts[block]
                for index in 0..<FeatureSchema.count {
                    sum += weights[index] * candidates[row].features[index]
                }
                target[row] = sum
                row &+= 1
            }
        }
    }
}

/// The sums of the reward models of an evaluation.
struct RewardFit {
    private(set) var plain: RewardModel
    /// The model that weighs a decision by (1 - p) / p^2; nil if it is not requested.
    private(set) var robust: RewardModel?
    private let reward: RewardFunction
    private let total: Int
    private var ordinal = 0

    init(plain: RewardModel, robust: RewardModel?, reward: RewardFunction, total: Int) {
        self.plain = plain
        self.robust = robust
        self.reward = reward
        self.total = total
    }

    /// Adds the decisions of a round that may be used for learning.
    mutating func add(_ round: Round) {
        for place in 0..<round.count { add(round.batches[place]) }
    }

    private mutating func add(_ batch: borrowing DecisionBatch) {
        let width = FeatureSchema.count
        let blocks = plain.blockCount
        batch.chosenFeatures.withUnsafeBufferPointer { features in
            for index in 0..<batch.count {
                let block = min(blocks - 1, ordinal * blocks / max(1, total))
                ordinal += 1
                let propensity = batch.propensities[index]
                guard !batch.isForced[index], batch.chosenCandidates[index] >= 0, propensity > 0,
                    let outcome = batch.outcome(index)
                else { continue }
                let row = UnsafeBufferPointer(
                    rebasing: features[index * width..<(index + 1) * width])
                let predicted = batch.chosenPredictions[index]
                let regressand = reward.regressand(predictedDelivery: predicted, outcome)
                let target = reward.expectation(regressand, predictedDelivery: predicted)
                plain.add(block: block, features: row, regressand: regressand, target: target)
                robust?.add(
                    block: block, features: row, regressand: regressand, target: target,
                    weight: max(0, 1 - propensity) / (propensity * propensity))
            }
        }
    }
}
