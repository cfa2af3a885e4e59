import Foundation
import Testing

@testable import PathTelemetry

@Suite struct FeatureScaleTests {
    private func number(_ random: inout SeededGenerator) -> Double {
        switch random.next() % 8 {
        case 0: Double(bitPattern: random.next())
        case 1: 0
        case 2: -0.0
        case 3: .infinity
        case 4: .nan
        default: exp((random.uniform() - 0.5) * 40) * (random.next() % 5 == 0 ? -1 : 1)
        }
    }

    /// All at once is the same as one by one, to the last bit.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func theKernelIsTheFormula(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var memory = FeatureMemory()
        for _ in 0..<20_000 {
            var raw = InlineArray<24, Double>(repeating: 0)
            for index in 0..<24 { raw[index] = number(&random) }
            var vector = FeatureVector(repeating: 7)
            memory.withPath(PathID(3)) {
                FeatureSchema.scale(&raw, memory: $0, into: &vector)
            }
            for feature in Feature.allCases {
                let expected = feature.scaling.apply(raw[feature.rawValue])
                let got = vector[feature.rawValue]
                if got.bitPattern != expected.bitPattern, got != expected {
                    Issue.record("\(feature) of \(raw[feature.rawValue]): \(got), \(expected)")
                }
            }
        }
    }

    /// What is remembered of earlier extractions changes nothing.
    @Test func memoryChangesNoResult() {
        var random = SeededGenerator(seed: 9)
        var memory = FeatureMemory()
        var raw = InlineArray<24, Double>(repeating: 1)
        for _ in 0..<20_000 {
            // Some change, most stay.
            for _ in 0..<Int(random.next() % 4) {
                raw[Int(random.next() % 24)] = number(&random)
            }
            let path = PathID(Int(random.next() % 16))
            var vector = FeatureVector(repeating: 7)
            var fresh = FeatureVector(repeating: 8)
            var none = FeatureMemory()
            memory.withPath(path) { FeatureSchema.scale(&raw, memory: $0, into: &vector) }
            none.withPath(path) { FeatureSchema.scale(&raw, memory: $0, into: &fresh) }
            for index in 0..<24 where vector[index].bitPattern != fresh[index].bitPattern {
                Issue.record("feature \(index): \(vector[index]), \(fresh[index])")
            }
        }
    }

    @Test func gapsAtOnceAreGapsOneByOne() {
        var random = SeededGenerator(seed: 4)
        for count in 1...16 {
            var ratios = [Double](repeating: 1, count: 16)
            for index in 0..<count { ratios[index] = exp((random.uniform() - 0.5) * 20) }
            var gaps = [Double](repeating: .nan, count: 16)
            FeatureSchema.scaleGaps(ratios, into: &gaps, count: count)
            for index in 0..<count {
                #expect(gaps[index] == Feature.predictionGap.scaling.apply(ratios[index]))
            }
        }
    }
}
