/// What one policy would have achieved on the log.
public struct PolicyEvaluation: Sendable {
    public var label: String
    public var analysis: PolicyAnalysis
    public var diagnostics: Diagnostics
    public var verdict: Verdict
    public var estimates: [(estimate: Estimate, interval: Interval)]
    /// Of the gain over what was recorded.
    public var gain: (estimate: Estimate, interval: Interval)
    /// Of the gain over the baseline, where one was named and this is another.
    public var overBaseline: (name: String, estimate: Estimate, interval: Interval)?
    public var gate: Gate?

    public init(label: String, analysis: PolicyAnalysis, diagnostics: Diagnostics) {
        self.label = label
        self.analysis = analysis
        self.diagnostics = diagnostics
        verdict = Verdict(diagnostics)
        estimates = analysis.estimates
        gain = (analysis.gain, analysis.gainInterval)
        if analysis.options.hasGate { gate = analysis.gate(verdict) }
    }

    /// The sums of its estimators.
    public var rows: OffPolicySums { analysis.sums }
}

/// An evaluation of policies on recorded decisions.
public struct EvaluationReport: Sendable {
    /// Where the decisions came from.
    public enum Source: Hashable, Sendable {
        case traces(RewardTarget)
        /// A log of bandit data, with the reasons why rows were refused.
        case log(refusals: [String])
    }

    public var source: Source
    public var options: AnalysisOptions
    /// Decisions read, and why some of them say nothing.
    public var decisions = 0
    public var forced = 0
    public var withoutOutcome = 0
    /// Propensity not above zero, probabilities not summing to one, or numbers not finite.
    public var refused = 0
    /// Out-of-fold fit of the reward model; nil when there was nothing to fit it on, and then
    /// estimators that need one are not reported.
    public var model: RewardModelFit?
    public var policies: [PolicyEvaluation] = []

    public init(source: Source, options: AnalysisOptions = AnalysisOptions()) {
        self.source = source
        self.options = options
    }

    public var evaluated: Int { decisions - forced - withoutOutcome - refused }

    /// What the recorded decisions earned.
    public var recorded: Estimate {
        policies.first?.rows.recorded
            ?? Estimate(estimator: .ips, value: .nan, standardError: 0, count: 0)
    }

    /// The worst verdict of all.
    public var verdict: Verdict.Level { policies.map(\.verdict.level).max() ?? .doNotTrust }

    /// The estimator to quote: DR with a reward model, else SNIPS.
    public var preferred: Estimator { model == nil ? .snips : .dr }

    /// What the numbers of `PolicyAnalysis.outcomes` are.
    public var outcomeName: String {
        if case .traces = source { return "delivery time, s" }
        return "reward"
    }
}
