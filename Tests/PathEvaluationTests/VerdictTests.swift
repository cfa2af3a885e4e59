import PathEvaluation
import Testing

@Suite struct VerdictTests {
    private func rows(_ weights: [Double]) -> OffPolicySums {
        OffPolicySums(weights: weights, rewards: weights.map { _ in 0.5 })
    }

    @Test func nothingToEvaluate() {
        let verdict = Verdict(OffPolicySums(), unsupportedShare: 0)
        #expect(verdict.level == .doNotTrust)
        #expect(verdict.reasons == ["no decision can be evaluated"])
    }

    @Test func evenWeightsAreTrusted() {
        let verdict = Verdict(
            rows([Double](repeating: 1, count: 500)), unsupportedShare: 0)
        #expect(verdict.level == .trust)
        #expect(verdict.reasons == [])
    }

    @Test func fewEffectiveDecisionsAreNot() {
        var weights = [Double](repeating: 0, count: 1000)
        for index in 0..<40 { weights[index * 25] = 25 }
        let verdict = Verdict(rows(weights), unsupportedShare: 0)
        #expect(verdict.level == .doNotTrust)
        #expect(verdict.reasons == ["the effective sample size is only 40 of 1000 decisions"])
        weights = [Double](repeating: 0, count: 1000)
        for index in 0..<60 { weights[index * 16] = 16 }
        #expect(Verdict(rows(weights), unsupportedShare: 0).level == .weak)
    }

    @Test func oneHeavyDecisionAndMissingSupport() {
        var weights = [Double](repeating: 1, count: 1000)
        weights[7] = 150
        #expect(
            Verdict(rows(weights), unsupportedShare: 0).reasons
                == [
                    "the effective sample size is 56 of 1000 decisions",
                    "one decision has 13.05 % of all weight",
                ])
        let even = rows([Double](repeating: 1, count: 1000))
        #expect(Verdict(even, unsupportedShare: 0.05).level == .weak)
        #expect(Verdict(even, unsupportedShare: 0.5).level == .doNotTrust)
    }

    @Test func wrongPropensitiesShowInTheMeanWeight() {
        var weights = [Double](repeating: 2, count: 1000)
        for index in 0..<100 { weights[index] = 1.5 }
        let verdict = Verdict(rows(weights), unsupportedShare: 0)
        #expect(verdict.level == .doNotTrust)
        #expect(
            verdict.reasons
                == ["the mean weight is 1.95, not 1: the recorded propensities are wrong"])
    }

    @Test func infiniteSumsGiveAVerdictToo() {
        #expect(
            Verdict(rows([1e200, 1e200]), unsupportedShare: 0).level == .doNotTrust)
    }
}
