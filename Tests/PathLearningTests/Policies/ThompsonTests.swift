import Foundation
import Testing

@testable import PathLearning
@testable import PathTelemetry

/// Probabilities that each of some independent normals is the least, by a rule that has nothing in
/// common with the product's: Simpson's on a fine grid, with the C library's functions.
private func reference(_ means: [Double], _ deviations: [Double]) -> [Double] {
    let low = zip(means, deviations).map { $0 - 9 * $1 }.min() ?? 0
    let high = zip(means, deviations).map { $0 + 9 * $1 }.min() ?? 0
    let least = deviations.min() ?? 1
    let steps = 2 * Int(((high - low) / (least / 24)).rounded(.up))
    let width = (high - low) / Double(steps)
    return means.indices.map { own in
        var sum = 0.0
        for step in 0...steps {
            let u = low + width * Double(step)
            let z = (u - means[own]) / deviations[own]
            var value = exp(-z * z / 2) / (2 * Double.pi).squareRoot() / deviations[own]
            for other in means.indices where other != own && value > 0 {
                value *= erfc((u - means[other]) / deviations[other] / 2.0.squareRoot()) / 2
            }
            sum += value * (step == 0 || step == steps ? 1 : step % 2 == 1 ? 4 : 2)
        }
        return sum * width / 3
    }
}

private func exact(_ means: [Double], _ deviations: [Double]) -> [Double] {
    var m = InlineArray<16, Double>(repeating: 0)
    var s = InlineArray<16, Double>(repeating: 0)
    for index in means.indices {
        m[index] = means[index]
        s[index] = deviations[index]
    }
    var result = InlineArray<16, Double>(repeating: 0)
    LeastProbabilities.fill(
        means: m, deviations: s, members: (1 << UInt32(means.count)) - 1, into: &result)
    return means.indices.map { result[$0] }
}

private func largestError(_ a: [Double], _ b: [Double]) -> Double {
    zip(a, b).map { ($0 - $1).magnitude }.max() ?? .infinity
}

@Suite struct ThompsonTests {
    @Test(arguments: 2...8 as ClosedRange<Int>)
    func propensitiesAreExact(count: Int) {
        var random = SeededGenerator(seed: UInt64(count))
        for _ in 0..<25 {
            let means = (0..<count).map { _ in random.uniform() }
            let deviations = (0..<count).map { _ in 0.02 + 0.3 * random.uniform() }
            let found = exact(means, deviations)
            #expect((found.reduce(0, +) - 1).magnitude <= 1e-12)
            let error = largestError(found, reference(means, deviations))
            #expect(error <= 1e-8, "means \(means), deviations \(deviations)")
        }
    }

    /// Deviations that differ by a factor of up to a thousand.
    @Test func propensitiesAreExactWhenScalesDiffer() {
        var random = SeededGenerator(seed: 77)
        for _ in 0..<10 {
            let means = (0..<4).map { _ in random.uniform() }
            let deviations = (0..<4).map { _ in pow(10, -3 * random.uniform()) }
            let error = largestError(exact(means, deviations), reference(means, deviations))
            #expect(error <= 1e-8, "means \(means), deviations \(deviations)")
        }
    }

    @Test func symmetricCasesAreKnown() {
        for count in 2...8 {
            let same = exact(
                [Double](repeating: 0.3, count: count), [Double](repeating: 0.1, count: count))
            #expect(largestError(same, [Double](repeating: 1 / Double(count), count: count)) < 1e-9)
        }
        // P(least of three) with one deviation scaled: by symmetry the others share the rest.
        let three = exact([0, 0, 0], [1, 1, 5])
        #expect((three[0] - three[1]).magnitude < 1e-12)
        // One of a wide spread is the least with probability (1/2 + asin-terms); Sheppard's formula
        // for the trivariate orthant: 1/4 + asin(r) / (2 pi), with r of the two differences.
        let r = 25.0 / 26
        #expect((three[2] - (0.25 + asin(r) / (2 * Double.pi))).magnitude < 1e-9)
        // Two variables are Phi of their distance.
        #expect((exact([0, 1], [0.6, 0.8])[0] - 0.841344746068543).magnitude < 1e-12)
    }

    @Test func extremesStaySound() {
        #expect(exact([1, 2, 3], [0, 0, 0]) == [1, 0, 0])
        #expect(exact([1, 1], [0, 0]) == [1, 0])
        #expect(exact([0, 100, 200], [1, 1, 1]) == [1, 0, 0])
        let point = exact([0, 0, 0], [1, 1, 0])
        #expect((point[0] - 0.375).magnitude < 1e-8 && (point[2] - 0.25).magnitude < 1e-8)
        let far = exact([1e9, -1e9, 0], [1e6, 1e6, 1e6])
        for values in [far, exact([0, 0, 0], [1e-9, 1, 1e6])] {
            #expect((values.reduce(0, +) - 1).magnitude <= 1e-12)
            #expect(values.allSatisfy { $0 >= 0 && $0 <= 1 })
        }
    }

    /// Drawing scores and taking the least has the computed frequency.
    @Test func drawsAgree() {
        var random = SeededGenerator(seed: 3)
        let (means, deviations) = ([0.0, 0.1, 0.3, 0.2], [0.2, 0.1, 0.4, 0.15])
        var counts = [0.0, 0, 0, 0]
        let draws = 200_000
        for _ in 0..<draws {
            let scores = means.indices.map { index in
                let radius = (-2 * log(1 - random.uniform())).squareRoot()
                return means[index] + deviations[index] * radius
                    * cos(2 * Double.pi * random.uniform())
            }
            counts[scores.indices.min { scores[$0] < scores[$1] } ?? 0] += 1
        }
        for (count, share) in zip(counts, exact(means, deviations)) {
            let error = (share * (1 - share) / Double(draws)).squareRoot()
            #expect((count / Double(draws) - share).magnitude < 4.5 * error)
        }
    }
}
