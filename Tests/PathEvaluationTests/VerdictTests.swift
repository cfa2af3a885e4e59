import Testing

@testable import PathEvaluation

@Suite struct VerdictTests {
    private func facts(
        _ weights: [Double], rewards: [Double]? = nil, unsupported: Double = 0,
        variance: Double? = nil, interval: IntervalMethod = .automatic, rounding: Double = 0
    ) -> Diagnostics {
        var options = AnalysisOptions()
        options.interval = interval
        options.estimators = [.ips]
        var analysis = PolicyAnalysis(options: options, hasModel: false)
        for (index, weight) in weights.enumerated() {
            var about = RowFacts(
                row: index + 1, propensity: 0.5, agreement: weight / 2, unsupported: unsupported,
                weightVariance: variance, outcome: 0.5, action: 0)
            about.rounding = rounding
            analysis.add(OffPolicyRow(weight: weight, reward: rewards?[index] ?? 0.5), about)
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
                    "one decision has 13.1 % of all weight",
                ])
        let some = facts([Double](repeating: 0.95, count: 1000), unsupported: 0.05)
        #expect(Verdict(some).level == .weak)
        #expect(
            Verdict(some).reasons
                == ["5 % of the policy's choices were never possible in the log"])
        let much = facts([Double](repeating: 0.5, count: 1000), unsupported: 0.5)
        #expect(Verdict(much).level == .doNotTrust)
    }

    /// From a fifth of the load on, estimates are warned of with what the audit found.
    @Test func ownLoadIsWarnedOfWithItsSize() {
        var some = facts([Double](repeating: 1, count: 1000))
        for load in [0.1, 0.199] {
            some.ownLoad = load
            #expect(Verdict(some).level == .trust && Verdict(some).reasons.isEmpty, "\(load)")
        }
        for (index, load) in [0.2, 0.4, 0.8].enumerated() {
            some.ownLoad = load
            let verdict = Verdict(some)
            #expect(verdict.level == .weak && verdict.reasons.count == 1)
            let reason = verdict.reasons.first ?? ""
            let found = Verdict.audited[index]
            let bias = Verdict.percent(found.bias)
            let covered = Verdict.percent(found.covered)
            #expect(reason.hasPrefix("\(Verdict.percent(load)) of the load on the paths was"))
            #expect(reason.contains("values were \(bias) of a delivery time too good"), "\(reason)")
            #expect(reason.contains("and \(covered) of the intervals had the truth"), "\(reason)")
        }
        // Intervals cover less, the larger the own load is.
        for (less, more) in zip(Verdict.audited, Verdict.audited.dropFirst()) {
            #expect(less.load < more.load && less.covered > more.covered)
        }
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

    /// Too little weight does not prove wrong propensities if the log's possible actions are
    /// unknown.
    @Test func tooLittleWeightIsNoProof() {
        let less = [Double](repeating: 0.7, count: 1000)
        let open = Verdict(facts(less)).reasons
        #expect(
            open == [
                "the mean weight is 0.7, not 1: the log never took some of the policy's actions, or "
                    + "the recorded propensities are too large"
            ])
        #expect(
            Verdict(facts(less, variance: 0.01)).reasons == [
                "the mean weight is 0.7, not 1: the recorded propensities are wrong"
            ])
        let none = Verdict(facts([Double](repeating: 0, count: 50)))
        #expect(none.level == .doNotTrust)
        #expect(
            none.reasons == [
                "the effective sample size is only 0 of 50 decisions",
                "the policy never chooses a logged action (agreement 0 %), so the log says nothing "
                    + "about it",
            ])
    }

    /// Three arms of 0.333333 give weights of 1.000001 throughout: rounding, not an error.
    @Test func roundedPropensitiesAreNotWrong() {
        let weights = [Double](repeating: 1.0000015, count: 500)
        #expect(Verdict(facts(weights, variance: 0, rounding: 1e-6)).level == .trust)
        #expect(Verdict(facts(weights, variance: 0)).level == .doNotTrust)
        let wrong = [Double](repeating: 1.00001, count: 500)
        #expect(Verdict(facts(wrong, variance: 0, rounding: 1e-6)).level == .doNotTrust)
        // If the log's possible actions are unknown, so small a difference proves nothing.
        #expect(Verdict(facts(weights)).level == .trust)
    }

    /// Rare actions of large weight that have not occurred do not prove wrong propensities, unless
    /// only the sample's variance is used.
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
        let even = [Double](repeating: 1, count: walk.count)
        let sentence = "decisions are autocorrelated (0.9"
        let byTime = Verdict(facts(even, rewards: walk))
        #expect(
            byTime.reasons.contains {
                $0.hasPrefix(sentence) && $0.hasSuffix("intervals use batch means")
            })
        let verdict = Verdict(facts(even, rewards: walk, interval: .normal))
        #expect(verdict.level == .weak)
        #expect(
            verdict.reasons.contains { $0.hasPrefix(sentence) && $0.contains("too narrow") })
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
