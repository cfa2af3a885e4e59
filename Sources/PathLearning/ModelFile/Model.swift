import DenseMath
import PathTelemetry

/// A trained model with what is known of its making.
///
/// The file is safetensors. Metadata: `format` "pathwise", `kind` "ridge", `version`, `schema` (hash
/// of the feature schema), `features` (their names), and notes (training data, metrics). Tensors,
/// F64 when written, F64 or F32 when read: `weights` [24], `intercept` [1], `precision` [25, 25],
/// `total_weight` [1], `lambda` [1].
public struct Model: Sendable, Equatable {
    /// Version of the file's layout.
    public static let version = 1
    private static let reserved: Set<String> = ["format", "kind", "version", "schema", "features"]

    /// What kind of regression it is; this version knows "ridge".
    public let kind: String
    /// The regression that learned policies start from.
    public let ridge: RidgeModel
    /// Hash of the schema it was trained on; equal to that of this program.
    public let schemaHash: UInt64
    /// What it was trained on, metrics, and other notes, by name.
    public let notes: [String: String]
    /// Stable hash of the file's bytes.
    public let hash: UInt64

    /// A model to be saved; names of notes that the format uses itself are left out.
    public init(ridge: RidgeModel, notes: [String: String]) {
        let notes = notes.filter { !Model.reserved.contains($0.key) }
        kind = "ridge"
        self.ridge = ridge
        self.notes = notes
        schemaHash = FeatureSchema.current.hash
        hash = StableHash(Model.safetensors(ridge, notes).bytes()).value
    }

    /// Reads a file.
    public static func load(_ path: String) throws(LearningError) -> Model {
        do throws(ModelProblem) {
            return try Model(bytes: try FileBytes.read(path, limit: Safetensors.fileLimit))
        } catch {
            throw .model(file: path, problem: error)
        }
    }

    /// Writes a file, or leaves what was there as it is.
    public func save(_ path: String) throws(LearningError) {
        do throws(ModelProblem) {
            try FileBytes.write(bytes(), to: path)
        } catch {
            throw .model(file: path, problem: error)
        }
    }

    /// The file's bytes.
    public func bytes() -> [UInt8] { Model.safetensors(ridge, notes).bytes() }

    /// From a file's bytes.
    public init(bytes: [UInt8]) throws(ModelProblem) {
        let file = try Safetensors(bytes: bytes)
        let metadata = file.metadata
        guard metadata["format"] == "pathwise" else {
            throw .notAModel("its metadata does not say format \"pathwise\"")
        }
        guard let version = metadata["version"], version == String(Model.version) else {
            throw .notAModel(
                "layout version \(metadata["version"] ?? "none"), this program reads "
                    + "\(Model.version)")
        }
        guard let kind = metadata["kind"], kind == "ridge" else {
            throw .notAModel("kind \"\(metadata["kind"] ?? "none")\", this program reads \"ridge\"")
        }
        let expected = StableHash.text(FeatureSchema.current.hash)
        guard let schema = metadata["schema"], schema == expected else {
            throw .wrongSchema(expected: expected, actual: metadata["schema"] ?? "none")
        }
        let size = FeatureSchema.count + 1
        func values(_ name: String, _ shape: [Int]) throws(ModelProblem) -> [Double] {
            guard let tensor = file[name] else { throw .notAModel("no tensor \"\(name)\"") }
            guard tensor.shape == shape else {
                throw .notAModel("tensor \"\(name)\" has shape \(tensor.shape), not \(shape)")
            }
            return tensor.values
        }
        let elements = try values("precision", [size, size])
        var precision = Matrix(rows: size, columns: size)
        for row in 0..<size {
            for column in 0..<size { precision[row, column] = elements[row * size + column] }
        }
        for row in 0..<size {
            for column in 0..<row where precision[row, column] != precision[column, row] {
                throw .notAModel("its precision is not symmetric")
            }
        }
        ridge = try RidgeModel(
            weights: try values("weights", [FeatureSchema.count]),
            intercept: try values("intercept", [1])[0], precision: precision,
            totalWeight: try values("total_weight", [1])[0],
            lambda: try values("lambda", [1])[0])
        self.kind = kind
        notes = metadata.filter { !Model.reserved.contains($0.key) }
        schemaHash = FeatureSchema.current.hash
        hash = StableHash(bytes).value
    }

    private static func safetensors(_ ridge: RidgeModel, _ notes: [String: String]) -> Safetensors {
        let size = FeatureSchema.count + 1
        var metadata = notes
        metadata["format"] = "pathwise"
        metadata["kind"] = "ridge"
        metadata["version"] = String(version)
        metadata["schema"] = StableHash.text(FeatureSchema.current.hash)
        metadata["features"] = FeatureSchema.current.names.joined(separator: ",")
        return Safetensors(
            metadata: metadata,
            tensors: [
                Tensor(name: "weights", shape: [FeatureSchema.count], values: ridge.weights),
                Tensor(name: "intercept", shape: [1], values: [ridge.intercept]),
                // Symmetric, so column-major is row-major.
                Tensor(
                    name: "precision", shape: [size, size], values: ridge.precision.elements),
                Tensor(name: "total_weight", shape: [1], values: [ridge.totalWeight]),
                Tensor(name: "lambda", shape: [1], values: [ridge.lambda]),
            ])
    }
}
