import PathTelemetry

/// Features and a one, `(x, 1)`, in the kernels' layout, padded with zeros to whole vectors.
struct AffineFeatures {
    /// Features of the schema, a one, and padding of the last vector.
    static let capacity = 28

    private var values = InlineArray<28, Double>(repeating: 0)

    /// - Parameter count: number of leading features; a multiple of four.
    @inline(__always)
    init(_ features: borrowing FeatureVector, count: Int = FeatureSchema.count) {
        let count = min(count, FeatureSchema.count)
        for index in 0..<count { values[index] = features[index] }
        values[count] = 1
    }

    /// Lends them to a kernel.
    @inline(__always)
    mutating func withPointer<Result>(
        _ body: (UnsafeMutablePointer<Double>) -> Result
    ) -> Result {
        withUnsafeMutablePointer(to: &values) { pointer in
            pointer.withMemoryRebound(to: Double.self, capacity: AffineFeatures.capacity, body)
        }
    }
}
