import Glibc
import PathLearning
import PathTelemetry

/// Learns which candidate to choose from recordings of another policy: every candidate of a
/// decision becomes a row with an unbiased estimate of its residual.
///
///     ips  guess(a) = [a taken] r / p
///     dr   guess(a) = q(a) + [a taken] (r - q(a)) / p
///
/// where q is the regression on chosen candidates, fitted without the decision's segment. The
/// least-squares fit to the guesses is the cost-sensitive regression of the reduction from policy
/// learning. Each decision counts once, however many candidates it had. Source: Dudík, Langford and
/// Li, "Doubly robust policy evaluation and learning", 2011, section 4.
struct PolicyLearning {
    let reader: RowReader
    /// The regressions fitted without each segment, for `dr`; nil for `ips`.
    let guesses: [RidgeSolution]?

    /// Adds all candidates of the training decisions.
    func add(
        _ source: borrowing TraceSource, to ridge: inout SegmentedRidge,
        seen: (Int) -> Bool
    ) throws(TrainingError) {
        var row = [Double](repeating: 0, count: FeatureSchema.count + 1)
        try reader.forEachDecision(source, seen: seen) { candidates, residual, info in
            guard let segment = info.segment, candidates.count > 0 else { return }
            let importance = reader.inversePropensity(info)
            for index in 0..<candidates.count {
                let start = index * FeatureSchema.count
                for feature in 0..<FeatureSchema.count {
                    row[feature] = candidates.features[start + feature]
                }
                var guess = guesses.map { PolicyLearning.predict($0[segment], row) } ?? 0
                if candidates.chosen == index { guess += importance * (residual - guess) }
                row[FeatureSchema.count] = guess
                row.withUnsafeBufferPointer {
                    ridge.add($0, segment: segment, weight: 1 / Double(candidates.count))
                }
            }
        }
    }

    private static func predict(_ solution: RidgeSolution, _ row: [Double]) -> Double {
        var sum = solution.intercept
        for index in solution.weights.indices { sum += solution.weights[index] * row[index] }
        return sum
    }
}

/// The value of the greedy policy, which always takes the candidate that a model predicts to be
/// cheapest, on held-out decisions; the cost is the logarithm of the delivery time in seconds, plus
/// one if late.
public struct PolicyValue: Sendable, Equatable {
    public var decisions: Int
    /// Mean cost of the recorded decisions.
    public var recorded: Double
    /// Doubly robust estimate of the greedy policy, and half its 95 % interval.
    public var value: Double
    /// Value minus recorded, paired by decision, and half its 95 % interval.
    public var change: Double
    public var changeMargin: Double
    /// Share of the decisions in which it takes the recorded action.
    public var agreement: Double
}

/// Measures greedy policies by the doubly robust estimator.
struct PolicyMeasurement {
    let policy: LinearHead
    let guess: LinearHead
    private var count = 0.0
    private var recorded = 0.0
    private var value = 0.0
    private var change = 0.0
    private var squares = 0.0
    private var agreed = 0.0

    init(policy: LinearHead, guess: LinearHead) {
        self.policy = policy
        self.guess = guess
    }

    mutating func add(
        _ candidates: RowReader.Candidates, residual: Double, importance: Double
    ) {
        guard let chosen = candidates.chosen, candidates.count > 0 else { return }
        var best = 0
        var least = Double.infinity
        for index in 0..<candidates.count {
            let cost =
                log(max(candidates.predictions[index], 1e-4))
                + PolicyMeasurement.predict(policy, candidates, index)
            if cost < least {
                least = cost
                best = index
            }
        }
        let cost = log(max(candidates.predictions[chosen], 1e-4)) + residual
        var estimate =
            log(max(candidates.predictions[best], 1e-4))
            + PolicyMeasurement.predict(guess, candidates, best)
        if best == chosen {
            estimate +=
                importance * (residual - PolicyMeasurement.predict(guess, candidates, chosen))
            agreed += 1
        }
        guard estimate.isFinite, cost.isFinite else { return }
        count += 1
        recorded += cost
        value += estimate
        change += estimate - cost
        squares += (estimate - cost) * (estimate - cost)
    }

    private static func predict(
        _ head: LinearHead, _ candidates: RowReader.Candidates, _ index: Int
    ) -> Double {
        var sum = head.intercept
        let start = index * FeatureSchema.count
        for feature in 0..<FeatureSchema.count {
            sum += head.weights[feature] * candidates.features[start + feature]
        }
        return sum
    }

    var result: PolicyValue? {
        guard count > 1 else { return nil }
        let mean = change / count
        let variance = max(0, squares / count - mean * mean) * count / (count - 1)
        return PolicyValue(
            decisions: Int(count), recorded: recorded / count, value: value / count,
            change: mean, changeMargin: 1.96 * (variance / count).squareRoot(),
            agreement: agreed / count)
    }
}
