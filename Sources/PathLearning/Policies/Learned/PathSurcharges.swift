import CKernels
import Glibc
import PathTelemetry

/// How much worse the results of messages on each path are than predicted: late ones, and delays
/// that the regression of logarithms takes for rare.
///
/// The mean error of a path, in seconds, shrunk to zero. All evidence is discounted by one clock, so
/// that an idle path is tried again.
struct PathSurcharges: Sendable {
    /// Half-life of evidence, seconds.
    private static let halfLife = 8.0
    /// Weight of the prior of no surcharge, in outcomes.
    private static let shrinkage = 20.0

    private var sums = InlineArray<16, Double>(repeating: 0)
    private var counts = InlineArray<16, Double>(repeating: 0)

    /// Takes the error of a predicted result, `elapsed` seconds after the previous outcome.
    mutating func learn(_ path: PathID, error: Double, elapsed: Double) {
        let decay = exp2(-elapsed / PathSurcharges.halfLife)
        for index in sums.indices {
            sums[index] *= decay
            counts[index] *= decay
        }
        let place = min(path.index, PathID.limit - 1)
        sums[place] += error
        counts[place] += 1
    }

    mutating func forget() { self = PathSurcharges() }

    /// Writes the surcharge of each path for decisions.
    func fill(_ terms: inout ck_learned) {
        withUnsafeMutableBytes(of: &terms.surcharges) { bytes in
            for index in sums.indices {
                bytes.storeBytes(
                    of: sums[index] / (counts[index] + PathSurcharges.shrinkage),
                    toByteOffset: index * MemoryLayout<Double>.stride, as: Double.self)
            }
        }
    }
}
