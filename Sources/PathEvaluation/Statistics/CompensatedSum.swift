/// A sum that keeps what rounding takes off it, so that its error does not grow with the count.
///
/// Source: Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen",
/// 1974, with Knuth's branch-free two-sum.
public struct CompensatedSum: Hashable, Sendable {
    private var sum = 0.0
    private var lost = 0.0

    public init() {}

    public var value: Double { sum + lost }

    /// Takes in one number.
    @inline(__always)
    public mutating func add(_ term: Double) {
        let next = sum + term
        let part = next - sum
        lost += (sum - (next - part)) + (term - part)
        sum = next
    }

    /// Takes in another sum with what rounding took off it.
    public mutating func merge(_ other: CompensatedSum) {
        add(other.sum)
        add(other.lost)
    }
}
