import CKernels

/// A block of rows for a Gram matrix: its size, its layout, and the kernel that processes it.
///
/// It uses our own kernel if the processor supports it: BLAS packs both factors at each call and
/// reaches a third of the hardware's speed for 16 columns, and half of it for 64. Here the pass
/// that centres the rows also packs them, four columns side by side, and the sums stay in the order
/// of computation until all blocks are added.
struct GramBlock {
    enum Kernel {
        case own, blas
    }

    let columns: Int
    let kernel: Kernel
    /// Rows that fit; one more can follow them in `add`.
    let capacity: Int
    /// Stride from one column to the next, for BLAS.
    private let stride: Int

    init(columns: Int, kernel: Kernel? = nil) {
        self.columns = columns
        self.kernel = kernel ?? (ck_gram_fits(columns) != 0 ? .own : .blas)
        // The block fits into the second-level cache, and its column stride is not a power of two.
        let rows = columns <= 32 ? 512 : 256
        capacity = self.kernel == .own ? Int(CK_GRAM_ROWS) : rows
        stride = capacity + 8
    }

    /// Groups of four columns.
    private var groups: Int { (columns + 3) / 4 }

    /// Numbers in a block, including padding that only the kernel reads.
    var room: Int { kernel == .own ? (groups + 1) * Int(CK_GRAM_GROUP) : columns * stride }

    /// Numbers in the sums.
    var sumsRoom: Int { kernel == .own ? ck_gram_sums(columns) : columns * columns }

    /// The position of a number in a block.
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
    ///   - weights: weights of these rows, with their square roots in `roots`; nil for ones.
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
    /// - Parameter width: stride from one column of C to the next.
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
