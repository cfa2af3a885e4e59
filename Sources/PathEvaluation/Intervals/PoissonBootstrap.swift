import PathTelemetry

/// Resamples decisions by giving each a random count, so that it can stream without indices.
///
/// All sums of a resample use the same counts, so their ratios are correct, unlike resampling only
/// a numerator. The counts of block j of resample b come from their own random stream, so the
/// result does not depend on the number of threads or the assignment of blocks. Counts are Poisson
/// distributed with mean one, on a grid of 1/4096 with mean and variance of exactly one. Source:
/// Chamandy, Muralidharan, Najmi and Naidu, "Estimating uncertainty for massive data streams",
/// 2012; Hanley and MacGibbon, 2006.
struct PoissonBootstrap: Sendable {
    let resamples: Int
    /// Number of sums per resample: of the counts, and of each column.
    let width: Int
    private let seed: UInt64
    private var blocks = 0
    private var sums: [Double]

    /// - Parameters:
    ///   - columns: numbers of a decision whose sums are resampled.
    ///   - resamples: at least two.
    init(columns: Int, resamples: Int, seed: UInt64) {
        precondition(columns > 0 && resamples > 1)
        self.resamples = resamples
        width = columns + 1
        self.seed = seed
        sums = [Double](repeating: 0, count: resamples * (columns + 1))
    }

    /// How many of 4,096 draws give each count.
    private static let shares = [1507, 1509, 748, 254, 63, 13, 2]
    private static let table: [Float] = shares.enumerated().flatMap { count, share in
        [Float](repeating: Float(count), count: share)
    }

    /// Adds up to 256 rows, each column contiguous.
    ///
    /// Blocks must come in the same order for the same result; only the last may be short.
    mutating func add(_ columns: [UnsafePointer<Double>], count: Int) {
        precondition(columns.count + 1 == width && count <= RowBlock.capacity)
        let block = UInt64(truncatingIfNeeded: blocks)
        blocks &+= 1
        withUnsafeTemporaryAllocation(of: Float.self, capacity: RowBlock.capacity) { counts in
            PoissonBootstrap.table.withUnsafeBufferPointer { table in
                sums.withUnsafeMutableBufferPointer { sums in
                    guard let counts = counts.baseAddress, let table = table.baseAddress,
                        let base = sums.baseAddress
                    else { return }
                    for resample in 0..<resamples {
                        let stream = SplitMix64.mix(
                            seed &+ SplitMix64.increment &* UInt64(resample &+ 1)
                                ^ (block &* 0xd1b5_4a32_d192_ed03))
                        let total = PoissonBootstrap.draw(counts, count, table, stream)
                        let row = base + resample &* width
                        row[0] += total
                        for column in 0..<width &- 1 {
                            row[column &+ 1] += PoissonBootstrap.dot(counts, columns[column], count)
                        }
                    }
                }
            }
        }
    }

    /// Draws the counts of a block from a SplitMix64 stream, five from each number.
    @inline(__always)
    private static func draw(
        _ counts: UnsafeMutablePointer<Float>, _ count: Int, _ table: UnsafePointer<Float>,
        _ stream: UInt64
    ) -> Double {
        var stream = SplitMix64(state: stream)
        var index = 0
        var t0: Float = 0
        var t1: Float = 0
        while index &+ 5 <= count {
            let bits = stream.next()
            let a = table[Int(truncatingIfNeeded: bits & 4095)]
            let b = table[Int(truncatingIfNeeded: (bits &>> 12) & 4095)]
            let c = table[Int(truncatingIfNeeded: (bits &>> 24) & 4095)]
            let d = table[Int(truncatingIfNeeded: (bits &>> 36) & 4095)]
            let e = table[Int(truncatingIfNeeded: (bits &>> 48) & 4095)]
            counts[index] = a
            counts[index &+ 1] = b
            counts[index &+ 2] = c
            counts[index &+ 3] = d
            counts[index &+ 4] = e
            // Sums of small integers are exact.
            t0 += (a + b) + c
            t1 += d + e
            index &+= 5
        }
        while index < count {
            counts[index] = table[Int(truncatingIfNeeded: stream.next() & 4095)]
            t0 += counts[index]
            index &+= 1
        }
        return Double(t0 + t1)
    }

    @inline(__always)
    private static func dot(
        _ counts: UnsafePointer<Float>, _ x: UnsafePointer<Double>, _ count: Int
    ) -> Double {
        var (s0, s1) = (SIMD4<Double>(), SIMD4<Double>())
        var index = 0
        while index &+ 8 <= count {
            let a = UnsafeRawPointer(counts + index).loadUnaligned(as: SIMD4<Float>.self)
            let b = UnsafeRawPointer(counts + (index &+ 4)).loadUnaligned(as: SIMD4<Float>.self)
            let c = UnsafeRawPointer(x + index).loadUnaligned(as: SIMD4<Double>.self)
            let d = UnsafeRawPointer(x + (index &+ 4)).loadUnaligned(as: SIMD4<Double>.self)
            s0 += SIMD4<Double>(a) * c
            s1 += SIMD4<Double>(b) * d
            index &+= 8
        }
        let s = s0 + s1
        var sum = (s[0] + s[2]) + (s[1] + s[3])
        while index < count {
            sum += Double(counts[index]) * x[index]
            index &+= 1
        }
        return sum
    }

    /// The statistic of every resample, computed from the sums of the counts and of each column.
    ///
    /// Resamples without any decision are left out.
    func values(_ statistic: (UnsafeBufferPointer<Double>) -> Double) -> [Double] {
        sums.withUnsafeBufferPointer { sums in
            (0..<resamples).compactMap { resample in
                let row = UnsafeBufferPointer(
                    rebasing: sums[resample * width..<(resample + 1) * width])
                guard row[0] > 0 else { return nil }
                let value = statistic(row)
                return value.isFinite ? value : nil
            }
        }
    }

    /// The percentile interval and the standard error of a statistic.
    func interval(
        confidence: Double, method: String = "Poisson bootstrap, percentile",
        _ statistic: (UnsafeBufferPointer<Double>) -> Double
    ) -> (interval: Interval, standardError: Double)? {
        PoissonBootstrap.percentiles(values(statistic), confidence: confidence, method: method)
    }

    static func percentiles(
        _ values: [Double], confidence: Double, method: String
    ) -> (interval: Interval, standardError: Double)? {
        guard values.count > 1 else { return nil }
        let sorted = values.sorted()
        var moments = Moments()
        for value in values { moments.add(value) }
        let tail = (1 - confidence) / 2
        return (
            Interval(
                ValueSketch.quantile(sorted, tail), ValueSketch.quantile(sorted, 1 - tail),
                method: method), moments.variance.squareRoot()
        )
    }
}
