import Glibc

/// The factor of exponential decay over `elapsed` with a time constant in seconds.
///
/// `exp(-elapsed / timeConstant)`; one if no time has passed or the clock went back.
func decayFactor(_ elapsed: TimeDelta, timeConstant: Double) -> Double {
    elapsed.nanoseconds <= 0 ? 1 : exp(-elapsed.seconds / timeConstant)
}

/// A mean and a variance in which a sample's weight decays exponentially with its age.
///
/// `weight = factor * weight + 1`, so samples of one instant have equal weight, and an idle path
/// keeps its mean while the weight of the mean decays. The caller passes the factor, because
/// several estimators of one path share one exponential. Source: West, "Updating mean and variance
/// estimates: an improved method", 1979, with decay.
struct DecayingMean: Sendable {
    /// Weighted number of samples; zero before the first.
    private(set) var weight = 0.0
    /// Weighted mean; zero before the first sample.
    private(set) var mean = 0.0
    private(set) var squares = 0.0

    init() {}

    /// Variance of the samples about their mean, with the same weights.
    var variance: Double { weight > 0 ? max(0, squares / weight) : 0 }

    /// Adds a sample after multiplying the weight of the older ones by `factor` (0...1).
    mutating func add(_ sample: Double, factor: Double) {
        weight = weight * factor + 1
        squares *= factor
        let difference = sample - mean
        mean += difference / weight
        squares += difference * (sample - mean)
    }
}

/// The share of lost packets, with both counts decaying exponentially.
///
/// A prior of one delivered packet is included, so a single early loss is not taken as certain, and
/// old evidence decays to "no loss" while nothing is sent.
struct DecayingShare: Sendable {
    private(set) var lost = 0.0
    private(set) var delivered = 0.0

    init() {}

    /// `lost / (lost + delivered + 1)`, in 0 ..< 1.
    var share: Double { lost / (lost + delivered + 1) }

    /// Multiplies both counts by a factor from zero to one.
    mutating func decay(_ factor: Double) {
        lost *= factor
        delivered *= factor
    }

    /// Counts packets declared lost.
    mutating func add(lost count: Int) { lost += Double(max(0, count)) }
    /// Counts packets acknowledged.
    mutating func add(delivered count: Int) { delivered += Double(max(0, count)) }
}
