/// Whose decisions a connection estimates beside its own, from its own decisions and their outcomes.
public enum Judging: Sendable {
    case off
    /// The steady rule, and each path alone.
    case rules
    /// These, and a policy that is in the shadow.
    case shadow(ShadowPolicy)

    /// The policy in the shadow, if there is one.
    public var shadow: ShadowPolicy? {
        if case .shadow(let policy) = self { policy } else { nil }
    }

    /// Whether anything is judged.
    public var isOn: Bool { if case .off = self { false } else { true } }
}

/// A policy that sees all decisions of a connection and makes none of them.
public struct ShadowPolicy: Sendable {
    public let specification: PolicySpecification
    /// Stable hash of the model that it starts from; zero without one.
    public var modelHash: UInt64 { policy.modelHash }
    let policy: PathSelector.Replacement

    /// Prepares a policy, off the packet path.
    ///
    /// - Parameters:
    ///   - specification: the policy.
    ///   - model: from which it starts; nil for none.
    /// - Throws: `LearningError` if the policy cannot start from this model, or if it asks for other
    ///   candidates than the policy that decides has, so that its choices among those would not be its
    ///   own.
    public init(
        _ specification: PolicySpecification, model: Model? = nil, cost: Cost = Cost()
    ) throws(LearningError) {
        guard ShadowPolicy.allows(specification) else {
            throw .notForShadow(policy: specification.name)
        }
        self.specification = specification
        policy = try PathSelector.Replacement(specification, model: model, cost: cost)
    }

    /// Whether a policy may be in the shadow: it needs no paths without room, is not bound to one, and
    /// sends nothing a second time.
    static func allows(_ specification: PolicySpecification) -> Bool {
        let needs = specification.needs
        guard !needs.fullPaths, needs.boundPath == nil, needs.reinjection == nil else {
            return false
        }
        // A path that it names is looked up among none.
        return (try? specification.resolved(names: [])) != nil
    }
}
