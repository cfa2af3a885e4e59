/// Tracks a quantile of a changing stream with one number.
///
/// A sample above the estimate multiplies it by `exp(step * p)`, one below by `exp(-step * (1 -
/// p))`; in equilibrium a share `p` of the samples lies below. It is independent of scale and
/// adapts within about `1 / step` samples on each side. Source: Ma, Muthukrishnan and Sandler,
/// "Frugal Streaming for Estimating Quantiles", 2013, here with multiplicative steps.
struct QuantileTracker: Sendable {
    /// The 0.9 quantile with steps of 0.1: exp(0.09) and exp(-0.01).
    private static let up = 1.094_174_283_705_210_4
    private static let down = 0.990_049_833_749_168

    /// The estimate of the 0.9 quantile; zero before the first sample.
    private(set) var value = 0.0
    private let floor: Double

    /// - Parameter floor: smallest value of the estimate, which keeps the steps from vanishing.
    init(floor: Double) { self.floor = floor }

    /// Moves the estimate one step towards a sample.
    mutating func add(_ sample: Double) {
        guard value > 0 else {
            value = max(floor, sample)
            return
        }
        value = max(floor, value * (sample > value ? QuantileTracker.up : QuantileTracker.down))
    }
}
