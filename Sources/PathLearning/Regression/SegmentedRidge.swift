/// Ridge regression from rows in time order: ten training segments and a held-out part.
///
/// The sums of each segment are kept separately, so that one pass over the rows gives everything:
/// cross-validation on whole segments (rows are autocorrelated, so a random split would test on
/// almost the same data), the held-out error, the learning curve and the feature importances. Sums
/// of parts of the data can be merged.
public struct SegmentedRidge: Sendable {
    /// Number of training segments.
    public static let segments = 10

    /// Number of features.
    public let size: Int
    /// The segments in the order of time; the last one is the held-out part.
    public private(set) var parts: [RidgeAccumulator]

    /// - Precondition: `size` is above zero.
    public init(size: Int) {
        self.size = size
        parts = (0...SegmentedRidge.segments).map { _ in RidgeAccumulator(size: size) }
    }

    /// Makes it from the sums of every segment and of the held-out part.
    ///
    /// - Throws: `LearningError.training` if their number or sizes do not match.
    public init(parts: [RidgeAccumulator]) throws(LearningError) {
        guard parts.count == SegmentedRidge.segments + 1, let size = parts.first?.size,
            parts.allSatisfy({ $0.size == size })
        else { throw .training("statistics of \(parts.count) segments or of different sizes") }
        self.size = size
        self.parts = parts
    }

    /// Adds a row whose last element is the target.
    ///
    /// - Parameter segment: 0 ..< `segments`, or nil for a row that is held out.
    public mutating func add(
        _ row: UnsafeBufferPointer<Double>, segment: Int?, weight: Double = 1
    ) {
        let place = segment.map { min(max(0, $0), SegmentedRidge.segments - 1) }
        parts[place ?? SegmentedRidge.segments].add(row: row, weight: weight)
    }

    /// Adds all rows of another one of the same size.
    public mutating func merge(_ other: SegmentedRidge) throws(LearningError) {
        for index in parts.indices { try parts[index].merge(other.parts[index]) }
    }

    /// The held-out part.
    public var heldOut: RidgeAccumulator { parts[SegmentedRidge.segments] }

    /// Rows that were not finite or had a negative weight.
    public var refused: UInt64 { parts.reduce(0) { $0 &+ $1.refused } }

    /// The sums of the segments below `count`, optionally without one.
    public func training(
        first count: Int = SegmentedRidge.segments, without excluded: Int? = nil
    ) throws(LearningError) -> RidgeAccumulator {
        var whole = RidgeAccumulator(size: size)
        for index in 0..<min(count, SegmentedRidge.segments) where index != excluded {
            try whole.merge(parts[index])
        }
        return whole
    }

    /// Chooses the penalty with the least cross-validated error and fits all segments.
    public func fit(lambdas: [Double]) throws(LearningError) -> SegmentedFit {
        guard !lambdas.isEmpty, lambdas.allSatisfy({ $0 > 0 && $0.isFinite }) else {
            throw .training("penalties must be above zero")
        }
        let whole = try training()
        guard whole.count >= 2 * UInt64(size) else {
            throw .training(
                "\(whole.count) usable decisions; at least \(2 * size) are needed: "
                    + "record a longer run")
        }
        let rests = try folds()
        var chosen = lambdas[0]
        var least = Double.infinity
        for lambda in lambdas {
            var error = 0.0
            for (held, rest) in rests {
                let solution = try rest.solve(lambda: lambda)
                error += held.squaredError(
                    weights: solution.weights, intercept: solution.intercept)
            }
            if error < least {
                least = error
                chosen = lambda
            }
        }
        let solution = try whole.solve(lambda: chosen)
        let weight = whole.totalWeight
        let none = [Double](repeating: 0, count: size)
        let heuristic = whole.squaredError(weights: none, intercept: 0)
        do throws(ModelProblem) {
            return SegmentedFit(
                head: try LinearHead(
                    weights: solution.weights, intercept: solution.intercept,
                    precision: whole.precision(lambda: chosen), totalWeight: weight,
                    lambda: chosen),
                rows: whole.count, crossValidated: (least / weight).squareRoot(),
                heuristic: (heuristic / weight).squareRoot(),
                mean: (whole.targetScatter / weight).squareRoot(),
                heldOut: Self.measure(heldOut, solution.weights, solution.intercept),
                reciprocalCondition: solution.reciprocalCondition)
        } catch {
            throw .training("the fit is unusable: \(error)")
        }
    }

    /// Each segment with the sums of all others; a single segment is fitted on itself.
    private func folds() throws(LearningError) -> [(held: RidgeAccumulator, rest: RidgeAccumulator)]
    {
        var result: [(held: RidgeAccumulator, rest: RidgeAccumulator)] = []
        for index in 0..<SegmentedRidge.segments where parts[index].totalWeight > 0 {
            let rest = try training(without: index)
            result.append((parts[index], rest.totalWeight > 0 ? rest : parts[index]))
        }
        return result
    }

    private static func measure(
        _ part: RidgeAccumulator, _ weights: [Double], _ intercept: Double
    ) -> SegmentedFit.HeldOut? {
        let weight = part.totalWeight
        guard weight > 0 else { return nil }
        let none = [Double](repeating: 0, count: part.size)
        let model = part.squaredError(weights: weights, intercept: intercept)
        return SegmentedFit.HeldOut(
            rows: part.count, model: (model / weight).squareRoot(),
            heuristic: (part.squaredError(weights: none, intercept: 0) / weight).squareRoot())
    }

    /// The held-out error after training on only the first segments.
    public func curve(lambda: Double) throws(LearningError) -> [CurvePoint] {
        guard heldOut.totalWeight > 0 else { return [] }
        var points: [CurvePoint] = []
        for count in [1, 2, 3, 5, 7, 10] {
            let part = try training(first: count)
            guard part.count >= 2 * UInt64(size) else { continue }
            let solution = try part.solve(lambda: lambda)
            guard let error = Self.measure(heldOut, solution.weights, solution.intercept) else {
                continue
            }
            points.append(CurvePoint(rows: part.count, heldOut: error.model))
        }
        return points
    }

    /// Feature importances: the growth of the cross-validated squared error if the model is fitted
    /// without the feature, with a 95 % interval over the segments.
    ///
    /// Correlated features substitute for each other, so each alone may have no importance.
    public func importances(lambda: Double) throws(LearningError) -> [FeatureImportance] {
        let rests = try folds()
        guard rests.count > 1 else { return [] }
        var full: [Double] = []
        for (held, rest) in rests {
            let solution = try rest.solve(lambda: lambda)
            full.append(
                held.squaredError(weights: solution.weights, intercept: solution.intercept)
                    / held.totalWeight)
        }
        let reference = full.reduce(0, +) / Double(full.count)
        var result: [FeatureImportance] = []
        for feature in 0..<size {
            var changes: [Double] = []
            for (index, (held, rest)) in rests.enumerated() {
                let solution = try rest.solve(lambda: lambda, excluding: feature)
                let error =
                    held.squaredError(weights: solution.weights, intercept: solution.intercept)
                    / held.totalWeight
                changes.append(reference > 0 ? (error - full[index]) / reference : 0)
            }
            let count = Double(changes.count)
            let mean = changes.reduce(0, +) / count
            let variance =
                changes.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / max(1, count - 1)
            result.append(
                FeatureImportance(
                    feature: feature, growth: mean,
                    margin: Self.studentQuantile(changes.count - 1)
                        * (variance / count).squareRoot()))
        }
        return result
    }

    /// The 97.5 % quantile of Student's t.
    private static func studentQuantile(_ freedom: Int) -> Double {
        let table = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262]
        return table[min(max(1, freedom), table.count) - 1]
    }
}

/// A ridge regression and its fit; errors are root mean squares of the target.
public struct SegmentedFit: Sendable, Equatable {
    public let head: LinearHead
    /// Training rows.
    public let rows: UInt64
    /// Cross-validated error.
    public let crossValidated: Double
    /// Error of predicting zero, which is the heuristic if the target is a residual.
    public let heuristic: Double
    /// Error of predicting the mean.
    public let mean: Double
    /// Errors on the held-out part; nil if none exists.
    public let heldOut: HeldOut?
    /// Reciprocal condition number of the normal equations.
    public let reciprocalCondition: Double

    /// Errors on the held-out rows.
    public struct HeldOut: Sendable, Equatable {
        public let rows: UInt64
        public let model: Double
        public let heuristic: Double
    }
}

/// A point of a learning curve.
public struct CurvePoint: Sendable, Equatable {
    /// Training rows.
    public let rows: UInt64
    /// Root mean square error on the held-out part.
    public let heldOut: Double
}

/// The importance of a feature to a model.
public struct FeatureImportance: Sendable, Equatable {
    /// Its position in the schema.
    public let feature: Int
    /// Growth of the squared error without it, as a share of the error with it.
    public let growth: Double
    /// Half of the width of a 95 % interval.
    public let margin: Double
}
