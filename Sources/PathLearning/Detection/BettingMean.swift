/// A confidence sequence for the mean of numbers in a known range, in constant memory.
///
/// The intervals at all times hold simultaneously with probability 1 - alpha, so one may look after
/// every number and stop at any time. It needs no independence: the mean given the past has to be
/// constant. It bets against each of 63 possible means, from above and from below, and gives up a
/// mean for which a bettor's capital reached 2 / alpha; its interval is exact up to the distance of
/// these means, a 64th of the range, and never too narrow. It does not allocate. Source:
/// Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", 2023,
/// section 4 (hedged capital with predictable bets, cut at one half).
package struct BettingMean: Sendable {
    private static let candidates = 63
    private static let cut = 0.5

    private let start: Double
    private let width: Double
    private let limit: Double
    private var bets: PredictableBets
    /// Capital that grows if the mean is above, or below, each candidate.
    private var above = InlineArray<63, Double>(repeating: 1)
    private var below = InlineArray<63, Double>(repeating: 1)
    /// The greatest candidate that is too low and the least one that is too high; 0 and 64 are the
    /// ends of the range.
    private var low = 0
    private var high = BettingMean.candidates + 1
    /// Numbers taken.
    package private(set) var count = 0

    /// - Parameters:
    ///   - range: where all numbers lie; it has to be known in advance.
    ///   - alpha: the probability with which the sequence may fail, between zero and one.
    package init(range: ClosedRange<Double>, alpha: Double) {
        start = range.lowerBound
        width = range.upperBound - range.lowerBound
        limit = 2 / alpha
        bets = PredictableBets(alpha: alpha / 2)
    }

    /// Takes one number; one outside the range counts as its nearer end, and NaN is ignored.
    package mutating func add(_ number: Double) {
        guard !number.isNaN, width > 0, low < high else { return }
        let x = min(max((number - start) / width, 0), 1)
        let bet = bets.next
        bets.learn(x)
        count &+= 1
        let step = 1 / Double(BettingMean.candidates + 1)
        for place in low..<min(high, BettingMean.candidates + 1) where place > 0 {
            let mean = Double(place) * step
            above[place - 1] *= 1 + min(bet, BettingMean.cut / mean) * (x - mean)
            below[place - 1] *= 1 - min(bet, BettingMean.cut / (1 - mean)) * (x - mean)
        }
        // The capital of one side falls, and of the other rises, from candidate to candidate.
        while low < BettingMean.candidates, above[low] >= limit { low += 1 }
        while high > 1, below[high - 2] >= limit { high -= 1 }
    }

    /// The interval, which never becomes wider; its ends cross if the mean has changed.
    package var interval: (low: Double, high: Double) {
        let step = width / Double(BettingMean.candidates + 1)
        return (start + Double(low) * step, start + Double(high) * step)
    }
}
