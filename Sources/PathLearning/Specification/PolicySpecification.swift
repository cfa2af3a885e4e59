import PathTelemetry

/// A policy by name, with its parameters, as `--policy` takes it.
///
///     steady
///     single:lte          single:0
///     lin-ucb:alpha=0.5,half-life=10
///
/// `init(parsing:)` parses that text and `description` writes it without default parameters.
public struct PolicySpecification: Hashable, Sendable, CustomStringConvertible {
    /// The name in tables, traces and `--policy`.
    public let name: String
    /// The parameters that differ from the defaults, as text.
    public let parameters: String
    /// What the policy needs from its host.
    public let needs: PolicyNeeds
    /// Makes the policy.
    let make: @Sendable (PolicyMaterials) throws(LearningError) -> PolicyCell
    private let resolve: @Sendable (_ names: [String]) throws(LearningError) -> PolicySpecification?

    init<Settings: PolicySettings>(
        _ descriptor: PolicyDescriptor<Settings>, _ settings: Settings
    ) {
        name = descriptor.name
        parameters = settings.text(against: descriptor.settings)
        needs = descriptor.needs(settings)
        make = { materials throws(LearningError) in try descriptor.make(settings, materials) }
        resolve = { names throws(LearningError) in
            guard let resolved = try settings.resolved(names: names) else { return nil }
            return PolicySpecification(descriptor, resolved)
        }
    }

    /// Parses a name with optional parameters after a colon.
    public init(parsing text: String) throws(LearningError) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(parts[0])
        guard let policy = PolicySpecification.catalogue.first(where: { $0.name == name }) else {
            throw .unknownPolicy(
                name: name,
                suggestion: NearestName.find(
                    name, among: PolicySpecification.catalogue.map(\.name)))
        }
        self = try policy.specify(parts.count > 1 ? String(parts[1]) : "")
    }

    /// The text that `init(parsing:)` turns into this specification: the name, and the parameters
    /// that differ from the defaults.
    public var description: String { parameters.isEmpty ? name : "\(name):\(parameters)" }

    /// The same with a path's name replaced by its number.
    ///
    /// - Parameter names: names of the paths, indexed by path number.
    public func resolved(names: [String]) throws(LearningError) -> PolicySpecification {
        try resolve(names) ?? self
    }

    public static func == (left: PolicySpecification, right: PolicySpecification) -> Bool {
        left.name == right.name && left.parameters == right.parameters
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(name)
        hasher.combine(parameters)
    }
}
