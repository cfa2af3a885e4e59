import CKernels

/// The raw quantities and features of the latest extraction of each path.
///
/// Most quantities of a path change with an acknowledgement and not with a decision: those that
/// are still the same bits are not scaled again. It changes no result.
public struct FeatureMemory: Sendable {
    private var storage: [Double]

    /// Doubles of one path: raw quantities, then features.
    private static let width = 2 * FeatureSchema.count

    public init() {
        let unknown = [Double](repeating: .nan, count: FeatureSchema.count)
        var first = [Double](repeating: 0, count: FeatureMemory.width)
        var features = unknown
        ck_scale(FeatureSchema.scalings, unknown, &first, &features)
        storage = []
        storage.reserveCapacity(PathID.limit * FeatureMemory.width)
        for _ in 0..<PathID.limit { storage += first }
    }

    /// Lends the memory of one path.
    @inline(__always)
    mutating func withPath(_ path: PathID, _ body: (UnsafeMutablePointer<Double>) -> Void) {
        storage.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            body(base + min(path.index, PathID.limit - 1) * FeatureMemory.width)
        }
    }
}
