/// What one policy would have achieved on the log.
public struct PolicyEvaluation: Sendable {
    public var label: String
    public var rows: OffPolicySums
    /// Probability that the policy puts, on average, on actions the log could not have taken.
    public var unsupportedShare: Double
    /// Probability that it puts, on average, on the action that was taken.
    public var agreement: Double
    public var verdict: Verdict
}

/// An evaluation of policies on recorded decisions.
public struct EvaluationReport: Sendable {
    public var target: RewardTarget
    /// Decisions read, and why some of them say nothing.
    public var decisions = 0
    public var forced = 0
    public var withoutOutcome = 0
    /// Propensity not above zero, probabilities not summing to one, or numbers not finite.
    public var refused = 0
    public var smallestPropensity = 1.0
    /// Out-of-fold fit of the reward model; nil when there was nothing to fit it on, and then DM
    /// and DR are not reported.
    public var model: RewardModelFit?
    public var policies: [PolicyEvaluation] = []

    public var evaluated: Int { decisions - forced - withoutOutcome - refused }

    /// What the recorded decisions earned.
    public var recorded: Estimate {
        policies.first?.rows.recorded
            ?? Estimate(estimator: .ips, value: .nan, standardError: 0, count: 0)
    }

    /// The estimators that this report has.
    public var estimators: [Estimator] {
        model == nil ? [.ips, .snips] : [.ips, .snips, .dm, .dr, .sndr]
    }

    /// The estimator to quote: DR with a reward model, else SNIPS.
    public var preferred: Estimator { model == nil ? .snips : .dr }
}
