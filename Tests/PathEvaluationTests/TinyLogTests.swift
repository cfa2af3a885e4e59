import Testing

@testable import PathEvaluation

/// Statements about very small logs are true and consistent.
@Suite struct TinyLogTests {
    private struct Draws {
        var state: UInt64

        mutating func next() -> Double {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double(state >> 11) * 0x1p-53
        }
    }

    /// A log with correct propensities: the first action has the probability `share`.
    private func log(
        _ count: Int, seed: UInt64, share: Double = 0.5, withLogging: Bool = false
    ) -> BanditLog {
        var draws = Draws(state: seed &* 7919 &+ 3)
        _ = draws.next()
        var log = BanditLog(actionCount: 2, contextCount: 1)
        for _ in 0..<count {
            let action = draws.next() < share ? 0 : 1
            log.append(
                action: action, reward: draws.next(), propensity: action == 0 ? share : 1 - share,
                evaluated: [0.7, 0.3], logging: withLogging ? [share, 1 - share] : [],
                context: [draws.next()])
        }
        return log
    }

    private func report(_ log: BanditLog) throws -> EvaluationReport {
        try LogEvaluation().evaluate(log)
    }

    /// Correct propensities are called wrong at most three times in a thousand, for any number of
    /// decisions and any rarity of actions.
    @Test(arguments: [1, 2, 3, 5, 10, 30], [0.5, 0.9, 0.99])
    func rightPropensitiesAreNotCalledWrong(count: Int, share: Double) throws {
        for withLogging in [false, true] {
            var wrong = 0
            for seed in 0..<400 {
                let verdict = try report(
                    log(count, seed: UInt64(seed), share: share, withLogging: withLogging)
                ).policies[0].verdict
                if verdict.reasons.contains(where: { $0.contains("propensities are wrong") }) {
                    wrong += 1
                }
            }
            #expect(wrong <= 4, "\(count) rows, \(share), logging policy \(withLogging): \(wrong)")
        }
    }

    /// Wrong propensities are detected as soon as the data show it: here all weights are two.
    @Test func wrongPropensitiesAreFoundInTime() throws {
        func isFound(_ count: Int) throws -> Bool {
            var log = BanditLog(actionCount: 2)
            for index in 0..<count {
                log.append(
                    action: 0, reward: Double(index % 2), propensity: 0.5, evaluated: [1, 0])
            }
            return try report(log).policies[0].verdict.reasons.contains {
                $0.contains("propensities are wrong")
            }
        }
        // Ten equal coin throws have a probability of 0.001.
        #expect(try !isFound(3))
        #expect(try !isFound(9))
        #expect(try isFound(20))
    }

    @Test(arguments: [1, 2, 3, 5, 10, 49])
    func oneReasonForFewDecisions(count: Int) throws {
        for seed in 0..<20 {
            let report = try report(log(count, seed: UInt64(seed)))
            let policy = report.policies[0]
            #expect(policy.verdict.level == .doNotTrust)
            #expect(
                policy.verdict.reasons.first
                    == "only \(count) decision\(count == 1 ? "" : "s") can be evaluated, and fewer "
                    + "than 50 say little")
            // Weights of 1.4 and 0.6: none is an outlier, so no other sample size is mentioned.
            #expect(!policy.verdict.reasons.contains { $0.contains("effective sample size") })
            #expect(!policy.verdict.reasons.contains { $0.contains("of all weight") })
        }
    }

    /// A single heavy decision among few is still reported.
    @Test func aDecisionThatOutweighsTheRestIsTold() throws {
        var log = BanditLog(actionCount: 2)
        for index in 0..<8 {
            let isHeavy = index == 3
            log.append(
                action: isHeavy ? 1 : 0, reward: Double(index) / 8,
                propensity: isHeavy ? 0.05 : 0.95, evaluated: [0.5, 0.5])
        }
        // 10 of 10 + 7 * 0.526.
        #expect(
            try report(log).policies[0].verdict.reasons.contains(
                "one decision has 73.1 % of all weight"))
    }

    @Test func oneRowHasNoErrorAndNoModel() throws {
        let report = try report(log(1, seed: 1))
        #expect(report.model == nil)
        #expect(report.recorded.knownError == nil)
        for (estimate, interval) in report.policies[0].estimates {
            #expect(!estimate.estimator.kind.needs.contains(.model))
            #expect(estimate.knownError == nil)
            // One reward in 0 ... 1 excludes almost nothing.
            #expect(interval.high - interval.low > 0.5)
        }
    }

    /// With two rows each is predicted by the other: the squared error is 2 d^2, the scatter d^2 / 2.
    @Test func twoRowsAreNotPredictedFromThemselves() throws {
        for seed in 0..<10 {
            let log = log(2, seed: UInt64(seed))
            let model = try #require(try report(log).model)
            let distance = log.rewards[0] - log.rewards[1]
            #expect((model.squaredError - 2 * distance * distance).magnitude < 1e-9)
            #expect((model.explained + 3).magnitude < 1e-6)
        }
    }

    /// The policy's true value is 0.5: 95 % intervals cover it in most logs, however small.
    @Test(arguments: [2, 3, 5, 10])
    func intervalsHoldTheTruth(count: Int) throws {
        var held: [Estimator: Int] = [:]
        var recorded = 0
        for seed in 0..<300 {
            let report = try report(log(count, seed: UInt64(seed) &+ 50))
            for (estimate, interval) in report.policies[0].estimates {
                if interval.contains(0.5) { held[estimate.estimator, default: 0] += 1 }
                #expect(interval.high > interval.low)
            }
            if report.recordedInterval.contains(0.5) { recorded += 1 }
            let gain = report.policies[0].gain.interval
            #expect(gain.high > gain.low, "seed \(seed)")
        }
        #expect(recorded >= 270)
        for (estimator, number) in held where estimator.kind != .dm {
            #expect(number >= 255, "\(estimator)")
        }
    }
}
