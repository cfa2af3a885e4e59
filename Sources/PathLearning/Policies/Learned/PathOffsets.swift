import CKernels
import PathTelemetry

/// The error of one path beyond the shared weights: its mean error, shrunk to zero, and the
/// variance of its errors, shrunk to the usual one.
///
/// The errors are of logarithms, so with equal means the path with the larger variance takes
/// longer: by half the variance, for a log-normal delivery. All evidence is discounted by one
/// clock, so an idle path's offset fades and its uncertainty returns. Source: Efron and Morris,
/// "Stein's estimation rule and its competitors", 1973, here as the posterior mean of a path's
/// effect with a prior worth `shrinkage` outcomes.
struct PathOffsets: Sendable {
    /// Half-life of evidence, seconds.
    static let halfLife = 1.0
    /// Weight of the prior of no offset, in outcomes.
    static let shrinkage = 6.0

    /// Sums of errors, sums of their squares, and counts; one of each per path.
    private var evidence = [Double](repeating: 0, count: 3 * PathID.limit)

    /// Adds an error after discounting all evidence by `decay`.
    mutating func learn(_ path: PathID, error: Double, decay: Double) {
        ck_learn_offset(
            &evidence, min(path.index, PathID.limit - 1), min(max(error, -2), 2), decay)
    }

    mutating func forget() {
        for index in evidence.indices { evidence[index] = 0 }
    }

    /// Writes the terms for decisions: the expected error of each path, half the variance of its
    /// errors, and the bonus for its uncertainty.
    ///
    /// - Parameters:
    ///   - usual: variance of the errors of all paths.
    ///   - optimism: bonus of a path with one outcome, including those of the prior.
    func fill(_ terms: inout ck_learned, usual: Double, optimism: Double) {
        ck_take_offsets(evidence, usual, optimism, PathOffsets.shrinkage, &terms)
    }
}
