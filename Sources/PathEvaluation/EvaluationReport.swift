public import PathLearning

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
    /// What it does on the network; nil where actions are no paths.
    public var network: NetworkFigures?
    /// What was asked for and left out, and why.
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
        if !analysis.isDeterministic,
            analysis.options.estimators.contains(where: { $0.name == .replay })
        {
            notes.append(
                "replay is left out: it takes a policy for the action it most probably takes, and "
                    + "this one takes that with a probability of "
                    + "\(Verdict.percent(diagnostics.greatestProbability)) on average")
        }
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
    /// What a late burst and a price count in the values.
    public var valueWeights = Cost()
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
    /// What the recording itself did on the network; nil where actions are no paths.
    public var recordedNetwork: NetworkFigures?
    /// Policies that are ahead by the value and late far more often.
    public private(set) var latenessWarnings: [LatenessWarning] = []
    /// Rows whose probabilities were written with few digits and were divided by their sum.
    public var renormalised = 0

    public init(source: Source, options: AnalysisOptions = AnalysisOptions()) {
        self.source = source
        self.options = options
    }

    public var evaluated: Int { decisions - forced - withoutOutcome - refused }

    /// What the recorded decisions earned.
    public var recorded: Estimate {
        policies.first?.analysis.recorded
            ?? Estimate(estimator: .ips, value: .nan, standardError: 0, count: 0)
    }

    /// The interval of what was recorded.
    public var recordedInterval: Interval {
        policies.first?.analysis.recordedInterval(confidence: options.confidence)
            ?? Interval(.nan, .nan, method: "none")
    }

    /// Notes who is ahead by the value and late far more often, and keeps the gate from deploying
    /// such a policy.
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

    /// What the recording is called among the policies.
    public static let recordedLabel = "(recorded)"

    /// The worst verdict of all.
    public var verdict: Verdict.Level { policies.map(\.verdict.level).max() ?? .doNotTrust }

    /// The estimator to quote: DR with a reward model, else SNIPS.
    public var preferred: Estimator { model == nil ? .snips : .dr }

    /// What the numbers of `PolicyAnalysis.outcomes` are.
    public var outcomeName: String {
        if case .traces = source { return "delivery time, late bursts at their deadline, s" }
        return "reward"
    }
}
