public import PathLearning
import PathTelemetry

/// A policy to be evaluated on logged decisions.
public struct EvaluatedPolicy: Sendable {
    /// Whether a learning policy learns from the log while it is replayed.
    public enum Mode: Hashable, Sendable {
        /// It stays as its model initialised it.
        case frozen
        /// It learns from the logged outcomes at the times when they closed, as the live sender
        /// did.
        case online
    }

    enum Kind: Sendable {
        case logged
        case policy(PolicySpecification, Model?, Mode)
    }

    /// The name in tables.
    public var label: String
    let kind: Kind

    private init(label: String, kind: Kind) {
        self.label = label
        self.kind = kind
    }

    /// What decides its distributions, as text: equal texts mean equal policies.
    var identity: String {
        switch kind {
        case .logged: return "logged"
        case .policy(let specification, let model, let mode):
            let hash = model.map { " " + StableHash.text($0.hash) } ?? ""
            return "\(specification)" + hash + (mode == .online ? " online" : "")
        }
    }

    /// The policy that wrote the log, by its recorded probabilities.
    public static let logged = EvaluatedPolicy(label: "logged", kind: .logged)

    /// Makes a policy from its specification.
    ///
    /// - Parameter model: the model from which a learned policy starts.
    public static func policy(
        _ specification: PolicySpecification, model: Model? = nil, mode: Mode = .frozen,
        label: String? = nil
    ) -> EvaluatedPolicy {
        EvaluatedPolicy(
            label: label ?? specification.name, kind: .policy(specification, model, mode))
    }
}
