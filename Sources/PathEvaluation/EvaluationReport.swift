public import PathLearning

/// The evaluation of one policy on the log.
public struct PolicyEvaluation: Sendable {
    public var label: String
    public var analysis: PolicyAnalysis
    public var diagnostics: Diagnostics
    public var verdict: Verdict
    public var estimates: [(estimate: Estimate, interval: Interval)]
    /// Gain over the recorded policy.
    public var gain: (estimate: Estimate, interval: Interval)
    /// Gain over the baseline, if one was named and this policy is not it.
    public var overBaseline: (name: String, estimate: Estimate, interval: Interval)?
    /// The same by each requested estimator that weighs adaptively.
    public var overBaselineAdaptive: [(estimate: Estimate, interval: Interval)] = []
    public var gate: Gate?
    /// Its network figures; nil if actions are not paths.
    public var network: NetworkFigures?
    /// Requested results that were left out, and why.
    public private(set) var notes: [String] = []

    public init(label: String, analysis: PolicyAnalysis, diagnostics: Diagnostics) {
        self.label = label
        self.analysis = analysis
        self.diagnostics = diagnostics
        verdict = Verdict(diagnostics)
        estimates = analysis.estimates
        gain = (analysis.reportedGain, analysis.gainInterval)
        if analysis.options.hasGate { gate = analysis.gate(verdict) }
        network = analysis.network?.figures(confidence: analysis.options.confidence)
        let leftOut = analysis.options.estimators.filter { $0.kind.needs.contains(.certainPolicy) }
        if !analysis.isDeterministic, let estimator = leftOut.first {
            notes.append(
                "\(estimator.kind) is left out: it assumes that a policy always takes its most "
                    + "probable action, and this one takes it with a probability of "
                    + "\(Verdict.percent(diagnostics.greatestProbability)) on average")
        }
    }

    /// The sums of its estimators.
    public var rows: OffPolicySums { analysis.sums }
}

/// An evaluation of policies on recorded decisions.
public struct EvaluationReport: Sendable {
    /// The source of the decisions.
    public enum Source: Hashable, Sendable {
        case traces(RewardTarget)
        /// A log of bandit data, with the reasons why rows were refused.
        case log(refusals: [String])
    }

    public var source: Source
    /// The weights of lateness and price in the values.
    public var valueWeights = Cost()
    public var options: AnalysisOptions
    /// Decisions read, and counts of those that were excluded.
    public var decisions = 0
    public var forced = 0
    public var withoutOutcome = 0
    /// Decisions whose propensity is not positive, whose probabilities do not sum to one, or whose
    /// numbers are not finite.
    public var refused = 0
    /// Decisions that are left out so that recordings of different shares of the decisions count alike.
    public var thinned = 0
    /// How well the reward model predicts rewards that it was not fitted to; nil if there was too
    /// little data, and then estimators that need one are not reported.
    public var model: RewardModelFit?
    public var policies: [PolicyEvaluation] = []
    /// Network figures of the recorded policy; nil if actions are not paths.
    public var recordedNetwork: NetworkFigures?
    /// Policies with a better value that are late far more often.
    public private(set) var latenessWarnings: [LatenessWarning] = []
    /// Rows whose probabilities were written with few digits and were divided by their sum.
    public var renormalised = 0

    public init(source: Source, options: AnalysisOptions = AnalysisOptions()) {
        self.source = source
        self.options = options
    }

    public var evaluated: Int { decisions - forced - withoutOutcome - refused - thinned }

    /// The mean reward of the recorded decisions.
    public var recorded: Estimate {
        policies.first?.analysis.recorded
            ?? Estimate(estimator: .ips, value: .nan, standardError: 0, count: 0)
    }

    /// The interval of the recorded mean.
    public var recordedInterval: Interval {
        policies.first?.analysis.recordedInterval(confidence: options.confidence)
            ?? Interval(.nan, .nan, method: "none")
    }

    /// Finds policies with a better value that are late far more often, and keeps the gate from
    /// deploying them.
    mutating func warnOfLateness(_ lateness: Double) {
        guard let recordedNetwork else { return }
        var all = policies.map {
            (label: $0.label, value: $0.rows.estimate(preferred)?.value, network: $0.network)
        }
        all.append((EvaluationReport.recordedLabel, recorded.value, recordedNetwork))
        for (index, policy) in policies.enumerated() {
            guard let value = all[index].value, let own = policy.network else { continue }
            for other in all where other.label != policy.label {
                guard let otherValue = other.value, value > otherValue,
                    let network = other.network, own.isFarLater(than: network)
                else { continue }
                latenessWarnings.append(
                    LatenessWarning(
                        policy: policy.label, other: other.label, lateShare: own.lateShare,
                        otherLateShare: network.lateShare, lateness: lateness))
                if other.label == EvaluationReport.recordedLabel {
                    policies[index].gate?.hold("it is late far more often")
                }
            }
        }
    }

    /// The label of the recorded policy.
    public static let recordedLabel = "(recorded)"

    /// The worst verdict of all policies.
    public var verdict: Verdict.Level { policies.map(\.verdict.level).max() ?? .doNotTrust }

    /// The estimator to quote: DR with a reward model, else SNIPS.
    public var preferred: Estimator { model == nil ? .snips : .dr }

    /// The quantity in `PolicyAnalysis.outcomes`.
    public var outcomeName: String {
        if case .traces = source { return "delivery time, late bursts at their deadline, s" }
        return "reward"
    }
}
