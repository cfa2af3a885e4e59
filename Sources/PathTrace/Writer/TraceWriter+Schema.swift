import PathTelemetry

extension TraceWriter.Schema {
    /// The features of this program, as they stand in every trace it records.
    public static var current: TraceWriter.Schema {
        let schema = FeatureSchema.current
        return TraceWriter.Schema(
            hash: StableHash.text(schema.hash), text: schema.text, names: schema.names)
    }
}
