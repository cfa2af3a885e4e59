import CKernels

/// A block of rows on its way into a Gram matrix: how large it is, how its numbers lie, and which
/// kernel adds it up.
///
/// Own kernel where the processor has it: BLAS packs both factors at each call and reaches a third
/// of the hardware's speed for 16 columns, half of it for 64. Here the pass that centres the rows
/// lays them out as well, four columns side by side, and the sums stay in the order of the work until
/// all blocks are in.
struct GramBlock {
    enum Kernel {
        case own, blas
    }

    let columns: Int
    let kernel: Kernel
    /// Rows that fit; one more can follow them in `add`.
    let capacity: Int
    /// From one column to the next, for BLAS.
    private let stride: Int

    init(columns: Int, kernel: Kernel? = nil) {
        self.columns = columns
        self.kernel = kernel ?? (ck_gram_fits(columns) != 0 ? .own : .blas)
        // A whole block in the second-level cache, its columns not a power of two apart.
        let rows = columns <= 32 ? 512 : 256
        capacity = self.kernel == .own ? Int(CK_GRAM_ROWS) : rows
        stride = capacity + 8
    }

    /// Groups of four columns.
    private var groups: Int { (columns + 3) / 4 }

    /// Numbers that a block takes, those that only the kernel reads among them.
    var room: Int { kernel == .own ? (groups + 1) * Int(CK_GRAM_GROUP) : columns * stride }

    /// Numbers that the sums take.
    var sumsRoom: Int { kernel == .own ? ck_gram_sums(columns) : columns * columns }

    /// Where a number is in a block.
    @inline(__always)
    func place(row: Int, column: Int) -> Int {
        kernel == .own
            ? (column &>> 2) &* Int(CK_GRAM_GROUP) &+ 4 &* row &+ (column & 3)
            : row &+ column &* stride
    }

    /// Centres the rows of a block by their means and scales them by the roots.
    ///
    /// - Parameters:
    ///   - rows: at most `capacity`.
    ///   - weights: of these rows, and their square roots in `roots`; nil for ones.
    ///   - total: sum of the weights.
    ///   - means: room for whole groups of four columns.
    func centre(
        _ block: UnsafeMutablePointer<Double>, rows: Int, weights: UnsafePointer<Double>?,
        roots: UnsafePointer<Double>?, total: Double, means: UnsafeMutablePointer<Double>
    ) {
        guard kernel == .blas else {
            ck_gram_centre(block, rows, columns, weights, roots, total, means)
            return
        }
        for column in 0..<columns {
            let values = block + column &* stride
            means[column] = ck_centre(values, weights, roots, rows, total, values)
        }
    }

    /// Adds the products of the first `rows` rows to the sums; at most one more than `capacity`.
    func add(
        _ block: UnsafePointer<Double>, rows: Int, into sums: UnsafeMutablePointer<Double>
    ) {
        guard kernel == .blas else {
            ck_gram(block, rows, columns, sums)
            return
        }
        BLAS.accumulateGram(block, rows: rows, stride: stride, columns: columns, into: sums)
    }

    /// `C = C + A'A`, lower triangle, from the sums of all blocks of A.
    ///
    /// - Parameter width: from one column of C to the next.
    func addLower(
        _ sums: UnsafePointer<Double>, into c: UnsafeMutablePointer<Double>, width: Int
    ) {
        guard kernel == .blas else {
            ck_gram_lower(sums, columns, c, width)
            return
        }
        for column in 0..<columns {
            for row in column..<columns {
                c[row &+ column &* width] += sums[row &+ column &* columns]
            }
        }
    }
}
