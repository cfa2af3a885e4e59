/// A sum whose rounding error does not grow with the number of terms.
///
/// Source: Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen", 1974
/// (Kahan's method, made correct for terms larger than the sum), with Knuth's branch-free two-sum.
public struct CompensatedSum: Hashable, Sendable {
    @usableFromInline var sum = 0.0
    @usableFromInline var correction = 0.0

    @inlinable public init() {}

    @inlinable public var value: Double { sum + correction }

    /// The complete state, from which a sum continues with the same bits.
    public var state: (sum: Double, correction: Double) {
        get { (sum, correction) }
        set { (sum, correction) = newValue }
    }

    /// Adds one number.
    @inlinable
    public mutating func add(_ term: Double) {
        let next = sum + term
        let part = next - sum
        correction += (sum - (next - part)) + (term - part)
        sum = next
    }

    /// Adds another sum with its correction.
    @inlinable
    public mutating func add(_ other: CompensatedSum) {
        add(other.sum)
        add(other.correction)
    }
}
