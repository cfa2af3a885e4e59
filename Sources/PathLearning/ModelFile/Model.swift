import DenseMath
import PathTelemetry

/// A trained model with notes about its training.
///
/// Up to three heads: `residual`, a linear model of how much longer a delivery takes than the
/// heuristic predicts; `late`, a logistic model of missing the deadline; `neural`, a network of the
/// residual with a linear last layer. At least one exists. `docs/formats.md` describes the file.
public struct Model: Sendable, Equatable {
    /// Version of the file's layout; version 1, which has only the residual head, can also be read.
    public static let version = 2

    /// The heads, by the names of `pathwise train --kind`, separated by commas.
    public let kind: String
    /// The linear residual, from which learned policies start.
    public let residual: RidgeModel?
    /// The probability of being late.
    public let late: LogisticModel?
    /// The neural-linear residual.
    public let neural: NeuralLinearModel?
    /// Hash of the schema it was trained on; equal to that of this program.
    public let schemaHash: UInt64
    /// What it was trained on, metrics, and other notes, by name.
    public let notes: [String: String]
    /// Stable hash of the file's bytes.
    public let hash: UInt64

    /// Makes a model to be saved; notes whose names the format reserves are left out.
    ///
    /// - Throws: `LearningError.training` if there is no head.
    public init(
        residual: RidgeModel? = nil, late: LogisticModel? = nil,
        neural: NeuralLinearModel? = nil, notes: [String: String]
    ) throws(LearningError) {
        let heads = Model.kinds(residual, late, neural)
        guard !heads.isEmpty else { throw .training("a model needs at least one head") }
        let notes = notes.filter { !ModelLayout.reserved.contains($0.key) }
        kind = heads.joined(separator: ",")
        self.residual = residual
        self.late = late
        self.neural = neural
        self.notes = notes
        schemaHash = FeatureSchema.current.hash
        hash =
            StableHash(
                ModelLayout.contents(
                    kind: kind, residual: residual, late: late, neural: neural, notes: notes
                ).bytes()
            ).value
    }

    private static func kinds(
        _ residual: RidgeModel?, _ late: LogisticModel?, _ neural: NeuralLinearModel?
    ) -> [String] {
        (residual == nil ? [] : ["ridge"]) + (late == nil ? [] : ["late"])
            + (neural == nil ? [] : ["neural-linear"])
    }

    /// Reads a file.
    public static func load(_ path: String) throws(LearningError) -> Model {
        do throws(ModelProblem) {
            return try Model(bytes: try FileBytes.read(path, limit: Safetensors.fileLimit))
        } catch {
            throw .model(file: path, problem: error)
        }
    }

    /// Writes a file atomically.
    public func save(_ path: String) throws(LearningError) {
        try contents.save(path)
    }

    /// The file's bytes.
    public func bytes() -> [UInt8] { contents.bytes() }

    private var contents: Safetensors {
        ModelLayout.contents(
            kind: kind, residual: residual, late: late, neural: neural, notes: notes)
    }

    /// Makes a model from a file's bytes.
    public init(bytes: [UInt8]) throws(ModelProblem) {
        let file = try Safetensors(bytes: bytes)
        let metadata = file.metadata
        guard metadata["format"] == "pathwise" else {
            throw .notAModel("its metadata does not say format \"pathwise\"")
        }
        guard let version = metadata["version"], version == "1" || version == String(Model.version)
        else {
            throw .notAModel(
                "layout version \(metadata["version"] ?? "none"), this program reads 1 and "
                    + "\(Model.version)")
        }
        let expected = StableHash.text(FeatureSchema.current.hash)
        guard let schema = metadata["schema"], schema == expected else {
            throw .wrongSchema(expected: expected, actual: metadata["schema"] ?? "none")
        }
        guard let kind = metadata["kind"] else { throw .notAModel("it does not say its kind") }
        let names = kind.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        for name in names where !["ridge", "late", "neural-linear"].contains(name) {
            throw .notAModel(
                "kind \"\(kind)\", this program reads ridge, late and neural-linear")
        }
        residual = names.contains("ridge") ? try ModelLayout.residual(file) : nil
        late = names.contains("late") ? try ModelLayout.late(file) : nil
        neural = names.contains("neural-linear") ? try ModelLayout.neural(file) : nil
        guard kind == Model.kinds(residual, late, neural).joined(separator: ",") else {
            throw .notAModel("kind \"\(kind)\" names a head twice or out of order")
        }
        self.kind = kind
        notes = metadata.filter { !ModelLayout.reserved.contains($0.key) }
        schemaHash = FeatureSchema.current.hash
        hash = StableHash(bytes).value
    }
}
