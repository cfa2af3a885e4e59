import Testing

@testable import PathEvaluation

/// Every number of `expected.json` and `expected_ci.json`.
@Suite(.enabled(if: Reference.isPresent, Reference.absence))
struct ReferenceTests {
    static let logs = ["binary", "continuous", "poor_overlap"]
    static let expected = try? Reference.numbers("expected.json")
    static let intervals = try? Reference.numbers("expected_ci.json")

    /// Estimators by the reference's names.
    static func estimator(_ key: String) -> Estimator? {
        let parts = key.split(separator: "_")
        let names: [String: EstimatorDescriptor] = [
            "IPS": .ips, "SNIPS": .snips, "DM": .dm, "DR": .dr, "SNDR": .sndr,
            "IPS_clip": .ipsClip, "DR_clip": .drClip, "SwitchDR": .switchDR, "DRos": .drOS,
            "SGIPS": .sgIPS, "SGDR": .sgDR, "Replay_pi_det": .replay,
        ]
        if let name = names[key] { return Estimator(name) }
        guard let last = parts.last, last.hasPrefix("lambda="),
            let lambda = Double(last.dropFirst(7)),
            let name = names[parts.dropLast().joined(separator: "_")]
        else { return nil }
        return Estimator(name, lambda: lambda)
    }

    private func log(_ name: String, scores: [Score] = []) throws -> OffPolicySums {
        let log = try Reference.log(name)
        return OffPolicySums(
            weights: log.weights, rewards: log.rewards, modelled: log.modelled,
            direct: log.direct, matches: log.matches, scores: scores)
    }

    private func keys(_ name: String, _ group: String) throws -> [(key: String, value: Double)] {
        let prefix = "/\(name)/\(group)/"
        return try #require(Self.expected).filter { $0.key.hasPrefix(prefix) }.map {
            (String($0.key.dropFirst(prefix.count)), $0.value)
        }.sorted { $0.key < $1.key }
    }

    @Test(arguments: logs) func estimates(name: String) throws {
        let keys = try keys(name, "estimates")
        #expect(keys.count == 37)
        let estimators = keys.compactMap { Self.estimator($0.key) }
        let sums = try log(name, scores: Estimator.scores(for: estimators))
        for (key, wanted) in keys {
            let estimator = try #require(Self.estimator(key), "\(key)")
            let estimate = try #require(sums.estimate(estimator), "\(key)")
            #expect(agree(estimate.value, wanted), "\(key): \(estimate.value), not \(wanted)")
        }
    }

    @Test(arguments: logs) func tunedValues(name: String) throws {
        let clips = [1.0, 2, 5, 10, 20, 50, 100]
        let corrections = [0.001, 0.01, 0.05, 0.1, 0.5]
        let families: [(String, EstimatorDescriptor, [Double])] = [
            ("IPS", .ipsClip, clips), ("DR", .drClip, clips), ("SwitchDR", .switchDR, clips),
            ("DRos", .drOS, clips), ("SGIPS", .sgIPS, corrections), ("SGDR", .sgDR, corrections),
        ]
        let all = families.flatMap { family in family.2.map { Estimator(family.1, lambda: $0) } }
        let sums = try log(name, scores: Estimator.scores(for: all))
        let expected = Dictionary(
            uniqueKeysWithValues: try keys(name, "tuned").map { ($0.key, $0.value) })
        var checked = 0
        for (prefix, estimator, grid) in families {
            for (suffix, method, bound) in [
                ("mse_biasUB", Tuning.Method.mse, true), ("mse_directbias", .mse, false),
                ("slope", .slope, true),
            ] {
                let key = "\(prefix)_tuned_\(suffix)"
                let tuning = Tuning(method: method, usesBiasBound: bound, grid: grid)
                let tuned = try #require(sums.tuned(Estimator(estimator), tuning))
                let value = try #require(
                    sums.estimate(Estimator(estimator), tuning: tuning)?.value)
                let wanted = try #require(expected[key + "/value"])
                #expect(agree(value, wanted), "\(key): \(value), not \(wanted)")
                // Candidates that change no weight but those of rewards of zero are the same.
                let best = try #require(expected[key + "/best_lambda"])
                let other = try #require(sums.estimate(Estimator(estimator, lambda: best)))
                #expect(
                    tuned.lambda == best || agree(other.value, value, within: 1e-14),
                    "\(key): \(tuned.lambda), not \(best)")
                for (index, error) in tuned.errors.enumerated() {
                    let score = try #require(expected[key + "/scores/\(grid[index])"])
                    #expect(agree(error, score), "\(key) \(grid[index]): \(error), not \(score)")
                    checked += 1
                }
            }
        }
        #expect(checked == 2 * (4 * 7 + 2 * 5))
    }

    @Test(arguments: logs) func diagnosticsAndExactSums(name: String) throws {
        let sums = try log(name)
        let columns = try Reference.columns(name + ".csv")
        let propensities = try #require(columns["pscore"])
        for (key, value) in [
            ("n", Double(sums.count)), ("mean_weight", sums.weights.mean),
            ("max_weight", sums.largestWeight), ("ess_kish", sums.effectiveSampleSize),
            ("chi2_div", sums.secondMoment - 1), ("mean_reward_logged", sums.logged.mean),
            ("min_pscore", propensities.min() ?? .nan),
        ] {
            let wanted = try #require(Self.expected?["/\(name)/diagnostics/\(key)"])
            #expect(agree(value, wanted), "\(key): \(value), not \(wanted)")
        }
        for (key, wanted) in try keys(name, "fsum_check") {
            let estimator = try #require(Self.estimator(key))
            let value = try #require(sums.estimate(estimator))
            #expect(agree(value.value, wanted, within: 1e-15), "\(key): \(value.value)")
        }
    }

    private func check(
        _ interval: Interval, _ key: String, within tolerance: Double = 1e-9
    ) throws {
        for (end, value) in [interval.low, interval.high].enumerated() {
            let wanted = try #require(Self.intervals?["\(key)/\(end)"], "\(key)")
            #expect(
                agree(value, wanted, within: tolerance), "\(key)/\(end): \(value), not \(wanted)")
        }
    }

    @Test(arguments: logs) func normalAndStudentIntervals(name: String) throws {
        let sums = try sums(name)
        var estimates = [("DR_minus_logged", sums.gainOverLogged)]
        for (key, estimator) in [
            ("IPS", Estimator.ips), ("DR", .dr), ("DM", .dm), ("SNIPS_delta_method", .snips),
            ("SNDR_delta_method", .sndr),
        ] {
            estimates.append((key, try #require(sums.estimate(estimator))))
        }
        for (key, estimate) in estimates {
            for (field, value) in [("estimate", estimate.value), ("se", estimate.standardError)] {
                let wanted = try #require(Self.intervals?["/\(name)/\(key)/\(field)"])
                #expect(agree(value, wanted), "\(key) \(field): \(value), not \(wanted)")
            }
            try check(estimate.normal(confidence: 0.95), "/\(name)/\(key)/normal95")
            try check(estimate.student(confidence: 0.95), "/\(name)/\(key)/t95")
        }
    }

    private func sums(_ name: String) throws -> OffPolicySums { try log(name) }

    @Test(arguments: logs) func finiteSampleIntervals(name: String) throws {
        let sums = try log(name)
        let largest = try #require(Self.intervals?["/\(name)/IPS_hoeffding/wmax"])
        #expect(largest == sums.largestWeight.rounded(.up))
        try check(
            FiniteSample.hoeffding(
                mean: sums.inverse.mean, count: sums.count, range: 0...largest, confidence: 0.95),
            "/\(name)/IPS_hoeffding/ci95")
        try check(
            FiniteSample.maurerPontil(sums.inverse, range: 0...largest, confidence: 0.95),
            "/\(name)/IPS_empirical_bernstein_maurer_pontil/ci95")
    }

    @Test(arguments: logs) func likelihoodIntervals(name: String) throws {
        let log = try Reference.log(name)
        let sums = try self.log(name)
        let root = "/\(name)/vw_estimators"
        let largest = sums.largestWeight.rounded(.up)
        let open = CressieRead(sums)
        let declared = CressieRead(sums, largestWeight: largest)
        for (key, value) in [
            ("cressieread_point_wmin0_wmaxinf", open.value),
            ("cressieread_point_wmin0_wmaxW/value", declared.value),
            ("snips", sums.estimate(.snips)?.value ?? .nan),
        ] {
            let wanted = try #require(Self.intervals?[root + "/" + key])
            #expect(agree(value, wanted), "\(key): \(value), not \(wanted)")
        }
        // vw-estimators solves with an absolute tolerance of 1e-9.
        try check(
            open.interval(rewards: 0...1, confidence: 0.95),
            root + "/cressieread_interval_wmin0_wmaxinf_r01", within: 1e-8)
        try check(
            declared.interval(rewards: 0...1, confidence: 0.95),
            root + "/cressieread_interval_wmin0_wmaxW_r01/ci95", within: 1e-8)
        try check(
            try #require(sums.estimate(.ips)).normal(confidence: 0.95), root + "/gaussian")
        try check(
            GammaExponentialSequence.interval(
                weights: log.weights, rewards: log.rewards, confidence: 0.95),
            root + "/confidence_sequence_empirical_bernstein_gamma_exponential_mixture_r01")
    }

    @Test(arguments: logs) func confidenceSequences(name: String) throws {
        let log = try Reference.log(name)
        let rho = try #require(Self.intervals?["/\(name)/asymptotic_cs_DR/rho2"])
        #expect(agree(AsymptoticSequence.rho2(alpha: 0.05), rho))
        for count in [100, 1000, log.weights.count] {
            let weights = log.weights[..<count]
            let rewards = log.rewards[..<count]
            try check(
                BettingSequence.interval(weights: weights, rewards: rewards, confidence: 0.95),
                "/\(name)/betting_cs_predmix_bets_trunc0.5_root/\(count)")
            try check(
                BettingSequence.bernstein(weights: weights, rewards: rewards, confidence: 0.95),
                "/\(name)/predmix_empirical_bernstein_cs/\(count)")
            let sums = OffPolicySums(
                weights: Array(weights), rewards: Array(rewards),
                modelled: Array(log.modelled[..<count]), direct: Array(log.direct[..<count]))
            try check(
                AsymptoticSequence.interval(sums.doublyRobust, confidence: 0.95),
                "/\(name)/asymptotic_cs_DR/ci/\(count)")
            try check(
                AsymptoticSequence.interval(sums.inverse, confidence: 0.95),
                "/\(name)/asymptotic_cs_IPS/ci/\(count)")
        }
    }
}
