import CKernels
import PathTelemetry

/// What shared weights do not explain of one path: a mean error of its own, shrunk to zero, and how
/// far its errors scatter, shrunk to what is usual.
///
/// The errors are of logarithms, so of two paths with the same mean the one that scatters more takes
/// longer: by half the variance, for a log-normal delivery.
/// All evidence ages by one clock, so an idle path's offset fades and its uncertainty comes back.
/// Source: Efron and Morris, "Stein's estimation rule and its competitors", 1973, as the posterior
/// mean of a path's effect with a prior worth `shrinkage` outcomes.
struct PathOffsets: Sendable {
    /// Time after which evidence counts half, seconds.
    static let halfLife = 1.0
    /// Outcomes that the assumption of no offset is worth.
    static let shrinkage = 6.0

    /// Sums of errors, sums of their squares, and counts; one a path each.
    private var evidence = [Double](repeating: 0, count: 3 * PathID.limit)

    /// Takes in an error after all evidence faded by `decay`.
    mutating func learn(_ path: PathID, error: Double, decay: Double) {
        ck_learn_offset(
            &evidence, min(path.index, PathID.limit - 1), min(max(error, -2), 2), decay)
    }

    mutating func forget() {
        for index in evidence.indices { evidence[index] = 0 }
    }

    /// Writes what decisions use: the expected error of each path, half the variance of its errors,
    /// and the bonus for not knowing it well.
    ///
    /// - Parameters:
    ///   - usual: variance of the errors of all paths.
    ///   - optimism: bonus of a path with one outcome, the prior's among them.
    func fill(_ terms: inout ck_learned, usual: Double, optimism: Double) {
        ck_take_offsets(evidence, usual, optimism, PathOffsets.shrinkage, &terms)
    }
}
