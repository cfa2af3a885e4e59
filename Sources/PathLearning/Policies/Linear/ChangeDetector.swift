/// Detects a change of the environment by one-sided errors of a model (CUSUM).
///
/// For each path it keeps a two-sided sum of standardised errors z beyond a slack of one half, `g =
/// max(0, g + z - 1/2)` and the same for -z. A change is detected if a sum passes the threshold
/// after at least 30 outcomes of that path. The scale of errors is learned from all paths. Errors
/// beyond four standard deviations count as four, so that one late burst is no change. Source:
/// Page, "Continuous inspection schemes", 1954.
struct ChangeDetector: Sendable {
    private static let slack = 0.5
    private static let patience: Int32 = 30
    private static let clip = 4.0
    private static let gain = 1.0 / 128

    private struct Sums: Sendable {
        var above = 0.0
        var below = 0.0
        var count: Int32 = 0
    }

    let threshold: Double
    /// Number of detected changes.
    private(set) var changes: UInt64 = 0
    /// Mean square of the errors.
    private var scale = 0.0
    private var observed: Int32 = 0
    private var sums: InlineArray<16, Sums>

    init(threshold: Double) {
        self.threshold = threshold
        sums = InlineArray(repeating: Sums())
    }

    /// Takes an error of the model.
    ///
    /// - Parameters:
    ///   - place: the path's number, below 16.
    ///   - spread: share of the variance that comes from the uncertainty of the weights.
    /// - Returns: true if a change was detected; the sums are then reset.
    mutating func notice(error: Double, spread: Double, place: Int) -> Bool {
        guard threshold < .infinity, place < 16, error.isFinite, spread >= 0 else { return false }
        let square = error * error / (1 + spread)
        if observed < ChangeDetector.patience {
            observed += 1
            scale += (square - scale) / Double(observed)
            sums[place].count += 1
            return false
        }
        let deviation = max(scale, 1e-12).squareRoot()
        let bound = ChangeDetector.clip
        let z = min(max(error / (deviation * (1 + spread).squareRoot()), -bound), bound)
        scale += ChangeDetector.gain * (min(square, 9 * scale) - scale)
        sums[place].count &+= 1
        guard sums[place].count > ChangeDetector.patience else { return false }
        sums[place].above = max(0, sums[place].above + z - ChangeDetector.slack)
        sums[place].below = max(0, sums[place].below - z - ChangeDetector.slack)
        guard max(sums[place].above, sums[place].below) > threshold else { return false }
        changes &+= 1
        for index in 0..<16 { sums[index] = Sums() }
        return true
    }
}
