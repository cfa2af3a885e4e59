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

    private var sums: [Double]
    private var squares: [Double]
    private var counts: [Double]

    init() {
        sums = [Double](repeating: 0, count: PathID.limit)
        squares = sums
        counts = sums
    }

    /// The expected error of a path.
    @inline(__always)
    func offset(_ path: PathID) -> Double {
        let index = min(path.index, PathID.limit - 1)
        return sums[index] / (counts[index] + PathOffsets.shrinkage)
    }

    /// One over the outcomes behind it, the prior's among them.
    @inline(__always)
    func uncertainty(_ path: PathID) -> Double {
        1 / (counts[min(path.index, PathID.limit - 1)] + PathOffsets.shrinkage)
    }

    /// The variance of a path's errors, where `usual` is that of all.
    @inline(__always)
    func variance(_ path: PathID, usual: Double) -> Double {
        let index = min(path.index, PathID.limit - 1)
        let mean = offset(path)
        return max(
            0,
            (squares[index] + PathOffsets.shrinkage * usual)
                / (counts[index] + PathOffsets.shrinkage) - mean * mean)
    }

    /// Takes in an error after all evidence faded by `decay`.
    mutating func learn(_ path: PathID, error: Double, decay: Double) {
        for index in 0..<PathID.limit {
            sums[index] *= decay
            squares[index] *= decay
            counts[index] *= decay
        }
        let index = min(path.index, PathID.limit - 1)
        let error = min(max(error, -2), 2)
        sums[index] += error
        squares[index] += error * error
        counts[index] += 1
    }

    mutating func forget() {
        for index in 0..<PathID.limit {
            sums[index] = 0
            squares[index] = 0
            counts[index] = 0
        }
    }
}
