import PathEvaluation
import Testing

@Suite struct VerdictTests {
    private func facts(
        _ weights: [Double], rewards: [Double]? = nil, unsupported: Double = 0,
        variance: Double? = nil
    ) -> Diagnostics {
        var options = AnalysisOptions()
        options.estimators = [.ips]
        var analysis = PolicyAnalysis(options: options, hasModel: false)
        for (index, weight) in weights.enumerated() {
            analysis.add(
                OffPolicyRow(weight: weight, reward: rewards?[index] ?? 0.5),
                RowFacts(
                    row: index + 1, propensity: 0.5, agreement: 0.5, unsupported: unsupported,
                    weightVariance: variance, outcome: 0.5, action: 0))
        }
        analysis.finish()
        return analysis.diagnostics
    }

    @Test func nothingToEvaluate() {
        let verdict = Verdict(Diagnostics())
        #expect(verdict.level == .doNotTrust)
        #expect(verdict.reasons == ["no decision can be evaluated"])
    }

    @Test func evenWeightsAreTrusted() {
        let verdict = Verdict(facts([Double](repeating: 1, count: 500)))
        #expect(verdict.level == .trust)
        #expect(verdict.reasons == [])
    }

    @Test func fewEffectiveDecisionsAreNot() {
        var weights = [Double](repeating: 0, count: 1000)
        for index in 0..<40 { weights[index * 25] = 25 }
        let verdict = Verdict(facts(weights))
        #expect(verdict.level == .doNotTrust)
        #expect(verdict.reasons == ["the effective sample size is only 40 of 1000 decisions"])
        weights = [Double](repeating: 0, count: 1000)
        for index in 0..<60 { weights[index * 16] = 16 }
        #expect(Verdict(facts(weights)).level == .weak)
    }

    @Test func oneHeavyDecisionAndMissingSupport() {
        var weights = [Double](repeating: 1, count: 1000)
        weights[7] = 150
        #expect(
            Verdict(facts(weights)).reasons
                == [
                    "the effective sample size is 56 of 1000 decisions",
                    "one decision has 13.05 % of all weight",
                ])
        let some = facts([Double](repeating: 0.95, count: 1000), unsupported: 0.05)
        #expect(Verdict(some).level == .weak)
        #expect(
            Verdict(some).reasons
                == ["5 % of what the policy does was never possible in the log"])
        let much = facts([Double](repeating: 0.5, count: 1000), unsupported: 0.5)
        #expect(Verdict(much).level == .doNotTrust)
    }

    @Test func wrongPropensitiesShowInTheMeanWeight() {
        var weights = [Double](repeating: 2, count: 1000)
        for index in 0..<100 { weights[index] = 1.5 }
        let verdict = Verdict(facts(weights))
        #expect(verdict.level == .doNotTrust)
        #expect(
            verdict.reasons
                == ["the mean weight is 1.95, not 1: the recorded propensities are wrong"])
    }

    /// Rare actions of large weight that have not been seen yet say nothing against the
    /// propensities, unless the sample's own spread is asked.
    @Test func rareActionsNotYetSeenAreNoError() {
        let unseen = [Double](repeating: 0.97, count: 300)
        #expect(Verdict(facts(unseen)).level == .doNotTrust)
        #expect(Verdict(facts(unseen, variance: 0.05)).level == .trust)
        #expect(Verdict(facts(unseen, variance: 100)).level == .doNotTrust)
        let hardly = [Double](repeating: 0.25, count: 300)
        #expect(Verdict(facts(hardly, variance: 560)).level == .doNotTrust)
    }

    @Test func infiniteSumsGiveAVerdictToo() {
        #expect(Verdict(facts([1e200, 1e200])).level == .doNotTrust)
    }

    @Test func neighboursAndDriftAreTold() {
        var level = 0.0
        var generator = Noise(state: 7)
        let walk = (0..<4000).map { _ in
            level = 0.95 * level + generator.next()
            return level
        }
        let verdict = Verdict(
            facts([Double](repeating: 1, count: walk.count), rewards: walk))
        #expect(verdict.level == .weak)
        #expect(verdict.reasons.contains { $0.hasPrefix("decisions resemble their neighbours") })
        let ramp = (0..<4000).map { Double($0) / 4000 + generator.next() }
        let drifting = Verdict(
            facts([Double](repeating: 1, count: ramp.count), rewards: ramp))
        #expect(drifting.reasons.contains { $0.hasPrefix("rewards drift") })
    }
}

/// Uniform noise in -0.5 ..< 0.5.
private struct Noise {
    var state: UInt64

    mutating func next() -> Double {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Double(state >> 11) * 0x1p-53 - 0.5
    }
}
