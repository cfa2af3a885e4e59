import PathLearning
import PathTelemetry

/// Every n-th usable decision, kept in memory; all of them if the traces are small enough.
struct RowSample {
    /// 24 features and the residual per row, row by row.
    private(set) var numbers: [Double] = []
    private(set) var rows: [RowReader.Row] = []
    /// One in this many decisions is kept.
    let stride: Int
    private var skipped = 0

    static let width = FeatureSchema.count + 1

    init(stride: Int) { self.stride = max(1, stride) }

    var count: Int { rows.count }
    var isComplete: Bool { stride == 1 }

    mutating func offer(_ row: UnsafeBufferPointer<Double>, _ info: RowReader.Row) {
        skipped += 1
        guard skipped == stride else { return }
        skipped = 0
        for value in row where !value.isFinite { return }
        numbers.append(contentsOf: row)
        rows.append(info)
    }

    mutating func append(_ other: RowSample) {
        numbers.append(contentsOf: other.numbers)
        rows.append(contentsOf: other.rows)
    }

    /// Calls `body` with every row in order.
    func forEach(_ body: (UnsafeBufferPointer<Double>, RowReader.Row) -> Void) {
        numbers.withUnsafeBufferPointer { numbers in
            for index in rows.indices {
                let start = index &* RowSample.width
                body(
                    UnsafeBufferPointer(rebasing: numbers[start..<(start &+ RowSample.width)]),
                    rows[index])
            }
        }
    }
}
