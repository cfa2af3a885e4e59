import Glibc

/// Bets on numbers from zero to one, each computed from the numbers before.
///
/// The bet on the t-th number is `sqrt(2 ln(1 / alpha) / (t ln(1 + t) v))`, with the variance v of
/// the numbers before. Source: Waudby-Smith and Ramdas, "Estimating means of bounded random
/// variables by betting", 2023, section 3.2.
public struct PredictableBets: Sendable {
    private let level: Double
    private var time = 0.0
    private var sum = 0.0
    private var squares = 0.25
    private var variance = 0.25

    /// - Parameter alpha: the probability with which the bound of one side may fail.
    public init(alpha: Double) { level = 2 * log(1 / alpha) }

    /// The bet on the next number, before `learn` takes it.
    public var next: Double {
        let t = time + 1
        return (level / (t * log1p(t) * variance)).squareRoot()
    }

    /// Takes the next number.
    public mutating func learn(_ x: Double) {
        time += 1
        sum += x
        let mean = min((0.5 + sum) / (time + 1), 1)
        squares += (x - mean) * (x - mean)
        variance = squares / (time + 1)
    }
}
