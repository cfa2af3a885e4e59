import DenseMath
import Glibc
import PathTelemetry
import PathTrace

/// The outcome of a burst.
struct BurstFacts: Sendable {
    var isLate: Bool
    /// Seconds to delivery; nil if no arrival was recorded.
    var delivery: Double?
    /// The deadline that applied, seconds.
    var deadline: Double
    var bytes: Double
    /// The evaluated policy's mean price for these bytes, with all copies.
    var price: Double
}

extension BurstFacts {
    /// Makes the facts of a batch's decision that has an outcome.
    ///
    /// - Parameter pricePerGB: price of the action, with all copies.
    @inline(__always)
    init(_ index: Int, of batch: borrowing DecisionBatch, pricePerGB: Double) {
        let delivery = batch.deliveries[index]
        // Bytes of one copy, since the price covers all copies.
        let taken = batch.outcomeBytes[index]
        let bytes =
            taken.isEmpty
            ? Double(batch.bursts[index].bytes)
            : Double(taken.total) / Double(max(1, batch.actions[index].count))
        self.init(
            isLate: batch.isLate[index], delivery: delivery.isNaN ? nil : delivery,
            deadline: batch.deadlines[index], bytes: bytes, price: bytes * 1e-9 * pricePerGB)
    }
}

/// The self-normalised sums behind `NetworkFigures`, in constant memory.
struct NetworkSums: Sendable {
    private var deliveries: ValueSketch
    /// Batches over time of lateness, and of the logarithm of the delivery time.
    private var lateness = TimeBatches()
    private var times = TimeBatches()
    private var logarithms = OffPolicySums(hasModel: false)
    private var block = RowBlock()
    private(set) var count = 0
    private var weights = CompensatedSum()
    private var squares = CompensatedSum()
    /// The same for late bursts only, and how many of them have weight.
    private var lateWeights = CompensatedSum()
    private var lateSquares = CompensatedSum()
    private var lateCount = 0
    private var bytes = CompensatedSum()
    private var price = CompensatedSum()
    private var agreement = CompensatedSum()

    /// - Parameter isBrief: whether times are rounded at once, so that the sums need little memory.
    init(isBrief: Bool = false) { deliveries = ValueSketch(isRounded: isBrief) }

    /// Adds one decision, in the order of the log.
    mutating func add(_ burst: BurstFacts, weight: Double, agreement share: Double) {
        count += 1
        weights.add(weight)
        squares.add(weight * weight)
        if burst.isLate {
            lateWeights.add(weight)
            lateSquares.add(weight * weight)
            if weight > 0 { lateCount += 1 }
        }
        bytes.add(burst.bytes)
        price.add(burst.price)
        agreement.add(share)
        // A late burst without a recorded arrival counts as slower than all others.
        deliveries.add(burst.delivery ?? .infinity, weight: weight)
        lateness.add(weight: weight, reward: burst.isLate ? 1 : 0, modelled: 0, direct: 0)
        let time = min(max(burst.delivery ?? burst.deadline, 1e-4), max(burst.deadline, 1e-4))
        let logarithm = log(min(time, 1e6))
        times.add(weight: weight, reward: logarithm, modelled: 0, direct: 0)
        block.append(OffPolicyRow(weight: weight, reward: logarithm))
        if block.isFull {
            logarithms.add(block)
            block.removeAll()
        }
    }

    // MARK: Merge

    /// Adds what is still in the block, and keeps no more than a file needs.
    mutating func condense() {
        logarithms.add(block)
        block.removeAll()
        deliveries.round()
        lateness.condense()
        times.condense()
    }

    /// Appends a later part of the log; both must be condensed.
    mutating func merge(_ later: NetworkSums) {
        deliveries.merge(later.deliveries)
        lateness.merge(later.lateness)
        times.merge(later.times)
        logarithms.merge(later.logarithms)
        count += later.count
        weights.add(later.weights)
        squares.add(later.squares)
        lateWeights.add(later.lateWeights)
        lateSquares.add(later.lateSquares)
        lateCount += later.lateCount
        bytes.add(later.bytes)
        price.add(later.price)
        agreement.add(later.agreement)
    }

    /// Writes or reads all numbers.
    mutating func transfer(_ stream: inout NumberStream) {
        deliveries.transfer(&stream)
        lateness.transfer(&stream)
        times.transfer(&stream)
        logarithms.transfer(&stream)
        stream.pass(&count)
        stream.pass(&weights)
        stream.pass(&squares)
        stream.pass(&lateWeights)
        stream.pass(&lateSquares)
        stream.pass(&lateCount)
        stream.pass(&bytes)
        stream.pass(&price)
        stream.pass(&agreement)
    }

    /// The figures of the decisions so far.
    func figures(confidence: Double) -> NetworkFigures {
        var logarithms = logarithms
        logarithms.add(block)
        let error = logarithms.estimate(.snips)?.standardError ?? .nan
        let dependence = times.dependence(
            of: { $0.inverse / $0.weight }, independent: error)
        let deviations = NormalDistribution.quantile(0.5 + confidence / 2) * dependence
        let all = weights.value
        return NetworkFigures(
            lateShare: all > 0 ? lateWeights.value / all : .nan,
            lateInterval: lateInterval(confidence, dependence),
            deliveries: zip(
                NetworkFigures.probabilities,
                deliveries.weightedQuantiles(NetworkFigures.probabilities, deviations: deviations)
            ).map { probability, place in
                NetworkFigures.Quantile(
                    probability: probability, value: place.value, low: place.low,
                    high: place.high)
            }, pricePerGB: bytes.value > 0 ? price.value / bytes.value * 1e9 : 0,
            agreement: count > 0 ? agreement.value / Double(count) : .nan,
            effectiveCount: squares.value > 0 ? all * all / squares.value : 0)
    }

    /// Number of late bursts from which the variance of their weights is known well enough.
    private static let manyLate = 30

    /// Clopper and Pearson's interval at the effective number of independent bursts of equal
    /// weight, which is p (1 - p) over the squared standard error.
    ///
    /// With few or no late bursts the number is at most the effective sample size. Source: Korn and
    /// Graubard, "Confidence intervals for proportions with small expected number of positive
    /// counts estimated from survey data", 1998.
    private func lateInterval(_ confidence: Double, _ dependence: Double) -> Interval {
        let method = "Clopper-Pearson at the effective number"
        let all = weights.value
        guard all > 0, squares.value > 0 else { return Interval(0, 1, method: method) }
        let p = min(1, max(0, lateWeights.value / all))
        let variance =
            ((1 - p) * (1 - p) * lateSquares.value + p * p * (squares.value - lateSquares.value))
            / (all * all)
        let error = max(0, variance).squareRoot()
        let factor = max(
            dependence,
            lateness.dependence(of: { $0.inverse / $0.weight }, independent: error))
        let effective = all * all / squares.value
        var number = p > 0 && p < 1 && variance > 0 ? p * (1 - p) / variance : effective
        if lateCount < NetworkSums.manyLate { number = min(number, effective) }
        number = max(1, min(number, Double(count)) / (factor * factor))
        let tail = (1 - confidence) / 2
        let (late, timely) = (p * number, (1 - p) * number)
        return Interval(
            late > 0 ? SpecialFunctions.betaQuantile(tail, late, timely + 1) : 0,
            timely > 0 ? SpecialFunctions.betaQuantile(1 - tail, late + 1, timely) : 1,
            method: factor > 1 ? method + ", widened by batch means" : method)
    }
}
