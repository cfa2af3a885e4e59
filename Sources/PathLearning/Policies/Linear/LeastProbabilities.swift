import Glibc

/// The probability of each of several independent normal variables to be the least, which is the
/// probability with which Thompson sampling chooses it.
///
/// Two variables: `P(a < b) = Phi((m_b - m_a) / sqrt(s_a^2 + s_b^2))`. More: for each k the
/// integral of `phi((u - m_k) / s_k) / s_k` times the product of `Phi((m_j - u) / s_j)` over the
/// others, by Gauss-Legendre quadrature with 16 nodes on panels of three times the least deviation
/// in range. Those that are the least with a probability below 1e-11 get zero. Absolute error below
/// 1e-9.
struct LeastProbabilities {
    /// A candidate that is this many standard deviations of the difference worse has no chance.
    private static let hopeless = 6.8
    /// Truncation of a normal distribution, standard deviations.
    private static let reach = 7.0
    private static let panel = 3.0

    /// Writes the probabilities by candidate; zero for those not in `members`.
    ///
    /// - Parameters:
    ///   - means, deviations: finite; deviations zero or positive.
    ///   - members: bit k means that candidate k takes part; at least one.
    static func fill(
        means: borrowing InlineArray<16, Double>, deviations: borrowing InlineArray<16, Double>,
        members: UInt32, into result: inout InlineArray<16, Double>
    ) {
        for index in 0..<16 { result[index] = 0 }
        var best = -1
        for index in 0..<16 where members & (1 &<< UInt32(index)) != 0 {
            if best < 0 {
                best = index
            } else if means[index] < means[best] {
                best = index
            }
        }
        guard best >= 0 else { return }
        // The candidates with a chance, compacted; means are relative to the best one.
        var places = InlineArray<16, Int>(repeating: 0)
        var m = InlineArray<16, Double>(repeating: 0)
        var s = InlineArray<16, Double>(repeating: 0)
        var count = 0
        var widest = 0.0
        for index in 0..<16 where members & (1 &<< UInt32(index)) != 0 {
            let gap = means[index] - means[best]
            let own = deviations[index]
            let other = deviations[best]
            guard
                index == best
                    || gap <= hopeless * (own * own + other * other).squareRoot()
            else { continue }
            places[count] = index
            m[count] = gap
            s[count] = own
            widest = max(widest, own)
            count += 1
        }
        guard count > 1, widest > 0 else {
            result[best] = 1
            return
        }
        if count == 2 {
            let difference = (s[0] * s[0] + s[1] * s[1]).squareRoot()
            let first = NormalTable.upperTail((m[0] - m[1]) / difference)
            result[places[0]] = first
            result[places[1]] = 1 - first
            return
        }
        for index in 0..<count { s[index] = max(s[index], 1e-10 * widest) }
        var sums = InlineArray<16, Double>(repeating: 0)
        integrate(means: m, deviations: s, count: count, into: &sums)
        var total = 0.0
        for index in 0..<count { total += sums[index] }
        for index in 0..<count { result[places[index]] = sums[index] / total }
    }

    private static func integrate(
        means: borrowing InlineArray<16, Double>, deviations: borrowing InlineArray<16, Double>,
        count: Int, into sums: inout InlineArray<16, Double>
    ) {
        var low = Double.infinity
        var high = Double.infinity
        var inverse = InlineArray<16, Double>(repeating: 0)
        for index in 0..<count {
            low = min(low, means[index] - reach * deviations[index])
            high = min(high, means[index] + reach * deviations[index])
            inverse[index] = 1 / deviations[index]
        }
        let table = NormalTable.shared
        var left = low
        var survival = InlineArray<16, Double>(repeating: 0)
        var density = InlineArray<16, Double>(repeating: 0)
        var before = InlineArray<16, Double>(repeating: 0)
        while left < high {
            // A panel is limited by the narrowest distribution in range, and ends where another
            // begins.
            var right = high
            for index in 0..<count {
                let start = means[index] - reach * deviations[index]
                right = min(right, left < start ? start : left + panel * deviations[index])
            }
            // The panel is too narrow for numbers of this size, so the loop ends.
            guard right > left else { break }
            let half = (right - left) / 2
            let middle = left + half
            for node in 0..<NormalTable.nodeCount {
                let u = middle + half * table.nodes[node]
                var product = half * table.weights[node]
                for index in 0..<count {
                    let z = (u - means[index]) * inverse[index]
                    let (tail, value) = table.tail(z)
                    survival[index] = tail
                    density[index] = value * inverse[index]
                    before[index] = product
                    product *= tail
                }
                var after = 1.0
                var index = count &- 1
                while index >= 0 {
                    sums[index] += before[index] * density[index] * after
                    after *= survival[index]
                    index &-= 1
                }
            }
            left = right
        }
    }
}

/// The standard normal distribution by Taylor series around tabulated points, and the nodes and
/// weights of Gauss-Legendre quadrature.
struct NormalTable: Sendable {
    static let shared = NormalTable()
    static let nodeCount = 16
    private static let steps = 32.0
    private static let limit = 8.0

    let nodes: InlineArray<16, Double>
    let weights: InlineArray<16, Double>
    /// `Q(z)` and `phi(z)` alternating, for z from -8 to 8 in steps of 1/32.
    private let values: InlineArray<1026, Double>

    private init() {
        var nodes = InlineArray<16, Double>(repeating: 0)
        var weights = InlineArray<16, Double>(repeating: 0)
        let n = Double(NormalTable.nodeCount)
        for index in 0..<NormalTable.nodeCount {
            // Newton's method on the Legendre polynomial, by its recurrence.
            var x = cos(Double.pi * (Double(index) + 0.75) / (n + 0.5))
            var slope = 1.0
            for _ in 0..<50 {
                var (previous, value) = (1.0, x)
                for degree in 2...NormalTable.nodeCount {
                    let k = Double(degree)
                    (previous, value) = (
                        value, ((2 * k - 1) * x * value - (k - 1) * previous) / k
                    )
                }
                slope = n * (x * value - previous) / (x * x - 1)
                x -= value / slope
            }
            nodes[index] = x
            weights[index] = 2 / ((1 - x * x) * slope * slope)
        }
        self.nodes = nodes
        self.weights = weights
        var values = InlineArray<1026, Double>(repeating: 0)
        for index in 0..<513 {
            let z = Double(index) / NormalTable.steps - NormalTable.limit
            values[2 * index] = NormalTable.upperTail(z)
            values[2 * index + 1] = exp(-z * z / 2) / (2 * Double.pi).squareRoot()
        }
        self.values = values
    }

    /// `Q(z) = P(Z > z)` to the precision of the C library.
    static func upperTail(_ z: Double) -> Double { erfc(z * 0.5.squareRoot()) / 2 }

    /// `Q(z)` and `phi(z)`; absolute errors below 1e-11 and 1e-10.
    @inline(__always)
    func tail(_ z: Double) -> (tail: Double, density: Double) {
        guard z > -NormalTable.limit else { return (1, 0) }
        guard z < NormalTable.limit else { return (0, 0) }
        let place = ((z + NormalTable.limit) * NormalTable.steps + 0.5).rounded(.down)
        let a = place * (1 / NormalTable.steps) - NormalTable.limit
        let d = z - a
        let index = 2 &* Int(place)
        let all = values.span
        let phi = all[index &+ 1]
        // Hermite polynomials: the n-th derivative of phi is (-1)^n He_n phi.
        let h2 = a * a - 1
        let h3 = a * (a * a - 3)
        let h4 = a * a * (a * a - 6) + 3
        let h5 = a * (a * a * (a * a - 10) + 15)
        let density = 1 + d * (-a + d * (h2 / 2 + d * (-h3 / 6 + d * (h4 / 24 - d * h5 / 120))))
        let area = d * (1 + d * (-a / 2 + d * (h2 / 6 + d * (-h3 / 24 + d * h4 / 120))))
        return (all[index] - phi * area, phi * density)
    }
}
