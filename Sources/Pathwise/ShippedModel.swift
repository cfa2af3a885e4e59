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
