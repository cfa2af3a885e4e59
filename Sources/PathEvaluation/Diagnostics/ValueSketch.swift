import Glibc

/// The distribution of weighted numbers in bounded memory: exact up to 65,536 numbers, then with a
/// relative error of half a percent.
///
/// Beyond the limit numbers fall into bins whose bounds grow by one percent.
/// Source: Masson, Rim and Lee, "DDSketch: a fast and fully-mergeable quantile sketch with
/// relative-error guarantees", 2019.
public struct ValueSketch: Sendable {
    /// The most numbers that are kept individually.
    static let limit = 1 << 16
    private static let growth = log(1.01)

    public private(set) var count = 0
    private var values: [Double] = []
    private var weights: [Double] = []
    /// Consecutive bins from number `lowest` on; at most some 150,000.
    private var bins: [Bin] = []
    private var lowest = 0
    /// Infinite numbers, in a bin of their own.
    private var beyond = Bin()

    private struct Bin: Sendable {
        var weight = 0.0
        /// Sum of the squared weights.
        var squares = 0.0
        var count = 0
        /// The only number in the bin, NaN once there are several, so that rewards of zero and one
        /// stay exact.
        var only = 0.0

        mutating func add(_ value: Double, weight: Double, squares: Double, count: Int) {
            if self.count == 0 {
                only = value
            } else if only != value {
                only = .nan
            }
            self.weight += weight
            self.squares += squares
            self.count &+= count
        }

        /// Adds the numbers of another bin.
        mutating func add(_ other: Bin) {
            guard other.count > 0 else { return }
            add(other.only, weight: other.weight, squares: other.squares, count: other.count)
        }

        mutating func transfer(_ stream: inout NumberStream) {
            stream.pass(&count)
            stream.pass(&weight)
            stream.pass(&squares)
            var hasOne = count > 0 && only.isFinite
            stream.pass(&hasOne)
            if hasOne { stream.pass(&only) } else { only = count > 0 ? .nan : 0 }
        }
    }

    /// Whether every number is rounded at once, so that few of them need little memory.
    private var isRounded = false

    public init() {}

    /// - Parameter isRounded: whether every number is rounded at once.
    init(isRounded: Bool) { self.isRounded = isRounded }

    /// Whether nothing has been rounded yet.
    var isExact: Bool { bins.isEmpty }

    /// Adds one number; NaN is ignored.
    public mutating func add(_ value: Double, weight: Double = 1) {
        guard !value.isNaN else { return }
        count += 1
        if bins.isEmpty, !isRounded {
            values.append(value)
            weights.append(weight)
            if values.count > ValueSketch.limit { spill() }
        } else {
            put(value, weight)
        }
    }

    @inline(__always)
    private mutating func put(_ value: Double, _ weight: Double) {
        guard value < .infinity else {
            return beyond.add(value, weight: weight, squares: weight * weight, count: 1)
        }
        put(value, in: ValueSketch.bin(value), weight, weight * weight, 1)
    }

    @inline(__always)
    private mutating func put(
        _ value: Double, in bin: Int, _ weight: Double, _ squares: Double, _ count: Int
    ) {
        if bin < lowest || bin &- lowest >= bins.count { extend(to: bin) }
        bins[bin &- lowest].add(value, weight: weight, squares: squares, count: count)
    }

    /// Makes room for a bin outside the present ones.
    private mutating func extend(to bin: Int) {
        if bins.isEmpty { lowest = bin }
        if bin < lowest {
            bins.insert(contentsOf: repeatElement(Bin(), count: lowest - bin), at: 0)
            lowest = bin
        } else if bin - lowest >= bins.count {
            bins += repeatElement(Bin(), count: bin - lowest - bins.count + 1)
        }
    }

    private mutating func spill() {
        for (value, weight) in zip(values, weights) { put(value, weight) }
        values = []
        weights = []
    }

    // MARK: Merge

    /// Adds all numbers of another sketch; both are rounded to bins first.
    mutating func merge(_ other: ValueSketch) {
        var other = other
        other.round()
        round()
        for (place, bin) in other.bins.enumerated() where bin.count > 0 {
            let number = other.lowest + place
            if number < lowest || number - lowest >= bins.count { extend(to: number) }
            bins[number - lowest].add(bin)
        }
        beyond.add(other.beyond)
        count += other.count
    }

    /// Puts all numbers into bins, so that merged sketches do not depend on their sizes.
    mutating func round() {
        if !values.isEmpty { spill() }
    }

    /// Writes or reads the bins that have numbers; the sketch must be rounded.
    mutating func transfer(_ stream: inout NumberStream) {
        stream.pass(&count)
        beyond.transfer(&stream)
        var used = bins.enumerated().filter { $1.count > 0 }.map {
            (number: $0 + lowest + ValueSketch.most, bin: $1)
        }
        stream.pass(&used, empty: (number: 0, bin: Bin())) { item, stream in
            stream.pass(&item.number)
            item.bin.transfer(&stream)
        }
        bins = []
        for item in used {
            guard item.number <= 2 * ValueSketch.most else { return stream.refuse() }
            let number = item.number - ValueSketch.most
            if bins.isEmpty || number < lowest || number - lowest >= bins.count {
                extend(to: number)
            }
            bins[number - lowest].add(item.bin)
        }
    }

    /// The largest number of a bin, which is that of 1e290.
    private static let most = 80_000

    private static func bin(_ value: Double) -> Int {
        guard value.magnitude > 1e-12 else { return 0 }
        let position = (log(min(value.magnitude, 1e290) * 1e12) / growth).rounded(.up)
        return value > 0 ? Int(position) + 1 : -Int(position) - 1
    }

    private static func value(_ bin: Int) -> Double {
        guard bin != 0 else { return 0 }
        let size = 1e-12 * exp((Double(bin.magnitude) - 1.5) * growth)
        return bin > 0 ? size : -size
    }

    /// The numbers in ascending order with their weights, sums of squared weights, and counts.
    private var sorted: [Item] {
        if bins.isEmpty, !isRounded {
            return zip(values, weights).map {
                Item(value: $0, weight: $1, squares: $1 * $1, count: 1)
            }.sorted { $0.value < $1.value }
        }
        var items = bins.enumerated().filter { $1.count > 0 }.map { place, bin in
            Item(
                value: bin.only.isNaN ? ValueSketch.value(lowest + place) : bin.only,
                weight: bin.weight, squares: bin.squares, count: bin.count)
        }
        if beyond.count > 0 {
            items.append(
                Item(
                    value: .infinity, weight: beyond.weight, squares: beyond.squares,
                    count: beyond.count))
        }
        return items
    }

    private struct Item {
        var value: Double
        var weight: Double
        var squares: Double
        var count: Int
    }

    /// The quantile of sorted numbers, with linear interpolation.
    static func quantile(_ sorted: [Double], _ probability: Double) -> Double {
        guard let last = sorted.last else { return .nan }
        let place = probability * Double(sorted.count - 1)
        let below = Int(place)
        guard below + 1 < sorted.count else { return last }
        let share = place - Double(below)
        // This is numpy's formula, which gives the same last digit.
        let step = sorted[below + 1] - sorted[below]
        return share < 0.5
            ? sorted[below] + step * share : sorted[below + 1] - step * (1 - share)
    }

    /// Quantiles of the numbers with equal weights.
    public func quantiles(_ probabilities: [Double]) -> [Double] {
        let sorted = sorted
        if bins.isEmpty {
            let values = sorted.map(\.value)
            return probabilities.map { ValueSketch.quantile(values, $0) }
        }
        return probabilities.map { probability in
            var left = probability * Double(count)
            for item in sorted {
                left -= Double(item.count)
                if left <= 0 { return item.value }
            }
            return sorted.last?.value ?? .nan
        }
    }

    /// Quantiles of the weighted distribution: the least number at or below which that share of the
    /// total weight lies; NaN without weight.
    public func weightedQuantiles(_ probabilities: [Double]) -> [Double] {
        let sorted = sorted
        let all = sorted.reduce(0) { $0 + $1.weight }
        guard all > 0 else { return probabilities.map { _ in .nan } }
        return probabilities.map { probability in
            var sum = 0.0
            for item in sorted where item.weight > 0 {
                sum += item.weight
                if sum >= probability * all { return item.value }
            }
            return sorted.last { $0.weight > 0 }?.value ?? .nan
        }
    }

    /// The weighted quantiles with intervals, which are the quantiles at the ends of the interval
    /// of the weighted share below each.
    ///
    /// If that interval exceeds the data, the upper end is infinite and the lower end the least
    /// number. Source: Woodruff, "Confidence intervals for medians and other position measures",
    /// 1952; the error of the share is that of a ratio of sums, by the delta method.
    /// - Parameter deviations: standard errors on each side, 1.96 for 95 %, times the factor for
    ///   autocorrelation.
    func weightedQuantiles(
        _ probabilities: [Double], deviations: Double
    ) -> [(value: Double, low: Double, high: Double)] {
        let items = sorted.filter { $0.weight > 0 }
        var (all, squares) = (0.0, 0.0)
        for item in items {
            all += item.weight
            squares += item.squares
        }
        guard all > 0, let least = items.first?.value else {
            return probabilities.map { _ in (.nan, .nan, .nan) }
        }
        /// The least number at or below which this share of the total weight lies, with the sum of
        /// squares up to there; nil if none exists.
        func place(_ share: Double) -> (value: Double, squares: Double)? {
            var (sum, below) = (0.0, 0.0)
            for item in items {
                sum += item.weight
                below += item.squares
                if sum >= share * all * (1 - 1e-12) { return (item.value, below) }
            }
            return nil
        }
        return probabilities.map { p in
            guard let (value, below) = place(p) else { return (.nan, .nan, .nan) }
            let variance = (1 - p) * (1 - p) * below + p * p * (squares - below)
            let width = deviations * max(0, variance).squareRoot() / all
            let high = p + width < 1 ? place(p + width)?.value ?? .infinity : .infinity
            let low = p - width > 0 ? place(p - width)?.value ?? least : least
            return (value, low, high)
        }
    }

    /// The weighted mean of the greatest `share` of the total weight: the conditional value at risk
    /// if small numbers are better.
    ///
    /// Source: Huang et al., "Off-policy risk assessment in contextual bandits", 2021.
    public func upperTailMean(_ share: Double) -> Double {
        ValueSketch.tailMean(sorted.reversed().map { ($0.value, $0.weight) }, share)
    }

    /// The weighted mean of the least `share` of the total weight.
    public func lowerTailMean(_ share: Double) -> Double {
        ValueSketch.tailMean(sorted.map { ($0.value, $0.weight) }, share)
    }

    private static func tailMean(
        _ items: [(value: Double, weight: Double)], _ share: Double
    ) -> Double {
        let wanted = items.reduce(0) { $0 + $1.weight } * share
        guard wanted > 0 else { return .nan }
        var left = wanted
        var sum = 0.0
        for item in items where item.weight > 0 {
            let part = min(left, item.weight)
            sum += part * item.value
            left -= part
            if left <= 0 { break }
        }
        return sum / wanted
    }

    /// The share of the sum that belongs to the greatest `number` numbers.
    func topShare(_ number: Int) -> Double {
        let sorted = sorted
        let all = sorted.reduce(0) { $0 + $1.value * Double($1.count) }
        guard all > 0 else { return 0 }
        var left = number
        var sum = 0.0
        for item in sorted.reversed() where left > 0 {
            let part = min(left, item.count)
            sum += item.value * Double(part)
            left -= part
        }
        return sum / all
    }

    /// Counts in `number` bins of equal width over a range; numbers outside count in the end bins.
    public func histogram(_ range: ClosedRange<Double>, bins number: Int) -> [Int] {
        var counts = [Int](repeating: 0, count: number)
        let width = (range.upperBound - range.lowerBound) / Double(number)
        guard width > 0 else { return counts }
        for item in sorted {
            let place = ((item.value - range.lowerBound) / width).rounded(.down)
            counts[Int(max(0, min(Double(number - 1), place)))] += item.count
        }
        return counts
    }
}
