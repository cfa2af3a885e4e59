import Glibc
import PathTelemetry

/// An interval for the mean of paired differences, as of two policies in the same worlds.
///
/// It resamples the differences with replacement. Percentiles of few differences are too narrow, so
/// their levels are moved outwards by as much as Student's t exceeds the normal distribution, and by
/// the bias of the variance. Source: Hesterberg, "What teachers should know about the bootstrap",
/// 2015, section 5.3 (expanded percentile interval).
public enum PairedBootstrap {
    /// The interval; nil for fewer than three differences, or if one is not finite.
    ///
    /// - Parameters:
    ///   - differences: one of each pair; they are taken as independent.
    ///   - confidence: between 0 and 1.
    ///   - seed: seed of the resampling.
    public static func interval(
        _ differences: [Double], confidence: Double, seed: UInt64, resamples: Int = 4000
    ) -> Interval? {
        let count = differences.count
        guard count > 2, differences.allSatisfy(\.isFinite) else { return nil }
        var random = SeededGenerator(seed: seed)
        var means: [Double] = []
        means.reserveCapacity(resamples)
        for _ in 0..<resamples {
            var sum = 0.0
            for _ in 0..<count { sum += differences[Int.random(in: 0..<count, using: &random)] }
            means.append(sum / Double(count))
        }
        means.sort()
        let tail = (1 - confidence) / 2
        let width =
            StudentDistribution.quantile(1 - tail, freedom: Double(count - 1))
            * (Double(count) / Double(count - 1)).squareRoot()
        let expanded = erfc(width / 2.0.squareRoot()) / 2
        return Interval(
            ValueSketch.quantile(means, expanded), ValueSketch.quantile(means, 1 - expanded),
            method: "bootstrap, expanded percentile")
    }
}
