import DenseMath
import Foundation
import Testing

@testable import PathLearning
@testable import PathTelemetry

@Suite struct LogisticRegressionTests {
    private static func fit(
        _ rows: [(x: [Double], late: Bool, weight: Double)], lambda: Double,
        interceptLambda: Double = 0, start: [Double]? = nil
    ) throws -> LogisticRegression {
        var fit = try LogisticRegression(
            size: rows[0].x.count, lambda: lambda, interceptLambda: interceptLambda, start: start)
        while !fit.isDone {
            fit.begin()
            for row in rows { fit.add(row.x, isLate: row.late, weight: row.weight) }
            try fit.step()
        }
        return fit
    }

    /// One binary feature: the optimum without a penalty is the table's log odds.
    @Test func aTwoByTwoTableHasItsLogOdds() throws {
        let rows: [(x: [Double], late: Bool, weight: Double)] = [
            ([0], false, 80), ([0], true, 20), ([1], false, 30), ([1], true, 60),
        ]
        let fit = try Self.fit(rows, lambda: 1e-12)
        #expect((fit.weights[1] - log(20.0 / 80)).magnitude < 1e-9)
        #expect((fit.weights[0] - (log(60.0 / 30) - log(20.0 / 80))).magnitude < 1e-9)
        #expect(fit.passes < 15)
    }

    private static func world(_ count: Int, seed: UInt64) -> [(
        x: [Double], late: Bool, weight: Double
    )] {
        var random = SeededGenerator(seed: seed)
        return (0..<count).map { _ in
            let x = (0..<5).map { _ in 2 * random.uniform() - 1 }
            let z = -1 + 2 * x[0] - 1.5 * x[3]
            return (x, random.uniform() < 1 / (1 + exp(-z)), 0.5 + random.uniform())
        }
    }

    /// The loss and its gradient written out again, without blocks.
    private static func loss(
        _ rows: [(x: [Double], late: Bool, weight: Double)], _ w: [Double], lambda: Double
    ) -> (loss: Double, gradient: [Double]) {
        var total = 0.0
        var gradient = [Double](repeating: 0, count: w.count)
        for row in rows {
            let z = zip(row.x, w).reduce(w[row.x.count]) { $0 + $1.0 * $1.1 }
            let p = 1 / (1 + exp(-z))
            total -= row.weight * log(row.late ? p : 1 - p)
            for (index, value) in (row.x + [1]).enumerated() {
                gradient[index] += row.weight * (p - (row.late ? 1 : 0)) * value
            }
        }
        for index in 0..<(w.count - 1) {
            total += lambda / 2 * w[index] * w[index]
            gradient[index] += lambda * w[index]
        }
        return (total, gradient)
    }

    @Test(arguments: [0.1, 1, 100])
    func newtonFindsTheOptimum(lambda: Double) throws {
        let rows = Self.world(1500, seed: 5)
        let fit = try Self.fit(rows, lambda: lambda)
        let (loss, gradient) = Self.loss(rows, fit.weights, lambda: lambda)
        #expect((fit.loss - loss).magnitude < 1e-9 * loss)
        // The gradient vanishes there, and agrees with finite differences of the loss elsewhere.
        for value in gradient { #expect(value.magnitude < 1e-4) }
        var other = fit.weights
        for index in other.indices { other[index] += 0.3 * Double(index % 3 - 1) }
        let analytic = Self.loss(rows, other, lambda: lambda).gradient
        for index in other.indices {
            var (up, down) = (other, other)
            up[index] += 1e-5
            down[index] -= 1e-5
            let difference =
                (Self.loss(rows, up, lambda: lambda).loss
                    - Self.loss(rows, down, lambda: lambda).loss) / 2e-5
            #expect((difference - analytic[index]).magnitude < 1e-4 * (1 + difference.magnitude))
        }
        // From far away, where plain Newton steps overshoot, it converges to the same point.
        let far = try Self.fit(rows, lambda: lambda, start: [9, -9, 9, 9, -9, 9])
        for (a, b) in zip(far.weights, fit.weights) { #expect((a - b).magnitude < 1e-6) }
    }

    @Test func theHessianIsThatOfTheLoss() throws {
        let rows = Self.world(400, seed: 6)
        let fit = try Self.fit(rows, lambda: 2)
        let head = try fit.head()
        for column in 0..<6 {
            var (up, down) = (fit.weights, fit.weights)
            up[column] += 1e-5
            down[column] -= 1e-5
            let high = Self.loss(rows, up, lambda: 2).gradient
            let low = Self.loss(rows, down, lambda: 2).gradient
            for row in 0..<6 {
                let difference = (high[row] - low[row]) / 2e-5
                let value = head.precision[row, column]
                #expect((difference - value).magnitude < 1e-4 * (1 + value.magnitude))
                #expect(value == head.precision[column, row])
            }
        }
    }

    @Test func rowsOfOneKindAndUnusableRows() throws {
        let all = (0..<100).map { (x: [Double($0 % 7)], late: false, weight: 1.0) }
        let fit = try Self.fit(all, lambda: 1, interceptLambda: 1e-3)
        let head = try fit.head()
        #expect(head.intercept < -5 && head.intercept > -30)
        var broken = try LogisticRegression(size: 2, lambda: 1)
        broken.begin()
        broken.add([.nan, 1], isLate: true)
        broken.add([1], isLate: true)
        broken.add([1, 1], isLate: true, weight: -1)
        #expect(broken.refused == 3)
        #expect(throws: LearningError.self) { try broken.step() }
        #expect(throws: LearningError.self) { try LogisticRegression(size: 2, lambda: 0) }
        // Separable rows: the penalty keeps the weights finite.
        let apart = (-20...20).filter { $0 != 0 }.map {
            (x: [Double($0)], late: $0 > 0, weight: 1.0)
        }
        let split = try Self.fit(apart, lambda: 0.01)
        #expect(split.weights[0] > 0.5 && split.weights[0].isFinite)
    }
}

@Suite struct ConformalTests {
    private static func draw(_ random: inout SeededGenerator) -> (logit: Double, isLate: Bool) {
        let z = 6 * random.uniform() - 4.5
        // The model is overconfident: the guarantee must not need a correct model.
        return (1.7 * z, random.uniform() < 1 / (1 + exp(-z)))
    }

    /// Split conformal: over fresh calibrations and fresh bursts, late ones are accepted at most as
    /// often as guaranteed, and not much less.
    @Test(arguments: [0.02, 0.1, 0.3])
    func coverage(miss: Double) {
        var random = SeededGenerator(seed: 77)
        var (late, trusted, lateValues) = (0, 0, 0)
        for _ in 0..<200 {
            var calibration = ConformalCalibration()
            for _ in 0..<600 {
                let (logit, isLate) = Self.draw(&random)
                calibration.add(logit: logit, isLate: isLate)
            }
            let threshold = calibration.threshold(miss: miss)
            for _ in 0..<300 {
                let (logit, isLate) = Self.draw(&random)
                guard isLate else { continue }
                late += 1
                if logit < threshold { trusted += 1 }
                if calibration.lateness(logit: logit) <= miss { lateValues += 1 }
            }
        }
        let share = Double(trusted) / Double(late)
        let deviation = (miss * (1 - miss) / 6000).squareRoot()
        #expect(share <= miss + 4 * deviation)
        // Bins are 1/8 wide and the 200 calibrations have about 150 late ones each.
        #expect(share > 0.5 * miss)
        #expect(Double(lateValues) / Double(late) <= miss + 4 * deviation)
    }

    @Test func tooFewLateOnesPromiseNothing() throws {
        var calibration = ConformalCalibration()
        #expect(calibration.threshold(miss: 0.1) == -.infinity)
        #expect(calibration.lateness(logit: 0) == 1)
        for _ in 0..<8 { calibration.add(logit: 1, isLate: true) }
        #expect(calibration.threshold(miss: 0.1) == -.infinity)
        calibration.add(logit: 1, isLate: true)
        #expect(calibration.threshold(miss: 0.1) == 1)
        #expect(calibration.lateness(logit: 0.9) == 0.1)
        calibration.add(logit: .nan, isLate: true)
        #expect(calibration.count == 9)
        #expect(throws: ModelProblem.self) { try ConformalCalibration(late: [1], inTime: [1]) }
    }

    @Test func theTableHasAllDecisionsAndFindsOverconfidence() {
        var random = SeededGenerator(seed: 8)
        var (over, right) = (ConformalCalibration(), ConformalCalibration())
        for _ in 0..<20_000 {
            let (logit, isLate) = Self.draw(&random)
            over.add(logit: logit, isLate: isLate)
            right.add(logit: logit / 1.7, isLate: isLate)
        }
        let rows = over.table()
        #expect(rows.count == 10)
        #expect(rows.reduce(0) { $0 + $1.decisions } == 20_000)
        #expect(rows[0].from == 0 && rows[9].to > rows[9].from)
        #expect(rows[0].predicted < rows[0].observed)
        #expect(right.expectedError < 0.02)
        #expect(over.expectedError > 0.03)
        var merged = over
        merged.merge(right)
        #expect(merged.count == 40_000)
    }
}

@Suite struct LikelihoodMixtureTests {
    @Test func theBetterPredictorWinsAndTheOtherComesBack() {
        var mixture = LikelihoodMixture(count: 2)
        func learn(_ target: Double) {
            var values = InlineArray<4, Double>(repeating: 0)
            values[0] = LikelihoodMixture.logLikelihood(mean: 0, variance: 1, target: target)
            values[1] = LikelihoodMixture.logLikelihood(mean: 3, variance: 1, target: target)
            mixture.learn(logLikelihoods: values, decay: 0.9)
        }
        #expect(mixture.weight(0) == 0.5)
        for _ in 0..<50 { learn(0) }
        #expect(mixture.weight(0) > 0.99 && mixture.weight(1) >= 1e-3)
        for _ in 0..<30 { learn(3) }
        #expect(mixture.weight(1) > 0.99)
        #expect((mixture.weight(0) + mixture.weight(1) - 1).magnitude < 1e-12)
    }

    /// One step from even weights is Bayes' rule.
    @Test func oneStepIsBayes() {
        var mixture = LikelihoodMixture(count: 3, floor: 0)
        var values = InlineArray<4, Double>(repeating: 0)
        let likelihoods = [0.2, 0.5, 0.1]
        for index in 0..<3 { values[index] = log(likelihoods[index]) }
        mixture.learn(logLikelihoods: values, decay: 1)
        for index in 0..<3 {
            #expect((mixture.weight(index) - likelihoods[index] / 0.8).magnitude < 1e-12)
        }
        values[0] = .nan
        values[1] = -.infinity
        mixture.learn(logLikelihoods: values, decay: .nan)
        #expect(mixture.weight(2) > 0.999)
        #expect(
            (LikelihoodMixture.logLikelihood(mean: 1, variance: 4, target: 3)
                - log(exp(-0.5) / (8 * Double.pi).squareRoot())).magnitude < 1e-12)
    }
}

@Suite struct FourierFeatureTests {
    /// Inner products approach the Gaussian kernel.
    @Test func theyApproachTheKernel() {
        let features = FourierFeatures(count: 4000, width: 2, seed: 3)
        #expect(FourierFeatures(count: 4000, width: 2, seed: 3) == features)
        var random = SeededGenerator(seed: 4)
        var (x, y) = (FeatureVector(repeating: 0), FeatureVector(repeating: 0))
        for index in x.indices {
            x[index] = random.uniform()
            y[index] = x[index] + 0.8 * random.uniform() - 0.4
        }
        func values(_ v: FeatureVector) -> [Double] {
            [Double](unsafeUninitializedCapacity: 4000) { buffer, count in
                features.write(v, into: buffer.baseAddress!)
                count = 4000
            }
        }
        var distance = 0.0
        for index in x.indices { distance += pow(x[index] - y[index], 2) }
        let product = zip(values(x), values(y)).reduce(0) { $0 + $1.0 * $1.1 }
        #expect((product - exp(-distance / 8)).magnitude < 0.04)
    }
}
