internal import Glibc

extension RandomNumberGenerator {
    /// Uniform in `[0, 1)`, 53 bits.
    @inlinable
    public mutating func uniform() -> Double { Double(next() &>> 11) * 0x1p-53 }

    /// An exponential deviate with mean one.
    public mutating func exponential() -> Double { -log1p(-uniform()) }

    /// A standard normal number from two uniform ones (Box and Muller 1958).
    @inlinable
    public mutating func normal() -> Double {
        let radius = uniform()
        return normalDeviate(radius, uniform())
    }
}

/// The normal number for two uniform ones.
@usableFromInline
func normalDeviate(_ radius: Double, _ angle: Double) -> Double {
    (-2 * log(1 - radius)).squareRoot() * cos(2 * Double.pi * angle)
}
