import Foundation
import Testing

@testable import DenseMath

@Suite struct ScoreTests {
    /// The numbers are not random, but sums of them do not cancel.
    private func value(_ index: Int, _ salt: Int) -> Double {
        sin(Double(index * 37 + salt * 101) * 0.7) * 1.5
    }

    @Test(arguments: [4, 8, 16, 24], [1, 2, 3, 4, 5, 7, 8, 16])
    func agreeWithTheFormula(size: Int, count: Int) throws {
        let stride = SmallKernels.stride(size + 1)
        let step = size + 3
        let models = 3
        var theta = [Double](repeating: 0, count: models * stride)
        for model in 0..<models {
            for index in 0...size { theta[model * stride + index] = value(index, model) }
        }
        var p = [Double](repeating: 0, count: (size + 1) * stride)
        for column in 0...size {
            for row in 0...size {
                p[row + column * stride] = value(min(row, column) * 31 + max(row, column), 9)
            }
        }
        var x = [Double](repeating: .nan, count: count * step)
        for candidate in 0..<count {
            for index in 0..<size { x[candidate * step + index] = value(index, candidate + 20) }
        }
        var means = [Double](repeating: .nan, count: models * SmallKernels.candidateLimit)
        var spreads = [Double](repeating: .nan, count: SmallKernels.candidateLimit)
        SmallKernels.score(
            theta: theta, models: models, p: p, size: size, stride: stride, x: x, step: step,
            count: count, means: &means, spreads: &spreads)
        for candidate in 0..<count {
            let row = (0..<size).map { x[candidate * step + $0] } + [1]
            for model in 0..<models {
                let mean = (0...size).reduce(0.0) { $0 + theta[model * stride + $1] * row[$1] }
                let got = means[model * SmallKernels.candidateLimit + candidate]
                #expect((got - mean).magnitude < 1e-12)
            }
            var form = 0.0
            for i in 0...size {
                for j in 0...size { form += row[i] * p[i + j * stride] * row[j] }
            }
            #expect((spreads[candidate] - form).magnitude < 1e-10)
        }
        // A candidate's score does not depend on the other candidates.
        var alone = [Double](repeating: .nan, count: SmallKernels.candidateLimit)
        var spread = alone
        let last = Array(x[((count - 1) * step)...])
        SmallKernels.score(
            theta: theta, models: 1, p: p, size: size, stride: stride, x: last, step: step,
            count: 1, means: &alone, spreads: &spread)
        #expect(alone[0] == means[count - 1] && spread[0] == spreads[count - 1])
    }

    @Test func logarithmsAndExponentials() {
        var worst = (0.0, 0.0)
        for index in 0..<4000 {
            let x = exp(Double(index - 2000) * 0.3491)
            guard x.isNormal else { continue }
            var result = [0.0, 0, 0, 0]
            SmallKernels.logarithms([x, 1, 1, 1], into: &result, count: 1)
            worst.0 = max(worst.0, (result[0] - log(x)).magnitude / max(1, log(x).magnitude))
            let y = Double(index - 2000) * 0.35
            SmallKernels.exponentials([y, 0, 0, 0], into: &result, count: 1)
            worst.1 = max(worst.1, (result[0] / exp(y) - 1).magnitude)
            #expect(result[1] == 1)
        }
        #expect(worst.0 < 1e-13 && worst.1 < 2e-14, "\(worst)")
        var result = [0.0, 0, 0, 0]
        SmallKernels.exponentials([1e9, -1e9, 700, -700], into: &result, count: 4)
        #expect(result[0] == result[2] && result[1] == result[3] && result[0].isFinite)
    }
}
