import PathTelemetry

extension TraceWriter.Schema {
    /// The feature schema of this program, which every trace that it records contains.
    public static var current: TraceWriter.Schema {
        let schema = FeatureSchema.current
        return TraceWriter.Schema(
            hash: StableHash.text(schema.hash), text: schema.text, names: schema.names)
    }
}
