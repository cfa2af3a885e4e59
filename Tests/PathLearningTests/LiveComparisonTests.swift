import CKernels
import Testing

@testable import PathLearning
@testable import PathTelemetry

@Suite struct LiveComparisonTests {
    /// Decisions about two paths of which the rival takes the first and the scores the second.
    ///
    /// - Parameters:
    ///   - means: true mean results of both.
    ///   - predicted: what is predicted.
    /// - Returns: the shares of the scores after each decision.
    private func play(
        _ means: (Double, Double), predicted: (Double, Double), decisions: Int, seed: UInt64
    ) -> [Double] {
        var random = SeededGenerator(seed: seed)
        var comparison = LiveComparison()
        var shares: [Double] = []
        for _ in 0..<decisions {
            let memo = LiveComparison.memo(
                rival: (PathID(0), predicted.0), learned: (PathID(1), predicted.1))
            let share = comparison.share
            let takesSecond = random.uniform() < share
            let mean = takesSecond ? means.1 : means.0
            let result = mean * (0.7 + 0.6 * random.uniform())
            comparison.learn(
                memo: memo, path: PathID(takesSecond ? 1 : 0),
                propensity: takesSecond ? share : 1 - share, result: result, elapsed: 0.02)
            shares.append(comparison.share)
        }
        return shares
    }

    /// Whatever is predicted, the better one decides before long.
    @Test(arguments: [(0.1, 0.1), (0.1, 0.2), (0.2, 0.1)])
    func followsTheBetterResults(predicted: (Double, Double)) {
        for seed in 1...10 as ClosedRange<UInt64> {
            let better = play((0.12, 0.08), predicted: predicted, decisions: 400, seed: seed)
            #expect(better.suffix(100).reduce(0, +) / 100 > 0.85, "seed \(seed)")
            let worse = play((0.08, 0.12), predicted: predicted, decisions: 400, seed: seed)
            #expect(worse.suffix(100).reduce(0, +) / 100 < 0.15, "seed \(seed)")
        }
    }

    /// Equal results do not settle the question.
    @Test func equalResultsDecideNothing() {
        let means = (1...40).map { seed -> Double in
            let shares = play(
                (0.1, 0.1), predicted: (0.1, 0.1), decisions: 400, seed: UInt64(seed))
            return shares.reduce(0, +) / Double(shares.count)
        }
        let mean = means.reduce(0, +) / Double(means.count)
        #expect((0.35...0.65).contains(mean), "\(mean)")
    }

    @Test func neitherIsEverExcluded() {
        let shares = play((0.01, 0.9), predicted: (0.5, 0.5), decisions: 2000, seed: 3)
        #expect(shares.allSatisfy { (0.02...0.98).contains($0) })
    }

    @Test func decisionsWithoutAMemoAndWrongNumbersTeachNothing() {
        var comparison = LiveComparison()
        let memo = LiveComparison.memo(rival: (PathID(0), 0.1), learned: (PathID(1), 0.2))
        comparison.learn(memo: 0, path: PathID(0), propensity: 0.5, result: 1, elapsed: 1)
        comparison.learn(memo: memo, path: PathID(0), propensity: .nan, result: 1, elapsed: 1)
        comparison.learn(memo: memo, path: PathID(0), propensity: 0.5, result: .nan, elapsed: 1)
        #expect(comparison.share == 0.5)
        // Predictions outside 0...1 are taken for the nearest.
        let wild = LiveComparison.memo(rival: (PathID(15), .nan), learned: (PathID(3), 1e9))
        comparison.learn(memo: wild, path: PathID(15), propensity: 0.5, result: 0.1, elapsed: 1)
        #expect(comparison.share.isFinite)
    }

    /// A path whose messages are worse than predicted is charged for it, and forgiven with time.
    @Test func surchargesFollowAndFade() {
        var scorer = LearnedScorer(settings: LearnedSettings(), cost: Cost(), stride: 28)
        var surcharges = PathSurcharges()
        for _ in 0..<60 { surcharges.learn(PathID(2), error: 0.04, elapsed: 0) }
        func charged(_ path: Int) -> Double {
            surcharges.fill(&scorer.terms[0])
            return withUnsafeBytes(of: scorer.terms[0].surcharges) {
                $0.load(fromByteOffset: 8 * path, as: Double.self)
            }
        }
        #expect((charged(2) - 0.04 * 60 / 80).magnitude < 1e-12)
        #expect(charged(1) == 0)
        surcharges.learn(PathID(1), error: 0, elapsed: 80)
        #expect(charged(2) < 0.001)
    }
}
