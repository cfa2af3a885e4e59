public import PathLearning

/// The model that policies with the need `shippedModel` start from by default: models/default.safetensors, which is part of
/// the binary.
public enum ShippedModel {
    /// Its path in the source, for errors and tables.
    public static let name = "models/default.safetensors"

    /// Reads the model.
    ///
    /// - Throws: `LearningError` if its feature schema is not that of this build.
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
    /// The library's own for policies that need it, as `learned` does; none for others.
    case shipped
    /// The caller's: `.given(try Model.load("model.safetensors"))`.
    case given(Model)
    /// None, so that the policy knows only what it learns in the session.
    case untrained

    /// The model for a policy; nil for none.
    public func load(for policy: PolicySpecification) throws(LearningError) -> Model? {
        switch self {
        case .shipped:
            try policy.needs.shippedModel ? ShippedModel.load() : nil
        case .given(let model): model
        case .untrained: nil
        }
    }
}
