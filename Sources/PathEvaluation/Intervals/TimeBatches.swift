import PathTelemetry

/// Sums over batches of consecutive decisions, for autocorrelated decisions.
///
/// It holds at most 512 batches of equal length; when they are full, adjacent ones are merged.
/// Their sums are additive, so ratios over batches are correct.
struct TimeBatches: Sendable {
    /// The sums of one batch: count, rewards, w, w r, d and w (r - q).
    struct Batch: Sendable {
        var count = 0.0
        var reward = 0.0
        var weight = 0.0
        var inverse = 0.0
        var direct = 0.0
        var residual = 0.0

        static func += (left: inout Batch, right: Batch) {
            left.count += right.count
            left.reward += right.reward
            left.weight += right.weight
            left.inverse += right.inverse
            left.direct += right.direct
            left.residual += right.residual
        }

        mutating func transfer(_ stream: inout NumberStream) {
            stream.pass(&count)
            if !(count >= 0 && count <= 1e12) {
                stream.refuse()
                count = 0
            }
            stream.pass(&reward)
            stream.pass(&weight)
            stream.pass(&inverse)
            stream.pass(&direct)
            stream.pass(&residual)
        }

        /// The estimate from these sums; nil for estimators that need others.
        func value(_ kind: EstimatorDescriptor) -> Double? { kind.fromTotals?(self) }

        var gain: Double { (direct + residual - reward) / count }
        var recorded: Double { reward / count }
    }

    private static let limit = 512
    /// Decisions per batch.
    private(set) var length = 1
    private(set) var batches: [Batch] = []
    private var open = Batch()

    init() {}

    @inline(__always)
    mutating func add(
        weight: Double, reward: Double, modelled: Double, direct: Double
    ) {
        open.count += 1
        open.reward += reward
        open.weight += weight
        open.inverse += weight * reward
        open.direct += direct
        open.residual += weight * (reward - modelled)
        if open.count >= Double(length) { close() }
    }

    private mutating func close() {
        batches.append(open)
        open = Batch()
        guard batches.count == TimeBatches.limit else { return }
        batches = TimeBatches.halved(batches)
        length *= 2
    }

    private static func halved(_ batches: [Batch]) -> [Batch] {
        stride(from: 0, to: batches.count - 1, by: 2).map { index in
            var both = batches[index]
            both += batches[index + 1]
            return both
        }
    }

    /// Merges to about 64 to 127 batches, and fewer while neighbouring batches are correlated.
    ///
    /// The rest at the end joins the last batch.
    func stretches(_ value: (Batch) -> Double) -> [Batch] {
        var result = batches
        var rest = open
        func fold() {
            if result.count % 2 == 1, let last = result.popLast() {
                var both = last
                both += rest
                rest = both
            }
            result = TimeBatches.halved(result)
        }
        while result.count >= 128 { fold() }
        while result.count >= 32 {
            let rho = Autocorrelation.first(result.map(value))
            guard rho > 2 / Double(result.count).squareRoot() else { break }
            fold()
        }
        if rest.count > 0 {
            if result.isEmpty { result.append(rest) } else { result[result.count - 1] += rest }
        }
        return result
    }

    // MARK: Merge

    /// Halves the number of batches; one that is left over joins the rest at the end.
    private mutating func fold() {
        if batches.count % 2 == 1, let last = batches.popLast() {
            var both = last
            both += open
            open = both
        }
        batches = TimeBatches.halved(batches)
        length *= 2
    }

    /// Keeps fewer than 128 batches, as `stretches` does first; nothing is added afterwards.
    mutating func condense() {
        while batches.count >= 128 { fold() }
    }

    /// Appends the batches of a later part of the log, both with the greater length of the two.
    ///
    /// The rest of the earlier part joins its last batch.
    mutating func merge(_ later: TimeBatches) {
        var later = later
        guard later.open.count > 0 || !later.batches.isEmpty else { return }
        while length < later.length { fold() }
        while later.length < length { later.fold() }
        if open.count > 0 {
            if batches.isEmpty { batches.append(open) } else { batches[batches.count - 1] += open }
        }
        batches += later.batches
        open = later.open
        while batches.count >= TimeBatches.limit { fold() }
    }

    /// Writes or reads all numbers.
    mutating func transfer(_ stream: inout NumberStream) {
        stream.pass(&length)
        // A length is a power of two of decisions that were counted.
        if length < 1 || length & (length - 1) != 0 {
            length = 1
            stream.refuse()
        }
        stream.pass(&batches, empty: Batch()) { batch, stream in batch.transfer(&stream) }
        open.transfer(&stream)
        if batches.count >= TimeBatches.limit { stream.refuse() }
    }

    private static func total(_ batches: some Sequence<Batch>) -> Batch {
        batches.reduce(into: Batch()) { $0 += $1 }
    }

    /// Student's t on the batches, with the jackknife error for ratios.
    ///
    /// Source: Schmeiser, "Batch size effects in the analysis of simulation output", 1982; the
    /// jackknife over batches gives the ratio's error.
    func batchMeans(
        _ kind: EstimatorDescriptor, confidence: Double
    ) -> (interval: Interval, standardError: Double)? {
        batchMeans(confidence: confidence) { $0.value(kind) ?? .nan }
    }

    func batchMeans(
        confidence: Double, _ value: (Batch) -> Double
    ) -> (interval: Interval, standardError: Double)? {
        let parts = stretches(value)
        let all = TimeBatches.total(parts)
        guard parts.count >= 4 else { return nil }
        let center = value(all)
        var left = Moments()
        for part in parts {
            var rest = all
            rest += part.negated
            left.add(value(rest))
        }
        let number = Double(parts.count)
        let error = ((number - 1) / number * left.scatter).squareRoot()
        guard center.isFinite, error.isFinite else { return nil }
        let width = StudentDistribution.quantile(0.5 + confidence / 2, freedom: number - 1) * error
        return (
            Interval(
                center - width, center + width,
                method: "batch means, \(parts.count) batches, t"), error
        )
    }

    /// The ratio of the standard error from batches to that for independent decisions; nil if there
    /// are too few batches.
    func errorRatio(
        of value: (Batch) -> Double, independent error: Double
    ) -> Double? {
        guard batches.count >= 64, error > 0, let own = batchMeans(confidence: 0.95, value)
        else { return nil }
        return own.standardError / error
    }

    /// The same ratio if it is clearly above one, else one.
    ///
    /// The error from 64 batches is known to 9 percent, so 1.3 hardly occurs by chance.
    func dependence(of value: (Batch) -> Double, independent error: Double) -> Double {
        let ratio = errorRatio(of: value, independent: error) ?? 1
        return ratio > TimeBatches.clearRatio ? ratio : 1
    }

    static let clearRatio = 1.3

    /// Resamples batches with replacement.
    ///
    /// Source: Carlstein, "The use of subseries values for estimating the variance of a general
    /// statistic from a stationary sequence", 1986. The spread is widened by sqrt(m / (m - 1)).
    func blockBootstrap(
        _ kind: EstimatorDescriptor, confidence: Double, resamples: Int, seed: UInt64
    ) -> (interval: Interval, standardError: Double)? {
        blockBootstrap(confidence: confidence, resamples: resamples, seed: seed) {
            $0.value(kind) ?? .nan
        }
    }

    func blockBootstrap(
        confidence: Double, resamples: Int, seed: UInt64, _ value: (Batch) -> Double
    ) -> (interval: Interval, standardError: Double)? {
        let parts = stretches(value)
        guard parts.count >= 4 else { return nil }
        var generator = SeededGenerator(seed: seed)
        let center = value(TimeBatches.total(parts))
        let number = Double(parts.count)
        let widening = (number / (number - 1)).squareRoot()
        var values: [Double] = []
        for _ in 0..<resamples {
            var sum = Batch()
            for _ in parts.indices {
                sum += parts[min(parts.count - 1, Int(generator.uniform() * number))]
            }
            let resampled = value(sum)
            if resampled.isFinite { values.append(center + (resampled - center) * widening) }
        }
        return PoissonBootstrap.percentiles(
            values, confidence: confidence,
            method: "block bootstrap, \(parts.count) blocks, percentile")
    }

    /// Sums over time in about `count` batches.
    func series(_ count: Int) -> [Batch] {
        var all = batches
        if open.count > 0 { all.append(open) }
        let step = max(1, (all.count + count - 1) / max(1, count))
        return stride(from: 0, to: all.count, by: step).map { start in
            TimeBatches.total(all[start..<min(all.count, start + step)])
        }
    }
}

extension TimeBatches.Batch {
    var negated: TimeBatches.Batch {
        TimeBatches.Batch(
            count: -count, reward: -reward, weight: -weight, inverse: -inverse, direct: -direct,
            residual: -residual)
    }
}

/// Autocorrelation of a series.
enum Autocorrelation {
    /// Lag-1 autocorrelation, from -1 to 1; zero for numbers without variance.
    static func first(_ values: [Double]) -> Double {
        var moments = Moments()
        for value in values { moments.add(value) }
        guard moments.scatter > 0, values.count > 2 else { return 0 }
        let mean = moments.mean
        var sum = 0.0
        for index in 1..<values.count { sum += (values[index - 1] - mean) * (values[index] - mean) }
        return sum / moments.scatter
    }
}
