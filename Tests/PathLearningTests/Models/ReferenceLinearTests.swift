import Foundation
import Testing

@testable import DenseMath
@testable import PathLearning

private func flat(_ value: Any?) -> [Double] {
    if let number = value as? NSNumber { return [number.doubleValue] }
    guard let list = value as? [Any] else { return [] }
    return list.flatMap(flat)
}

@Suite(.enabled(if: Reference.isPresent, "reference numbers are not beside the package"))
struct ReferenceLinearTests {
    private let sequence: [[Double]]
    private let contexts: [[Double]]
    private let expected: [String: Any]

    init() throws {
        sequence = try Reference.csv("lin_sequence.csv")
        contexts = try Reference.csv("lin_test_contexts.csv")
        expected = try Reference.json("lin_expected.json")
    }

    private func padded(_ x: some Sequence<Double>) -> [Double] {
        Array(x) + [Double](repeating: 0, count: 3)
    }

    /// One posterior per arm; all are discounted at each step if `decay` is below one.
    private func learn(
        lambda: Double, decay: Double = 1, rows: Range<Int> = 0..<300, tolerance: Double = 0.02
    ) -> [LinearPosterior] {
        var arms = (0..<3).map { _ in
            LinearPosterior(prior: LinearPrior(size: 5, lambda: lambda), tolerance: tolerance)
        }
        for row in sequence[rows] {
            for arm in 0..<3 {
                if arm == Int(row[6]) {
                    arms[arm].learn(padded(row[1..<6]), target: row[7], decay: decay)
                } else {
                    arms[arm].fade(decay)
                }
            }
        }
        return arms
    }

    @Test(arguments: [1.0, 0.1, 10])
    func linUCBStates(lambda: Double) throws {
        let name = "linucb_lambda=" + (lambda == 0.1 ? "0.1" : String(Int(lambda)))
        let state = try #require(expected[name] as? [String: Any])
        let arms = learn(lambda: lambda)
        // Both the rank-one path and the fresh solution agree.
        for refreshed in [false, true] {
            var arms = arms
            if refreshed { for arm in 0..<3 { arms[arm].refresh() } }
            #expect(
                relativeError(arms.flatMap(\.precision.elements), flat(state["A"])) <= 1e-12)
            #expect(relativeError(arms.flatMap(\.moment), flat(state["b"])) <= 1e-12)
            #expect(relativeError(arms.flatMap(\.theta), flat(state["theta"])) <= 1e-12)
            #expect(
                relativeError(arms.flatMap(\.covariance.elements), flat(state["A_inv"])) <= 1e-12)
            let means = contexts.flatMap { x in arms.map { $0.predict(padded(x)).mean } }
            #expect(relativeError(means, flat(state["test_mean"])) <= 1e-12)
            let bonuses = contexts.flatMap { x in
                arms.map { $0.predict(padded(x)).spread.squareRoot() }
            }
            #expect(
                relativeError(bonuses, flat(state["test_bonus_sqrt_xAinvx"])) <= 1e-12)
            for (alpha, key) in [(1.0, "ucb_alpha1"), (2.5, "ucb_alpha2_5")] {
                let scores = contexts.flatMap { context in
                    arms.map { arm -> Double in
                        let (mean, spread) = arm.predict(padded(context))
                        return mean + alpha * spread.squareRoot()
                    }
                }
                #expect(relativeError(scores, flat(state[key])) <= 1e-12)
                guard alpha == 1 else { continue }
                let best = (0..<contexts.count).map { row in
                    (0..<3).max { scores[3 * row + $0] < scores[3 * row + $1] } ?? -1
                }
                #expect(best == flat(state["argmax_ucb_alpha1"]).map { Int($0) })
            }
        }
        let squares = (0..<3).map { arm in
            sequence.filter { Int($0[6]) == arm }.reduce(0.0) { sum, row in
                let error = row[7] - arms[arm].mean(padded(row[1..<6]))
                return sum + error * error
            }
        }
        #expect(relativeError(squares, flat(state["rss"])) <= 1e-9)
        for arm in 0..<3 {
            let factor = try Cholesky(arms[arm].precision)
            let logDeterminants = flat(state["logdet_A"])
            #expect((factor.logDeterminant - logDeterminants[arm]).magnitude <= 1e-11)
        }
    }

    /// `theta + v L^-T z` for given normals z, where `A = L L'`.
    @Test(arguments: ["1", "0.1", "10"])
    func drawsOfThompsonSampling(lambda: String) throws {
        let state = try #require(expected["linucb_lambda=\(lambda)"] as? [String: Any])
        let normals = flat(expected["normals_z"])
        let scale = try #require(flat(state["ts_v"]).first)
        var draws: [Double] = []
        var factors: [Double] = []
        for (index, arm) in learn(lambda: Double(lambda) ?? 0).enumerated() {
            let factor = try Cholesky(arm.precision)
            for row in 0..<5 { factors += (0..<5).map { factor.factor[row, $0] } }
            var step = Array(normals[(5 * index)..<(5 * index + 5)])
            factor.factor.elements.withUnsafeBufferPointer {
                guard let l = $0.baseAddress else { return }
                SmallCholesky.backward(l, &step, size: 5, stride: 5)
            }
            draws += zip(arm.theta, step).map { $0 + scale * $1 }
        }
        #expect(relativeError(factors, flat(state["chol_lower"])) <= 1e-12)
        #expect(relativeError(draws, flat(state["ts_theta"])) <= 1e-12)
        let scores = contexts.flatMap { x in
            (0..<3).map { arm in
                (0..<5).reduce(0.0) { $0 + x[$1] * draws[5 * arm + $1] }
            }
        }
        #expect(relativeError(scores, flat(state["ts_scores"])) <= 1e-12)
    }

    /// An arm without data has the bonus `|x| / sqrt(lambda)`.
    @Test(arguments: ["1.0", "0.1", "10.0"])
    func armWithoutData(lambda: String) throws {
        let table = try #require(expected["mabwiser_cold_arm_bug"] as? [String: Any])
        let entry = try #require(table[lambda] as? [String: Any])
        let arm = LinearPosterior(prior: LinearPrior(size: 5, lambda: Double(lambda) ?? 0))
        let bonus = arm.predict(padded(contexts[0])).spread.squareRoot()
        #expect(relativeError([bonus], flat(entry["correct"])) <= 1e-12)
    }

    @Test(arguments: [0.99, 0.95])
    func discountedOnAGlobalClock(gamma: Double) throws {
        let state = try #require(
            expected["discounted_gamma=\(gamma)_global_clock"] as? [String: Any])
        // This is the state that decisions use, without an explicit refresh.
        let arms = learn(lambda: 1, decay: gamma, tolerance: 0)
        #expect(relativeError(arms.flatMap(\.precision.elements), flat(state["A"])) <= 1e-12)
        #expect(relativeError(arms.flatMap(\.moment), flat(state["b"])) <= 1e-12)
        #expect(relativeError(arms.flatMap(\.theta), flat(state["theta"])) <= 1e-12)
        // D-LinUCB's bonus has the same sum with squared discounts between two inverses.
        let squared = learn(lambda: 1, decay: gamma * gamma)
        #expect(
            relativeError(squared.flatMap(\.precision.elements), flat(state["A_tilde"])) <= 1e-12)
        let bonuses = contexts.flatMap { x in
            (0..<3).map { arm -> Double in
                let inverse = arms[arm].covariance
                let middle = squared[arm].precision
                let y = (0..<5).map { row in
                    (0..<5).reduce(0.0) { $0 + inverse[row, $1] * x[$1] }
                }
                return (0..<5).reduce(0.0) { sum, row in
                    sum + y[row] * (0..<5).reduce(0.0) { $0 + middle[row, $1] * y[$1] }
                }.squareRoot()
            }
        }
        #expect(relativeError(bonuses, flat(state["test_bonus"])) <= 1e-11)
    }

    @Test(arguments: [0.99, 0.95])
    func recursiveLeastSquaresWithForgetting(gamma: Double) throws {
        let state = try #require(
            expected["rls_forgetting=\(gamma)_arm_clock"] as? [String: Any])
        var inverses: [Double] = []
        var thetas: [Double] = []
        for arm in 0..<3 {
            var p = [Double](repeating: 0, count: 40)
            for index in 0..<5 { p[index + index * 8] = 1 }
            var theta = [Double](repeating: 0, count: 8)
            var scratch = theta
            for row in sequence where Int(row[6]) == arm {
                SmallKernels.recursiveLeastSquares(
                    inverse: &p, theta: &theta, padded(row[1..<6]), target: row[7], decay: gamma,
                    size: 5, stride: 8, scratch: &scratch)
            }
            for column in 0..<5 { inverses += p[(column * 8)..<(column * 8 + 5)] }
            thetas += theta.prefix(5)
        }
        #expect(relativeError(inverses, flat(state["P"])) <= 1e-11)
        #expect(relativeError(thetas, flat(state["theta"])) <= 1e-11)
    }

    @Test func windowOfTheLastHundred() throws {
        let state = try #require(
            expected["sliding_window_last100_global"] as? [String: Any])
        let arms = learn(lambda: 1, rows: 200..<300)
        #expect(relativeError(arms.flatMap(\.precision.elements), flat(state["A"])) <= 1e-12)
        #expect(relativeError(arms.flatMap(\.theta), flat(state["theta"])) <= 1e-12)
    }
}
