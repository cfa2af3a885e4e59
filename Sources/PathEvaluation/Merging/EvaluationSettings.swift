public import PathLearning

/// What shaped the sums of an evaluation; only sums with equal settings can be merged.
public struct EvaluationSettings: Sendable {
    public let target: RewardTarget
    public let cost: Cost
    /// The names of the policies, and what decides their distributions.
    public let policies: [(label: String, identity: String)]
    /// The label of the policy with which the others are compared.
    public let baseline: String?
    /// The estimators that have sums.
    public let estimators: [Estimator]
    /// The share of the decisions that was recorded, the same in all sessions.
    let share: Double

    init(
        target: RewardTarget, cost: Cost, policies: [(label: String, identity: String)],
        baseline: String?, estimators: [Estimator], share: Double = 1
    ) {
        self.target = target
        self.cost = cost
        self.policies = policies
        self.baseline = baseline
        self.estimators = estimators
        self.share = share
    }

    /// Reads settings from the metadata of a file; nil if they are not settings.
    init?(_ metadata: [String: String]) {
        guard let target = metadata["target"].flatMap(RewardTarget.init(rawValue:)),
            let lateness = metadata["lateness"].flatMap(Double.init), lateness >= 0,
            let price = metadata["price"].flatMap(Double.init), price >= 0,
            lateness.isFinite, price.isFinite, let lines = metadata["policies"]
        else { return nil }
        self.target = target
        var cost = Cost()
        cost.lateness = lateness
        cost.perUnit = price
        self.cost = cost
        var policies: [(label: String, identity: String)] = []
        for line in lines.split(separator: "\n", omittingEmptySubsequences: false) {
            let parts = line.split(separator: "\t", omittingEmptySubsequences: false)
            guard parts.count == 2 else { return nil }
            policies.append((String(parts[0]), String(parts[1])))
        }
        self.policies = policies
        baseline = metadata["baseline"]
        if let baseline, !policies.contains(where: { $0.label == baseline }) { return nil }
        var estimators: [Estimator] = []
        for text in (metadata["estimators"] ?? "").split(separator: " ") {
            guard let estimator = Estimator(parsing: String(text)) else { return nil }
            estimators.append(estimator)
        }
        self.estimators = estimators
        guard let share = Double(metadata["share"] ?? "1"), share > 0, share <= 1 else {
            return nil
        }
        self.share = share
    }

    /// The settings as metadata of a file.
    var metadata: [String: String] {
        var result = [
            "target": target.rawValue, "lateness": String(cost.lateness),
            "price": String(cost.perUnit),
            "policies": policies.map {
                EvaluationSettings.plain($0.label) + "\t" + EvaluationSettings.plain($0.identity)
            }.joined(separator: "\n"),
            "estimators": estimators.map(\.text).joined(separator: " "),
        ]
        // Files of whole recordings stay as they were before there were others.
        if share < 1 { result["share"] = String(share) }
        if let baseline { result["baseline"] = EvaluationSettings.plain(baseline) }
        return result
    }

    /// A text on one line, without the separators.
    static func plain(_ text: String) -> String {
        String(text.map { $0 == "\n" || $0 == "\t" || $0 == "\r\n" ? " " : $0 })
    }

    /// The first setting in which two differ, in words; nil if they are equal.
    func difference(from other: EvaluationSettings) -> String? {
        let (own, theirs) = (metadata, other.metadata)
        for name in ["policies", "target", "lateness", "price", "baseline", "estimators", "share"]
        where own[name] != theirs[name] {
            func text(_ value: String?) -> String {
                (value ?? "none").split(separator: "\n").joined(separator: ", ")
                    .split(separator: "\t").joined(separator: ": ")
            }
            return "\(name) \(text(theirs[name])), not \(text(own[name]))"
        }
        return nil
    }

    /// Empty sums with these settings.
    func sums(_ options: AnalysisOptions) -> EvaluationSums {
        var sums = EvaluationSums(policies: policies.count, estimators: estimators)
        sums.policies = policies.map { _ in PolicyAnalysis(options: options, hasModel: true) }
        return sums
    }
}
