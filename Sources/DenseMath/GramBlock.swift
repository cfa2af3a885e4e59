import CKernels

/// A block of rows on its way into a Gram matrix: how large it is, how its columns lie, and which
/// kernel adds it up.
///
/// Own kernel where the processor has it: BLAS packs both factors first and reaches a third of the
/// hardware's speed for 16 columns, half of it for 64. Columns of a block need no packing: they
/// lie in the cache, and not a power of two apart, so that they do not push each other out.
struct GramBlock {
    enum Kernel {
        case own, blas
    }

    let columns: Int
    let kernel: Kernel
    /// Rows that fit.
    let capacity: Int
    /// From one column to the next.
    let stride: Int

    init(columns: Int, kernel: Kernel? = nil) {
        self.columns = columns
        self.kernel = kernel ?? (ck_gram_fits(columns) != 0 ? .own : .blas)
        // A whole block in the second-level cache.
        capacity = columns <= 32 ? 512 : 256
        stride = capacity + 8
    }

    /// Numbers that a block takes, columns that only the kernel reads among them.
    var room: Int {
        let step = Int(CK_GRAM_COLUMNS)
        return (columns + step - 1) / step * step * stride
    }

    /// `C = C + A'A`, lower triangle, over the first `rows` rows of a block.
    ///
    /// Rows up to the next multiple of four are overwritten with zeros.
    ///
    /// - Parameters:
    ///   - width: from one column of C to the next.
    ///   - ahead: rows that come next, fetched meanwhile.
    func add(
        _ block: UnsafeMutablePointer<Double>, rows: Int,
        into c: UnsafeMutablePointer<Double>, width: Int, ahead: ck_ahead = ck_ahead()
    ) {
        guard kernel == .own else {
            BLAS.accumulateGram(
                block, rows: rows, stride: stride, columns: columns, into: c, width: width)
            return
        }
        let padded = (rows + Int(CK_GRAM_ROWS) - 1) & ~(Int(CK_GRAM_ROWS) - 1)
        if padded > rows {
            for column in 0..<columns {
                for row in rows..<padded { block[row &+ column &* stride] = 0 }
            }
        }
        withUnsafePointer(to: ahead) { ahead in
            _ = ck_gram(block, padded, stride, columns, c, width, ahead)
        }
    }
}
