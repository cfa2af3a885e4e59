import DenseMath
import Testing

@testable import PathLearning
@testable import PathTelemetry

@Suite struct LinearPosteriorTests {
    @Test func staysSoundWithHalfTheDirectionsNeverExcited() throws {
        var random = SeededGenerator(seed: 12)
        var posterior = LinearPosterior(prior: LinearPrior(size: 8, lambda: 1))
        var x = [Double](repeating: 0, count: 8)
        for _ in 0..<20_000 {
            for index in 0..<4 { x[index] = random.uniform() * 2 - 1 }
            posterior.learn(x, target: x[0] - x[2], decay: 0.99)
        }
        #expect(posterior.resets == 0 && posterior.observations == 20_000)
        let inverse = posterior.covariance
        let fresh = try Cholesky(posterior.precision)
        let truth = fresh.inverse()
        for column in 0..<8 {
            for row in 0..<8 {
                #expect(inverse[row, column] == inverse[column, row])
                // Up to two percent of fading may be pending.
                #expect((inverse[row, column] - truth[row, column]).magnitude < 0.021)
            }
        }
        for index in 4..<8 { #expect((truth[index, index] - 1).magnitude < 1e-9) }
        #expect((posterior.theta[0] - 1).magnitude < 0.05)
        #expect(try relativeError(posterior.theta, fresh.solve(posterior.moment)) < 1e-3)
        posterior.refresh()
        #expect(try relativeError(posterior.theta, fresh.solve(posterior.moment)) < 1e-12)
    }

    /// The largest difference of two symmetric matrices against the largest element.
    private func difference(_ a: Matrix, _ b: Matrix) -> Double {
        relativeError(a.elements, b.elements)
    }

    /// A million updates with discounting, and half of the directions never excited.
    @Test(arguments: [0, 0.02])
    func aMillionUpdatesWithHalfTheDirectionsNeverExcited(tolerance: Double) throws {
        var random = SeededGenerator(seed: 5)
        let prior = LinearPrior(size: 8, lambda: 2)
        var posterior = LinearPosterior(prior: prior, tolerance: tolerance)
        var x = [Double](repeating: 0, count: 8)
        var worstInverse = 0.0
        var worstWeights = 0.0
        for step in 1...1_000_000 {
            for index in 0..<4 { x[index] = random.uniform() * 2 - 1 }
            posterior.learn(x, target: x[0] - 2 * x[3] + random.uniform() - 0.5, decay: 0.99)
            guard step % 99_991 == 0 || step == 1_000_000 else { continue }
            let fresh = try Cholesky(posterior.precision)
            #expect(posterior.precision.isFinite && posterior.covariance.isFinite)
            let inverse = posterior.covariance
            for column in 0..<8 {
                for row in 0..<column { #expect(inverse[row, column] == inverse[column, row]) }
            }
            _ = try Cholesky(inverse)
            worstInverse = max(worstInverse, difference(inverse, fresh.inverse()))
            worstWeights = max(
                worstWeights, relativeError(posterior.theta, try fresh.solve(posterior.moment)))
        }
        #expect(posterior.resets == 0 && posterior.repairs == 0)
        #expect(posterior.observations == 1_000_000)
        // The inverse is exact if requested; between two refreshes the error is at most the
        // tolerance.
        #expect(worstInverse <= max(1e-6, 1.1 * tolerance), "\(worstInverse)")
        #expect(worstWeights <= max(1e-6, 0.1 * tolerance), "\(worstWeights)")
        posterior.refresh()
        let fresh = try Cholesky(posterior.precision)
        #expect(difference(posterior.covariance, fresh.inverse()) <= 1e-9)
        #expect(relativeError(posterior.theta, try fresh.solve(posterior.moment)) <= 1e-9)
        // Directions without excitation are as uncertain as before the data.
        for index in 4..<8 {
            #expect((posterior.covariance[index, index] - 0.5).magnitude < 1e-9)
        }
        #expect(posterior.condition > 1 && posterior.condition < 100)
    }

    /// Only rank-one updates without discounting between two refreshes.
    @Test func rankOneUpdatesStayWithTheFreshSolution() throws {
        var random = SeededGenerator(seed: 6)
        var posterior = LinearPosterior(prior: LinearPrior(size: 25, lambda: 4))
        var x = [Double](repeating: 0, count: 28)
        for _ in 0..<100_999 {
            for index in 0..<24 { x[index] = random.uniform() * 4 - 2 }
            x[24] = 1
            posterior.learn(x, target: random.uniform(), weight: 0.5 + random.uniform())
        }
        let fresh = try Cholesky(posterior.precision)
        #expect(difference(posterior.covariance, fresh.inverse()) <= 1e-9)
        #expect(relativeError(posterior.theta, try fresh.solve(posterior.moment)) <= 1e-9)
    }

    @Test func aWeightCountsAsSoManyObservations() {
        var once = LinearPosterior(prior: LinearPrior(size: 3, lambda: 1))
        var thrice = once
        once.learn([1, -2, 0.5, 0], target: 0.7, weight: 3)
        for _ in 0..<3 { thrice.learn([1, -2, 0.5, 0], target: 0.7) }
        #expect(relativeError(once.theta, thrice.theta) < 1e-12)
        #expect(difference(once.covariance, thrice.covariance) < 1e-12)
        #expect(difference(once.precision, thrice.precision) < 1e-15)
        once.learn([1, 0, 0, 0], target: 1, weight: 0)
        #expect(once.refused == 1)
    }

    /// Directions 1e9 apart: repaired by a ridge, not dropped.
    @Test func aBadConditionIsRepaired() throws {
        var posterior = LinearPosterior(prior: LinearPrior(size: 2, lambda: 1e-6))
        for _ in 0..<2000 { posterior.learn([1e5, 0, 0, 0], target: 2e5) }
        #expect(posterior.repairs > 0 && posterior.resets == 0)
        #expect(posterior.condition <= 1e12)
        #expect((posterior.theta[0] - 2).magnitude < 0.01)
        #expect(posterior.covariance.isFinite)
    }

    @Test func refusesWhatIsNotFinite() {
        var posterior = LinearPosterior(prior: LinearPrior(size: 2, lambda: 1))
        posterior.learn([1, 1, 0, 0], target: 1)
        let before = posterior.theta
        posterior.learn([.nan, 1, 0, 0], target: 1)
        posterior.learn([1, 1, 0, 0], target: .infinity)
        #expect(posterior.theta == before && posterior.refused == 2)
        // A square that overflows costs the data, not the policy.
        posterior.learn([1e200, 1e200, 0, 0], target: 1)
        #expect(posterior.resets == 1)
        #expect(posterior.theta == [0, 0])
        posterior.learn([1, 0, 0, 0], target: 1)
        #expect(posterior.theta == [0.5, 0])
    }

    @Test func aLongPauseReturnsToThePrior() throws {
        let prior = try LinearPrior(mean: [2, -1], precision: Matrix(diagonal: 3, size: 2))
        var posterior = LinearPosterior(prior: prior)
        for _ in 0..<100 { posterior.learn([1, 0, 0, 0], target: 7) }
        #expect(posterior.theta[0] > 6.8)
        posterior.fade(0)
        posterior.fade(0)
        posterior.refresh()
        #expect(relativeError(posterior.theta, [2, -1]) < 1e-9)
    }

    @Test func unusablePriorsAreRefused() {
        #expect(throws: LearningError.self) {
            try LinearPrior(mean: [1], precision: Matrix(diagonal: 1, size: 2))
        }
        #expect(throws: LearningError.self) {
            try LinearPrior(mean: [1], precision: Matrix(diagonal: -1, size: 1))
        }
        #expect(throws: LearningError.self) {
            try LinearPrior(mean: [.nan], precision: Matrix(diagonal: 1, size: 1))
        }
    }
}
