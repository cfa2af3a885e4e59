import PathTelemetry

/// Everything there is to know of a kind of policy: its name, its line of help, its parameters, what
/// it needs, and how one is made.
///
/// A policy is added with its file, which ends with its descriptor, and one line in
/// `PolicySpecification.catalogue`. A program that uses the library sends by a policy of its own
/// with `descriptor.specification()`.
public struct PolicyDescriptor<Settings: PolicySettings>: Sendable {
    public let name: String
    /// One line of help.
    public let summary: String
    /// The paper or program it comes from, with its year; empty for what nobody claims.
    public let source: String
    /// The parameters' own values.
    public let settings: Settings
    let needs: @Sendable (Settings) -> PolicyNeeds
    let make: @Sendable (Settings, PolicyMaterials) throws(LearningError) -> PolicyCell

    /// - Parameters:
    ///   - settings: the parameters' own values.
    ///   - needs: what the policy needs with given parameters.
    ///   - make: makes the policy, once for each connection or replay.
    public init<Made: Policy>(
        _ name: String, _ summary: String, source: String = "", settings: Settings,
        needs: @escaping @Sendable (Settings) -> PolicyNeeds = { _ in PolicyNeeds() },
        make: @escaping @Sendable (Settings, PolicyMaterials) throws(LearningError) -> Made
    ) {
        self.name = name
        self.summary = summary
        self.source = source
        self.settings = settings
        self.needs = needs
        self.make = { settings, materials throws(LearningError) in
            PolicyHolder(try make(settings, materials))
        }
    }

    /// The policy with its own parameters.
    public func specification() -> PolicySpecification { specification(settings) }

    /// The policy with given parameters.
    public func specification(_ settings: Settings) -> PolicySpecification {
        PolicySpecification(self, settings)
    }

    /// What lists and parsers of policies know of it.
    var description: PolicyDescription {
        PolicyDescription(name: name, summary: summary, source: source) {
            text throws(LearningError) in
            specification(try settings.reading(text, policy: name))
        }
    }
}

extension PolicyDescriptor where Settings == NoSettings {
    /// A policy without parameters.
    public init<Made: Policy>(
        _ name: String, _ summary: String, source: String = "", needs: PolicyNeeds = PolicyNeeds(),
        make: @escaping @Sendable () -> Made
    ) {
        self.init(
            name, summary, source: source, settings: NoSettings(), needs: { _ in needs },
            make: { _, _ in make() })
    }
}

/// A policy in a list: its name, a line of help, where it comes from, and how its parameters are
/// read.
public struct PolicyDescription: Sendable {
    public let name: String
    public let summary: String
    /// The paper or program, with its year; empty for what nobody claims.
    public let source: String
    let specify: @Sendable (_ parameters: String) throws(LearningError) -> PolicySpecification
}

/// What a policy is made from.
public struct PolicyMaterials: Sendable {
    /// What it starts from; nil without a model.
    public let model: Model?
    /// What outcomes are turned into for learning.
    public let cost: Cost

    /// As how many observations a model's prior counts at most.
    static let priorLimit = 500.0

    /// What the model says beforehand of the cost, by features and constant; flat without a model.
    func prior(lambda: Double) throws(LearningError) -> LinearPrior {
        let size = FeatureSchema.count + 1
        let flat = LinearPrior(size: size, lambda: lambda)
        guard let residual = model?.residual else { return flat }
        let prior = try residual.prior(limit: PolicyMaterials.priorLimit, lambda: lambda)
        return prior.mean.count == size ? prior : flat
    }
}
