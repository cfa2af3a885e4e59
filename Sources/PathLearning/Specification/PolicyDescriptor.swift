import PathTelemetry

/// The definition of a kind of policy: its name, its line of help, its parameters, its needs, and
/// how to make one.
///
/// Adding a policy takes its file, which ends with its descriptor, and one line in
/// `PolicySpecification.catalogue`. A program that uses the library can send with its own policy by
/// `descriptor.specification()`.
public struct PolicyDescriptor<Settings: PolicySettings>: Sendable {
    public let name: String
    /// One line of help.
    public let summary: String
    /// The paper or program that it comes from, with its year; empty if none exists.
    public let source: String
    /// The default parameters.
    public let settings: Settings
    let needs: @Sendable (Settings) -> PolicyNeeds
    let make: @Sendable (Settings, PolicyMaterials) throws(LearningError) -> PolicyCell

    /// - Parameters:
    ///   - settings: the default parameters.
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

    /// The policy with its default parameters.
    public func specification() -> PolicySpecification { specification(settings) }

    /// The policy with given parameters.
    public func specification(_ settings: Settings) -> PolicySpecification {
        PolicySpecification(self, settings)
    }

    /// The type-erased description for lists and parsers of policies.
    var description: PolicyDescription { description(isBaseline: false) }
    /// The same for one that is there to be compared with, and that nobody would send with.
    var baseline: PolicyDescription { description(isBaseline: true) }

    private func description(isBaseline: Bool) -> PolicyDescription {
        PolicyDescription(name: name, summary: summary, source: source, isBaseline: isBaseline) {
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

/// A policy in a list: its name, a line of help, its source, and how its parameters are parsed.
public struct PolicyDescription: Sendable {
    public let name: String
    public let summary: String
    /// The paper or program, with its year; empty if none exists.
    public let source: String
    /// Whether it is there for simulations and evaluations, and senders do not name it in their help.
    public let isBaseline: Bool
    let specify: @Sendable (_ parameters: String) throws(LearningError) -> PolicySpecification
}

/// The inputs from which a policy is made.
public struct PolicyMaterials: Sendable {
    /// The model from which it starts, or nil.
    public let model: Model?
    /// The cost into which outcomes are converted for learning.
    public let cost: Cost

    /// The most observations that a model's prior counts as.
    static let priorLimit = 500.0

    /// The model as a prior of the cost, over features and constant; flat without a model.
    func prior(lambda: Double) throws(LearningError) -> LinearPrior {
        let size = FeatureSchema.count + 1
        let flat = LinearPrior(size: size, lambda: lambda)
        guard let residual = model?.residual else { return flat }
        let prior = try residual.prior(limit: PolicyMaterials.priorLimit, lambda: lambda)
        return prior.mean.count == size ? prior : flat
    }
}
