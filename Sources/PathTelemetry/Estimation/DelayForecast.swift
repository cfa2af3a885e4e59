/// Predicts the one-way delay of a path's next packet from those of the packets before it.
///
/// The delay is expected to return to its usual level: with `u` the mean of about 4 s, `l` that of the
/// latest packets (a sixteenth of a second), and `a` the age of the latest one,
///
///     u + r (l - u) fade(a),    fade(a) = (0.3 s / (0.3 s + a))^2
///
/// where `r` in 0...1 is learned: the regression of deviations from `u` on those foreseen with `r =
/// 1`, over about 4 s. So a path with jitter from packet to packet is predicted by its mean, and one that
/// stays slow for a while, as radio links do, by its latest packets. Source: the autoregressive process of
/// order one, Box and Jenkins, "Time Series Analysis", 1970, section 3.2.
struct DelayForecast: Sendable {
    private var latest = DecayingMean()
    private var usual = DecayingMean()
    /// Sums of deviation times foreseen deviation and of its square; a prior of half a millisecond
    /// squared on one keeps their ratio finite.
    private var product = 0.5e-6
    private var square = 1e-6
    private static let priorProduct = 0.5e-6
    private static let priorSquare = 1e-6
    /// Seconds after which half of the root of `fade` is left.
    static let span = 0.3

    init() {}

    /// The mean of about 4 s.
    var level: Double { usual.mean }
    /// The mean of the latest packets.
    var recent: Double { latest.mean }
    /// The share of the latest deviation that is expected to last, 0...1.
    var persistence: Double { min(max(product / square, 0), 1) }

    /// Takes a delay, in seconds from any fixed origin.
    ///
    /// - Parameters:
    ///   - elapsed: seconds since the delay before.
    ///   - decay: `exp(-elapsed / 1 s)`.
    mutating func add(_ delay: Double, elapsed: Double, decay: Double) {
        // exp(-t / 4) and exp(-t / 0.0625) without another exponential.
        let slow = decay.squareRoot().squareRoot()
        let fourth = (decay * decay) * (decay * decay)
        let fast = (fourth * fourth) * (fourth * fourth)
        if usual.weight > 0 {
            let share = DelayForecast.span / (DelayForecast.span + max(0, elapsed))
            let foreseen = (latest.mean - usual.mean) * share * share
            product =
                (product - DelayForecast.priorProduct) * slow + DelayForecast.priorProduct
                + (delay - usual.mean) * foreseen
            square =
                (square - DelayForecast.priorSquare) * slow + DelayForecast.priorSquare
                + foreseen * foreseen
        }
        latest.add(delay, factor: fast)
        usual.add(delay, factor: slow)
    }
}
