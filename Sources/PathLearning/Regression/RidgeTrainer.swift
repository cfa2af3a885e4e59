public import PathTelemetry

/// Trains the residual model from recorded decisions, in one pass and constant memory.
///
/// Rows come in the order of time and are dealt to folds in blocks, because neighbours in time are
/// alike and a random split would test on what it trained on. The penalty with the least
/// cross-validated error is chosen; every fold's error comes from its sums, without a second pass.
public struct RidgeTrainer: Sendable {
    private static let folds = 5

    public let lambdas: [Double]
    private let cost: Cost
    private let blockLength: UInt64
    private var parts: [RidgeAccumulator]
    private var rows: UInt64 = 0
    private var late: UInt64 = 0

    /// - Parameters:
    ///   - lambdas: penalties to choose from, all above zero.
    ///   - blockLength: rows in a row that go to one fold.
    public init(
        lambdas: [Double] = [0.1, 1, 10, 100, 1000], blockLength: Int = 256, cost: Cost = Cost()
    ) throws(LearningError) {
        guard !lambdas.isEmpty, lambdas.allSatisfy({ $0 > 0 && $0.isFinite }), blockLength > 0
        else { throw .training("penalties and the block length must be above zero") }
        self.lambdas = lambdas
        self.cost = cost
        self.blockLength = UInt64(blockLength)
        parts = (0..<RidgeTrainer.folds).map { _ in RidgeAccumulator(size: FeatureSchema.count) }
    }

    /// Takes in one decision that was not forced, and its outcome.
    ///
    /// - Parameters:
    ///   - features: of the chosen candidate at the decision.
    ///   - predictedDelivery: its h(x), seconds.
    ///   - weight: one, or one over the propensity for a model of all actions alike.
    public mutating func add(
        features: FeatureVector, predictedDelivery: Double, outcome: Outcome,
        weight: Double = 1
    ) {
        let target = cost.residual(predictedDelivery: predictedDelivery, outcome: outcome)
        let fold = Int((rows / blockLength) % UInt64(RidgeTrainer.folds))
        withUnsafeTemporaryAllocation(of: Double.self, capacity: FeatureSchema.count + 1) { row in
            for index in 0..<FeatureSchema.count { row[index] = features[index] }
            row[FeatureSchema.count] = target
            parts[fold].add(row: UnsafeBufferPointer(row), weight: weight)
        }
        rows &+= 1
        if outcome.isLate { late &+= 1 }
    }

    /// Takes in all rows of a trainer of other data.
    public mutating func merge(_ other: RidgeTrainer) throws(LearningError) {
        for fold in parts.indices { try parts[fold].merge(other.parts[fold]) }
        rows &+= other.rows
        late &+= other.late
    }

    /// Chooses the penalty and fits all rows.
    public func train() throws(LearningError) -> (model: RidgeModel, metrics: TrainingMetrics) {
        var whole = RidgeAccumulator(size: FeatureSchema.count)
        for part in parts { try whole.merge(part) }
        guard whole.count >= 2 * UInt64(FeatureSchema.count) else {
            throw .training(
                "\(whole.count) usable decisions of \(rows); at least "
                    + "\(2 * FeatureSchema.count) are needed: record a longer run")
        }
        var chosen = lambdas[0]
        var least = Double.infinity
        for lambda in lambdas {
            let error = try crossValidated(lambda: lambda)
            if error < least {
                least = error
                chosen = lambda
            }
        }
        let solution = try whole.solve(lambda: chosen)
        let weight = whole.totalWeight
        let heuristic = whole.squaredError(
            weights: [Double](repeating: 0, count: FeatureSchema.count), intercept: 0)
        let metrics = TrainingMetrics(
            decisions: rows, refused: whole.refused, late: late, lambda: chosen,
            heldOutError: (least / weight).squareRoot(),
            heuristicError: (heuristic / weight).squareRoot(),
            meanError: (whole.targetScatter / weight).squareRoot(),
            reciprocalCondition: solution.reciprocalCondition)
        do throws(ModelProblem) {
            let model = try RidgeModel(
                weights: solution.weights, intercept: solution.intercept,
                precision: whole.precision(lambda: chosen), totalWeight: weight, lambda: chosen)
            return (model, metrics)
        } catch {
            throw .training("the fit is unusable: \(error)")
        }
    }

    /// Sum over folds of the squared error on rows that the fit did not see.
    private func crossValidated(lambda: Double) throws(LearningError) -> Double {
        var sum = 0.0
        for held in parts.indices where parts[held].totalWeight > 0 {
            var rest = RidgeAccumulator(size: FeatureSchema.count)
            for fold in parts.indices where fold != held { try rest.merge(parts[fold]) }
            // With a single block there is nothing to hold out: the error of the fit itself.
            let training = rest.totalWeight > 0 ? rest : parts[held]
            let solution = try training.solve(lambda: lambda)
            sum += parts[held].squaredError(
                weights: solution.weights, intercept: solution.intercept)
        }
        return sum
    }
}

/// How well a trained model predicts; errors are root mean squares of log delivery.
public struct TrainingMetrics: Sendable, Equatable {
    public let decisions: UInt64
    /// Rows that had a number that is not finite.
    public let refused: UInt64
    public let late: UInt64
    /// The penalty chosen.
    public let lambda: Double
    /// On blocks of time that the fit did not see.
    public let heldOutError: Double
    /// Of the heuristic alone, that is of predicting no residual.
    public let heuristicError: Double
    /// Of predicting the mean residual.
    public let meanError: Double
    /// Of the normal equations.
    public let reciprocalCondition: Double

    /// The metrics as notes of a model file.
    public var notes: [String: String] {
        [
            "decisions": String(decisions), "refused": String(refused), "late": String(late),
            "held_out_rmse": String(heldOutError), "heuristic_rmse": String(heuristicError),
            "mean_rmse": String(meanError),
        ]
    }
}
