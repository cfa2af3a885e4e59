public import PathLearning

/// The model that `learned` starts from when no other is given: models/default.safetensors, which
/// is part of the binary.
public enum ShippedModel {
    /// Where it is in the source, for errors and tables.
    public static let name = "models/default.safetensors"

    /// Reads it.
    ///
    /// - Throws: `LearningError` when it is of another feature schema than this build.
    public static func load() throws(LearningError) -> Model {
        do throws(ModelProblem) {
            return try Model(bytes: PackageResources.default_safetensors)
        } catch {
            throw .model(file: name, problem: error)
        }
    }
}

/// The model that a policy starts from.
public enum StartingModel: Sendable {
    /// The one that ships with the library for `learned`; for other policies none.
    case shipped
    /// One of the caller's: `.given(try Model.load("model.safetensors"))`.
    case given(Model)
    /// None: the policy knows only what it learns in the session.
    case untrained

    /// The model for a policy; nil for none.
    public func load(for policy: PolicySpecification) throws(LearningError) -> Model? {
        switch self {
        case .shipped:
            try policy.name == PolicySpecification.learned().name ? ShippedModel.load() : nil
        case .given(let model): model
        case .untrained: nil
        }
    }
}
