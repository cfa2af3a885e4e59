/// A sum whose rounding error does not grow with the number of terms.
///
/// Source: Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen",
/// 1974 (Kahan's method, right also when a term is larger than the sum).
public struct CompensatedSum: Sendable {
    private var sum = 0.0
    private var correction = 0.0

    public init() {}

    public var value: Double { sum + correction }

    /// Takes in one number.
    public mutating func add(_ term: Double) {
        let next = sum + term
        if sum.magnitude >= term.magnitude {
            correction += (sum - next) + term
        } else {
            correction += (term - next) + sum
        }
        sum = next
    }

    /// Takes in another sum with what rounding took off it.
    public mutating func add(_ other: CompensatedSum) {
        add(other.sum)
        add(other.correction)
    }
}
