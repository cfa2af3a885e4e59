public import PathTelemetry

/// Linear models of the heuristic's error, one for each kind of network condition: what falcon
/// chooses from.
public struct ClusterModels: Sendable, Equatable {
    /// How many there may be.
    public static let limit = 8

    /// For each cluster a weight a feature, and one for the constant.
    public let weights: [[Double]]

    /// - Throws: `LearningError.training` for none, too many, another size, or numbers that are not
    ///   finite.
    public init(weights: [[Double]]) throws(LearningError) {
        guard !weights.isEmpty, weights.count <= ClusterModels.limit else {
            throw .training("\(weights.count) clusters: 1 to \(ClusterModels.limit) are usable")
        }
        guard
            weights.allSatisfy({
                $0.count == FeatureSchema.count + 1 && $0.allSatisfy(\.isFinite)
            })
        else {
            throw .training(
                "clusters need \(FeatureSchema.count + 1) finite weights each, constant last")
        }
        self.weights = weights
    }

    /// The heuristic as it is, and a trained model's correction where there is one.
    init(model: Model?) {
        let size = FeatureSchema.count + 1
        var weights = [[Double](repeating: 0, count: size)]
        if let residual = model?.residual, residual.weights.count + 1 == size {
            weights.append(residual.weights + [residual.intercept])
        }
        self.weights = weights
    }
}

/// Makes cluster models from recorded decisions: k-means on what kind of network the path was, then
/// a ridge regression on the residual in each cluster.
///
/// Two passes over the same rows: `addCondition`, `cluster`, `addOutcome`, `train`. Clustering looks
/// at RTT, loss, length of loss bursts and variation of the rate, as scaled by the feature schema.
/// Source: Wu, Alay, Brunstrom, Caso and Ferlin, "FALCON: Fast and Accurate Multipath Scheduling
/// using Offline and Online Learning", 2022 (there with neural networks).
public struct ClusterTrainer: Sendable {
    private static let conditions: [Feature] = [
        .smoothedRTT, .lossLong, .lossBurst, .rateVariation,
    ]
    /// Rows kept for clustering.
    private static let reservoir = 20_000
    private static let rounds = 30

    public let clusters: Int
    private var generator: SeededGenerator
    private var rows: [[Double]] = []
    private var seen = 0
    private var centres: [[Double]] = []
    private var sums: [RidgeAccumulator] = []
    private let cost: Cost

    /// - Parameter clusters: 1 to `ClusterModels.limit`; held within that.
    public init(clusters: Int, seed: UInt64, cost: Cost = Cost()) {
        self.clusters = min(max(1, clusters), ClusterModels.limit)
        self.cost = cost
        generator = SeededGenerator(seed: seed)
    }

    /// First pass: the conditions under which a decision was made.
    public mutating func addCondition(_ features: FeatureVector) {
        let row = ClusterTrainer.conditions.map { features[$0.rawValue] }
        guard row.allSatisfy(\.isFinite) else { return }
        seen += 1
        if rows.count < ClusterTrainer.reservoir {
            rows.append(row)
        } else {
            let place = Int(generator.next() % UInt64(seen))
            if place < rows.count { rows[place] = row }
        }
    }

    /// Finds the clusters by k-means, started with k-means++.
    ///
    /// - Throws: `LearningError.training` with fewer rows than clusters.
    public mutating func cluster() throws(LearningError) {
        guard rows.count >= clusters else {
            throw .training("\(rows.count) decisions do not make \(clusters) clusters")
        }
        centres = [rows[Int(generator.next() % UInt64(rows.count))]]
        while centres.count < clusters {
            let distances = rows.map { row in ClusterTrainer.nearest(row, centres).distance }
            var draw = generator.uniform() * distances.reduce(0, +)
            var chosen = rows.count - 1
            for (index, distance) in distances.enumerated() {
                draw -= distance
                if draw < 0 {
                    chosen = index
                    break
                }
            }
            centres.append(rows[chosen])
        }
        for _ in 0..<ClusterTrainer.rounds {
            var totals = [[Double]](
                repeating: [Double](repeating: 0, count: ClusterTrainer.conditions.count),
                count: clusters)
            var counts = [Double](repeating: 0, count: clusters)
            for row in rows {
                let own = ClusterTrainer.nearest(row, centres).index
                counts[own] += 1
                for place in row.indices { totals[own][place] += row[place] }
            }
            for index in centres.indices where counts[index] > 0 {
                centres[index] = totals[index].map { $0 / counts[index] }
            }
        }
        sums = [RidgeAccumulator](
            repeating: RidgeAccumulator(size: FeatureSchema.count), count: clusters)
    }

    /// Second pass: how a decision turned out.
    public mutating func addOutcome(
        _ features: FeatureVector, predictedDelivery: Double, outcome: Outcome
    ) {
        guard !centres.isEmpty else { return }
        let conditions = ClusterTrainer.conditions.map { features[$0.rawValue] }
        var row = (0..<FeatureSchema.count).map { features[$0] }
        row.append(cost.residual(predictedDelivery: predictedDelivery, outcome: outcome))
        guard row.allSatisfy(\.isFinite) else { return }
        let own = ClusterTrainer.nearest(conditions, centres).index
        row.withUnsafeBufferPointer { sums[own].add(row: $0) }
    }

    /// A ridge regression in each cluster that has enough outcomes.
    public func train(lambda: Double = 1) throws(LearningError) -> ClusterModels {
        var weights: [[Double]] = []
        for sum in sums where sum.count >= UInt64(FeatureSchema.count) {
            let solution = try sum.solve(lambda: lambda)
            weights.append(solution.weights + [solution.intercept])
        }
        return try ClusterModels(weights: weights)
    }

    private static func nearest(
        _ row: [Double], _ centres: [[Double]]
    ) -> (index: Int, distance: Double) {
        var best = (index: 0, distance: Double.infinity)
        for (index, centre) in centres.enumerated() {
            var distance = 0.0
            for place in row.indices {
                let difference = row[place] - centre[place]
                distance += difference * difference
            }
            if distance < best.distance { best = (index, distance) }
        }
        return best
    }
}
