import Glibc

/// Incomplete beta and gamma functions, and functions derived from them.
///
/// Source: NIST Digital Library of Mathematical Functions, 8.7, 8.9 and 8.17.22; continued
/// fractions after Lentz, "Generating Bessel functions in Mie scattering calculations using
/// continued fractions", 1976.
enum SpecialFunctions {
    private static let tiny = 1e-300
    private static let limit = 200_000

    /// A continued fraction b0 + a1 / (b1 + a2 / (b2 + ...)), by the modified method of Lentz.
    private static func fraction(_ first: Double, _ term: (Int) -> (a: Double, b: Double)) -> Double
    {
        var value = first == 0 ? tiny : first
        var c = value
        var d = 0.0
        for index in 1...limit {
            let (a, b) = term(index)
            d = b + a * d
            if d == 0 { d = tiny }
            c = b + a / c
            if c == 0 { c = tiny }
            d = 1 / d
            let factor = c * d
            value *= factor
            if (factor - 1).magnitude < 1e-16 { break }
        }
        return value
    }

    /// ln of B(a, b).
    static func logBeta(_ a: Double, _ b: Double) -> Double {
        lgamma(a) + lgamma(b) - lgamma(a + b)
    }

    /// The regularised incomplete beta function I_x(a, b), and its complement, each to full
    /// relative precision.
    ///
    /// `a` and `b` must be above zero.
    static func incompleteBeta(
        _ x: Double, _ a: Double, _ b: Double
    ) -> (value: Double, complement: Double) {
        guard x > 0 else { return (0, 1) }
        guard x < 1 else { return (1, 0) }
        func part(_ x: Double, _ y: Double, _ a: Double, _ b: Double) -> Double {
            let front = exp(a * log(x) + b * log(y) - logBeta(a, b)) / a
            let value = fraction(1) { index in
                let m = Double(index / 2)
                if index == 1 { return (-(a + b) * x / (a + 1), 1) }
                let a1 =
                    index % 2 == 0
                    ? m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
                    : -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
                return (a1, 1)
            }
            return front / value
        }
        if x <= (a + 1) / (a + b + 2) {
            let value = part(x, 1 - x, a, b)
            return (value, 1 - value)
        }
        let complement = part(1 - x, x, b, a)
        return (1 - complement, complement)
    }

    /// The x with I_x(a, b) = `probability`.
    static func betaQuantile(_ probability: Double, _ a: Double, _ b: Double) -> Double {
        guard probability > 0 else { return 0 }
        guard probability < 1 else { return 1 }
        var low = 0.0
        var high = 1.0
        var x = a / (a + b)
        for _ in 0..<300 {
            let (value, complement) = incompleteBeta(x, a, b)
            // The smaller tail is compared, so that neither loses precision.
            let error =
                probability <= 0.5 ? value - probability : (1 - probability) - complement
            if error > 0 { high = x } else { low = x }
            let density = exp((a - 1) * log(x) + (b - 1) * log1p(-x) - logBeta(a, b))
            var next = density > 0 ? x - error / density : .nan
            if !(next > low && next < high) { next = 0.5 * (low + high) }
            if (next - x).magnitude <= 1e-16 * x { return next }
            x = next
        }
        return x
    }

    /// ln of the lower incomplete gamma function, not regularised.
    ///
    /// `a` and `x` must be above zero.
    static func logLowerGamma(_ a: Double, _ x: Double) -> Double {
        if x < a + 1 {
            var term = 1 / a
            var sum = term
            var n = a
            for _ in 0..<limit {
                n += 1
                term *= x / n
                sum += term
                if term < sum * 1e-17 { break }
            }
            return a * log(x) - x + log(sum)
        }
        let value = fraction(x + 1 - a) { index in
            let i = Double(index)
            return (-i * (i - a), x + 1 - a + 2 * i)
        }
        let full: Double = lgamma(a)
        // ln(Gamma(a) - upper), where upper = e^-x x^a / value.
        return full + log1p(-exp(a * log(x) - x - log(value) - full))
    }

    /// The branch W_{-1} of Lambert's function: w with w e^w = y and w <= -1, for y in (-1/e, 0).
    ///
    /// Source: Corless et al., "On the Lambert W function", 1996, section 4; it takes Halley steps.
    static func lambertLower(_ y: Double) -> Double {
        guard y < 0, y > -exp(-1) else { return y < 0 ? -1 : .nan }
        let l = log(-y)
        var w = l < -2 ? l - log(-l) : -1 - (2 * (1 + M_E * y)).squareRoot()
        for _ in 0..<100 {
            let e = exp(w)
            let f = w * e - y
            let step = f / (e * (w + 1) - (w + 2) * f / (2 * w + 2))
            w -= step
            if step.magnitude <= 1e-16 * w.magnitude { break }
        }
        return w
    }

    /// A root of a function that changes its sign between the two ends, to full precision.
    ///
    /// Source: Chandrupatla, "A new hybrid quadratic/bisection algorithm for finding the zero of a
    /// nonlinear function without using derivatives", 1997.
    static func root(_ low: Double, _ high: Double, _ function: (Double) -> Double) -> Double {
        var (a, b) = (high, low)
        var (fa, fb) = (function(a), function(b))
        guard fa != 0 else { return a }
        guard fb != 0 else { return b }
        var (c, fc) = (a, fa)
        var share = 0.5
        for _ in 0..<300 {
            let x = a + share * (b - a)
            let fx = function(x)
            if (fx > 0) == (fa > 0) {
                (c, fc) = (a, fa)
            } else {
                (c, b) = (b, a)
                (fc, fb) = (fb, fa)
            }
            (a, fa) = (x, fx)
            let best = fa.magnitude < fb.magnitude ? a : b
            let tolerance = 2e-16 * best.magnitude + 1e-300
            let limit = tolerance / (b - c).magnitude
            if fa == 0 || fb == 0 || limit > 0.5 || (b - a).magnitude <= tolerance { return best }
            let xi = (a - b) / (c - b)
            let phi = (fa - fb) / (fc - fb)
            if phi * phi < xi, (1 - phi) * (1 - phi) < 1 - xi {
                share =
                    fa / (fb - fa) * fc / (fb - fc)
                    + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
                share = min(1 - limit, max(limit, share))
            } else {
                share = 0.5
            }
        }
        return fa.magnitude < fb.magnitude ? a : b
    }
}
