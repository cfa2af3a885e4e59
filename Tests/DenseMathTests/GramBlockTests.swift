import Testing

@testable import DenseMath

@Suite struct GramBlockTests {
    static let kernels: [GramBlock.Kernel] =
        GramBlock(columns: 1).kernel == .own ? [.own, .blas] : [.blas]

    /// Every number of columns around the tiles, and of rows around the vectors.
    @Test(arguments: kernels)
    func isTheSumOfProducts(kernel: GramBlock.Kernel) {
        for columns in [
            1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13, 16, 17, 24, 25, 33, 64, 65, 130, 257,
        ] {
            let gram = GramBlock(columns: columns, kernel: kernel)
            let width = columns + columns % 3
            for rows in [1, 2, 3, 4, 5, 30, gram.capacity, gram.capacity + 1] {
                var state = UInt64(columns &* 1000 &+ rows)
                // Padding behind the rows and the columns must not count.
                let block = (0..<gram.room).map { _ -> Double in
                    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                    return Double(state >> 11) * 0x1p-53 - 0.5
                }
                var sums = [Double](repeating: 0, count: gram.sumsRoom)
                // The block is added twice, onto non-zero sums.
                gram.add(block, rows: rows, into: &sums)
                gram.add(block, rows: rows, into: &sums)
                var lower = [Double](repeating: 1, count: width * columns)
                gram.addLower(sums, into: &lower, width: width)
                var worst = 0.0
                for column in 0..<columns {
                    for row in column..<columns {
                        var sum = 1.0
                        for index in 0..<rows {
                            sum +=
                                2 * block[gram.place(row: index, column: row)]
                                * block[gram.place(row: index, column: column)]
                        }
                        worst = max(worst, (lower[row + column * width] - sum).magnitude)
                    }
                    for row in 0..<column {
                        #expect(lower[row + column * width] == 1, "the upper triangle is untouched")
                    }
                }
                #expect(worst <= 1e-13 * Double(rows + 10), "\(columns) columns, \(rows) rows")
            }
        }
    }
}
