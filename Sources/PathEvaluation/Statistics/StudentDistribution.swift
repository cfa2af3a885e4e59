/// Student's t distribution.
enum StudentDistribution {
    /// The upper tail probability of a positive number, for these degrees of freedom.
    static func tail(_ value: Double, freedom: Double) -> Double {
        guard freedom > 0, value.isFinite else { return 0 }
        let x = freedom / (freedom + value * value)
        return SpecialFunctions.incompleteBeta(x, freedom / 2, 0.5).value / 2
    }

    /// The quantile for these degrees of freedom.
    ///
    /// Above 1,000 degrees of freedom it uses the expansion about the normal quantile, whose error
    /// is then below 1e-14. Source: Abramowitz and Stegun, "Handbook of mathematical functions",
    /// 1964, 26.7.1 and 26.7.5.
    static func quantile(_ probability: Double, freedom: Double) -> Double {
        guard freedom > 0, probability > 0, probability < 1 else {
            return NormalDistribution.quantile(freedom > 0 ? probability : .nan)
        }
        if freedom > 1000 {
            let z = NormalDistribution.quantile(probability)
            let s = z * z
            let g1 = (s + 1) * z / 4
            let g2 = ((5 * s + 16) * s + 3) * z / 96
            let g3 = (((3 * s + 19) * s + 17) * s - 15) * z / 384
            let g4 = ((((79 * s + 776) * s + 1482) * s - 1920) * s - 945) * z / 92160
            let r = 1 / freedom
            return z + r * (g1 + r * (g2 + r * (g3 + r * g4)))
        }
        // P(|T| > t) = I_x(freedom / 2, 1 / 2) with x = freedom / (freedom + t^2).
        let tail = 2 * min(probability, 1 - probability)
        let x = SpecialFunctions.betaQuantile(tail, freedom / 2, 0.5)
        let t = x > 0 ? (freedom * (1 - x) / x).squareRoot() : .infinity
        return probability < 0.5 ? -t : t
    }
}
