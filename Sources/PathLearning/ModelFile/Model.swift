import PathTelemetry

/// A trained model with what is known of its making.
public struct Model: Sendable, Equatable {
    /// The file format's version of this program.
    public static let version = 1

    /// The regression that learned policies start from.
    public let ridge: RidgeModel
    /// Hash of the schema it was trained on; equal to that of this program.
    public let schemaHash: UInt64
    /// What it was trained on, metrics, and other notes, by name.
    public let notes: [String: String]
    /// Stable hash of the file's bytes.
    public let hash: UInt64

    init(ridge: RidgeModel, notes: [String: String], hash: UInt64) {
        self.ridge = ridge
        self.notes = notes
        self.hash = hash
        schemaHash = FeatureSchema.current.hash
    }
}
