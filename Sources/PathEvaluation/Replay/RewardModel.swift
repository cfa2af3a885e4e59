import PathLearning
import PathTelemetry

/// A ridge regression on the features of a path, fitted for each block of time on all the others,
/// so that no decision is predicted by a model that saw its outcome.
struct RewardModel {
    /// How well it predicts decisions it was not fitted on.
    private(set) var fit = RewardModelFit()
    private var blocks: [RidgeAccumulator]
    private var weights: [[Double]] = []
    private var intercepts: [Double] = []
    private var row = [Double](repeating: 0, count: FeatureSchema.count + 1)

    init(blocks: Int) {
        self.blocks = [RidgeAccumulator](
            repeating: RidgeAccumulator(size: FeatureSchema.count), count: max(2, blocks))
    }

    var blockCount: Int { blocks.count }

    /// Takes in the features of the path that carried a burst, and what came of it.
    mutating func add(
        block: Int, features: UnsafeBufferPointer<Double>, regressand: Double, weight: Double = 1
    ) {
        for index in 0..<FeatureSchema.count { row[index] = features[index] }
        row[FeatureSchema.count] = regressand
        row.withUnsafeBufferPointer { blocks[block].add(row: $0, weight: weight) }
    }

    /// Fits each block's model on the other blocks.
    ///
    /// - Throws: `LearningError.training` when a block has no others to learn from.
    mutating func solve(lambda: Double) throws(LearningError) {
        weights = []
        intercepts = []
        for block in blocks.indices {
            var others = RidgeAccumulator(size: FeatureSchema.count)
            for other in blocks.indices where other != block { try others.merge(blocks[other]) }
            let solution = try others.solve(lambda: lambda)
            weights.append(solution.weights)
            intercepts.append(solution.intercept)
            fit.rows += Int(clamping: blocks[block].count)
            fit.squaredError += blocks[block].squaredError(
                weights: solution.weights, intercept: solution.intercept)
        }
        var whole = RidgeAccumulator(size: FeatureSchema.count)
        for block in blocks { try whole.merge(block) }
        fit.scatter = whole.targetScatter
    }

    /// The regression of a block's model for these features.
    func predict(block: Int, _ features: FeatureVector) -> Double {
        weights[block].withUnsafeBufferPointer { weights in
            var sum = intercepts[block]
            for index in 0..<FeatureSchema.count { sum += weights[index] * features[index] }
            return sum
        }
    }
}
