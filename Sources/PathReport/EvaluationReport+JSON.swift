public import PathEvaluation
import PathLearning

/// An evaluation as JSON.
extension EvaluationReport {
    /// One object with `verdict`, `diagnostics` and `estimates`, then counts and each policy.
    ///
    /// With several policies the verdict is the worst of all, the diagnostics are the first
    /// policy's, and each estimate names its policy.
    public func json() -> JSONValue {
        var members: [(key: String, value: JSONValue)] = [
            ("verdict", .string(verdict.words)),
            (
                "reasons",
                .array(
                    policies.flatMap { policy in
                        policy.verdict.reasons.map {
                            .string(policies.count > 1 ? "\(policy.label): \($0)" : $0)
                        }
                    })
            ),
            ("diagnostics", policies.first.map { json($0.diagnostics) } ?? .null),
            (
                "estimates",
                .array(
                    policies.flatMap { policy in
                        policy.estimates.map {
                            json($0.estimate, $0.interval, policy: policy.label)
                        }
                    })
            ),
            ("confidence", .number(options.confidence)),
            ("decisions", .count(decisions)), ("evaluated", .count(evaluated)),
            ("forced", .count(forced)), ("without_outcome", .count(withoutOutcome)),
            ("refused", .count(refused)), ("thinned", .count(thinned)),
            ("renormalised", .count(renormalised)),
            ("reward_model_explained", .optional(model?.explained)),
            (
                "recorded",
                json(recorded, recordedInterval, name: "mean")
            ),
            ("recorded_network", recordedNetwork.map { json($0) } ?? .null),
            ("lateness_warnings", latenessWarningsJSON),
            ("policies", .array(policies.map { json($0) })),
        ]
        if case .traces(let target) = source {
            members.insert(("target", .string(target.rawValue)), at: 4)
            members.insert(
                (
                    "value_weights",
                    [
                        "lateness": .number(valueWeights.lateness),
                        "price": .number(valueWeights.perUnit),
                    ]
                ), at: 5)
        }
        return .object(members)
    }

    private func json(
        _ estimate: Estimate, _ interval: Interval, name: String? = nil, policy: String? = nil
    ) -> JSONValue {
        var members: [(key: String, value: JSONValue)] = [
            ("estimator", .string(name ?? estimate.estimator.text)),
            ("value", .number(estimate.value)),
            ("standard_error", .optional(estimate.knownError)),
            ("interval", .array([.number(interval.low), .number(interval.high)])),
            ("interval_method", .string(interval.method)),
        ]
        if let lambda = estimate.lambda { members.append(("lambda", .number(lambda))) }
        if let policy { members.append(("policy", .string(policy))) }
        return .object(members)
    }

    private func json(_ policy: PolicyEvaluation) -> JSONValue {
        let quantiles = [0.05, 0.5, 0.9, 0.95, 0.99]
        let values = policy.analysis.outcomes.weightedQuantiles(quantiles)
        let recent = policy.analysis.discountedValue
        var members: [(key: String, value: JSONValue)] = [
            ("policy", .string(policy.label)),
            ("verdict", .string(policy.verdict.level.words)),
            ("reasons", .array(policy.verdict.reasons.map { .string($0) })),
            ("notes", .array(policy.notes.map { .string($0) })),
            ("network", policy.network.map { json($0) } ?? .null),
            (
                "is_far_later",
                .bool(latenessWarnings.contains { $0.policy == policy.label })
            ),
            ("diagnostics", json(policy.diagnostics)),
            ("estimates", .array(policy.estimates.map { json($0.estimate, $0.interval) })),
            ("gain_over_recorded", json(policy.gain.estimate, policy.gain.interval)),
        ]
        if let other = policy.overBaseline {
            members.append(("baseline", .string(other.name)))
            members.append(("gain_over_baseline", json(other.estimate, other.interval)))
            if !policy.overBaselineAdaptive.isEmpty {
                members.append(
                    (
                        "gain_over_baseline_adaptive",
                        .array(
                            policy.overBaselineAdaptive.map { json($0.estimate, $0.interval) })
                    ))
            }
        }
        if let gate = policy.gate {
            members.append(
                (
                    "gate",
                    [
                        "decision": .string(gate.decision.rawValue),
                        "interval": [.number(gate.interval.low), .number(gate.interval.high)],
                        "interval_method": .string(gate.interval.method),
                        "margin": .number(gate.margin), "reason": .string(gate.reason),
                    ]
                ))
        }
        members += [
            (
                "outcomes",
                .object(
                    [("of", JSONValue.string(outcomeName))]
                        + zip(quantiles, values).map {
                            (key: "p\(Int(($0 * 100).rounded()))", value: .number($1))
                        } + [(key: "cvar_5", value: .number(tailRisk(of: policy)))])
            ),
            (
                "by_action",
                .array(policy.analysis.byAction.map { json($0.name, $0.sums, isPart: false) })
            ),
            (
                "by_path",
                .array(policy.analysis.byPath.map { json($0.name, $0.sums, isPart: false) })
            ),
            (
                "by_class",
                .array(policy.analysis.byClass.map { json($0.name, $0.sums, isPart: true) })
            ),
            (
                "over_time",
                .array(
                    policy.analysis.overTime.map {
                        [
                            "decisions": .count($0.count), "value": .number($0.value),
                            "recorded": .number($0.recorded),
                        ]
                    })
            ),
            (
                "discounted",
                [
                    "half_life": .number(options.halfLife), "value": .number(recent.value),
                    "standard_error": .optional(
                        policy.rows.count > 1 ? recent.standardError : nil),
                ]
            ),
        ]
        return .object(members)
    }

    private func json(_ name: String, _ sums: GroupSums, isPart: Bool) -> JSONValue {
        let value = sums.selfNormalised
        return [
            "name": .string(name), "decisions": .count(sums.count),
            "recorded": .number(sums.rewards.mean), "weight": .number(sums.weight),
            "value": .number(isPart ? sums.scores.mean : value.value),
            "standard_error": .optional(
                sums.count > 1 ? isPart ? sums.scores.standardError : value.standardError : nil),
        ]
    }

    private func json(_ facts: Diagnostics) -> JSONValue {
        [
            "n": .count(facts.count), "refused": .count(facts.refused),
            "forced": .count(facts.forced), "without_outcome": .count(facts.withoutOutcome),
            "effective_sample_size": .number(facts.effectiveSampleSize),
            "effective_share": .number(facts.effectiveShare),
            "implied_sample_size": .optional(facts.impliedSampleSize),
            "entropy_sample_size": .number(facts.entropySampleSize),
            "mean_weight": .number(facts.meanWeight),
            "mean_weight_standard_error": .number(facts.meanWeightError),
            "mean_weight_z": .number(facts.meanWeightDeviation),
            "weight_test_z": .number(facts.weightTest),
            "min_weight": .number(facts.leastWeight),
            "largest_weight": .number(facts.largestWeight),
            "largest_weight_share": .number(facts.largestWeightShare),
            "weight_quantiles": [
                "p50": .number(facts.weightQuantiles[0]), "p95": .number(facts.weightQuantiles[1]),
                "p99": .number(facts.weightQuantiles[2]),
            ],
            "share_of_weights_above_10": .number(facts.shareAboveTen),
            "top_1_percent_weight_share": .number(facts.topHundredthShare),
            "chi2_divergence": .number(facts.divergence),
            "unsupported_share": .number(facts.unsupportedShare),
            "agreement": .number(facts.agreement),
            "greatest_probability": .number(facts.greatestProbability),
            "smallest_propensity": .number(facts.smallestPropensity),
            "smallest_probability": .optional(facts.smallestProbability),
            "share_of_probabilities_below_0_01": .optional(facts.shareOfSmallProbabilities),
            "mean_reward": .number(facts.meanReward),
            "reward_range": [.number(facts.leastReward), .number(facts.greatestReward)],
            "reward_model_explained": .optional(facts.model?.explained),
            "reward_model_by_action": .array(
                facts.actionFits.map { item in
                    [
                        "name": .string(item.name), "rows": .count(item.fit.rows),
                        "explained": .number(item.fit.explained), "bias": .number(item.fit.bias),
                    ]
                }),
            "residual_autocorrelation": .number(facts.autocorrelation),
            "is_dependent": .bool(facts.isDependent),
            "drift_z": .number(facts.drift), "own_load": .optional(facts.ownLoad),
            "influential": .array(
                facts.influential.map {
                    [
                        "row": .count($0.row), "weight": .number($0.weight),
                        "influence": .number($0.influence),
                    ]
                }),
        ]
    }
}
