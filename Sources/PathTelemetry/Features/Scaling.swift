/// How a raw quantity becomes a feature of about one.
///
/// The raw value is first clamped to `low ... high`; not-a-number becomes `low`.
struct Scaling: Hashable, Sendable {
    /// The shape of the map.
    enum Curve: String, Sendable {
        /// `x / divisor`
        case linear
        /// `ln(x / reference) / divisor`
        case logarithm
        /// `ln(1 + x / reference) / divisor`
        case logarithmOfOnePlus
    }

    var curve: Curve
    var low: Double
    var high: Double
    var reference: Double
    var divisor: Double

    @inline(__always)
    static func linear(_ low: Double, _ high: Double, divisor: Double = 1) -> Scaling {
        Scaling(curve: .linear, low: low, high: high, reference: 1, divisor: divisor)
    }
    @inline(__always)
    static func log(
        _ low: Double, _ high: Double, reference: Double, divisor: Double = 1
    ) -> Scaling {
        Scaling(curve: .logarithm, low: low, high: high, reference: reference, divisor: divisor)
    }
    @inline(__always)
    static func log1p(_ high: Double, reference: Double, divisor: Double = 1) -> Scaling {
        Scaling(
            curve: .logarithmOfOnePlus, low: 0, high: high, reference: reference,
            divisor: divisor)
    }

    /// The feature of a raw value; finite for every input.
    @inline(__always)
    func apply(_ raw: Double) -> Double {
        let value = raw > low ? (raw < high ? raw : high) : low
        switch curve {
        case .linear: return value * (1 / divisor)
        case .logarithm: return naturalLogarithm(value * (1 / reference)) * (1 / divisor)
        case .logarithmOfOnePlus:
            return naturalLogarithm(1 + value * (1 / reference)) * (1 / divisor)
        }
    }

    /// The formula in the schema's text.
    var text: String {
        switch curve {
        case .linear: "x/\(divisor) on [\(low),\(high)]"
        case .logarithm: "ln(x/\(reference))/\(divisor) on [\(low),\(high)]"
        case .logarithmOfOnePlus: "ln(1+x/\(reference))/\(divisor) on [\(low),\(high)]"
        }
    }
}

/// The natural logarithm of a positive, finite, normal number, within 1e-13.
///
/// It is written out so that it is inlined, vectorised, and the same on every machine: a recorded
/// feature replays bit for bit with any C library. `x = m * 2^e` with m in [0.707, 1.414); `ln m =
/// 2 artanh((m - 1) / (m + 1))` by its series.
@inline(__always)
public func naturalLogarithm(_ x: Double) -> Double {
    let bits = x.bitPattern
    // Distance of the exponent from that of sqrt(1/2), so that m is centred on one.
    let shifted = bits &- 0x3fe6_a09e_667f_3bcd
    let exponent = Int64(bitPattern: shifted) &>> 52
    let m = Double(bitPattern: bits &- (UInt64(bitPattern: exponent) &<< 52))
    let t = (m - 1) / (m + 1)
    let s = t * t
    // Summed in pairs, so that products do not wait for each other.
    let s2 = s * s
    let s4 = s2 * s2
    let low = (2.0 + s * (2.0 / 3)) + s2 * (2.0 / 5 + s * (2.0 / 7))
    let high = (2.0 / 9 + s * (2.0 / 11)) + s2 * (2.0 / 13 + s * (2.0 / 15))
    let series = low + s4 * (high + s4 * (2.0 / 17))
    return Double(exponent) * 0.693_147_180_559_945_3 + t * series
}
