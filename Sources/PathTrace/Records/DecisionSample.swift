import PathTelemetry

/// Which decisions are recorded, if not all of them: each with the same probability, whatever it is and
/// whatever becomes of it.
///
/// It needs no memory: the number of a decision says whether it belongs to the sample, so that its
/// outcome is found by the same number.
public struct DecisionSample: Hashable, Sendable {
    /// The smallest share that is of use.
    public static let least = 1e-6

    /// The probability that a decision is recorded: above zero, and one for all.
    public let share: Double
    private let key: UInt64
    private let limit: UInt64

    /// - Parameters:
    ///   - share: the probability; it is taken into the possible range.
    ///   - seed: of the session, so that samples of sessions do not depend on each other.
    public init(share: Double, seed: UInt64) {
        self.share = share > DecisionSample.least ? min(share, 1) : DecisionSample.least
        key = SplitMix64.mix(seed ^ 0x7361_6d70_6c65_0001)
        limit = UInt64(self.share * 0x1p53)
    }

    /// Whether a decision with this number is recorded.
    public func takes(_ number: UInt64) -> Bool {
        share == 1 || SplitMix64.mix(SplitMix64.mix(number) &+ key) >> 11 < limit
    }
}
