import DenseMath
import Testing

@Suite struct BatchMomentsTests {
    private struct Generator {
        var state: UInt64
        mutating func next() -> Double {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double(state >> 11) * 0x1p-53
        }
    }

    /// Columns with means of 1e6 and spreads of one.
    private static func data(rows: Int, features: Int) -> (x: [Double], y: [Double], w: [Double]) {
        var random = Generator(state: UInt64(rows &* 31 &+ features))
        let x = (0..<(rows * features)).map { Double($0 / rows) * 1e6 + random.next() }
        let y = (0..<rows).map { x[$0] + random.next() }
        return (x, y, (0..<rows).map { _ in random.next() })
    }

    private static func moments(
        _ data: (x: [Double], y: [Double], w: [Double]), features: Int, weighted: Bool,
        threads: Int
    ) throws -> CentredMoments {
        var moments = CentredMoments(columns: features + 1)
        try data.x.withUnsafeBufferPointer { x in
            try data.y.withUnsafeBufferPointer { y in
                try data.w.withUnsafeBufferPointer { w in
                    try moments.add(
                        ColumnBatch(columns: x, target: y, weights: weighted ? w : nil),
                        threads: threads)
                }
            }
        }
        return moments
    }

    /// Sizes around the blocks, the parts and the vectors.
    @Test(arguments: [
        (1, 1), (3, 2), (7, 5), (8, 3), (1023, 16), (9001, 17), (5000, 64), (1200, 130),
    ])
    func agreesWithRowsOneByOne(rows: Int, features: Int) throws {
        let data = Self.data(rows: rows, features: features)
        for weighted in [false, true] {
            var single = CentredMoments(columns: features + 1)
            for row in 0..<rows {
                single.add(
                    (0..<features).map { data.x[row + $0 * rows] } + [data.y[row]],
                    weight: weighted ? data.w[row] : 1)
            }
            let batch = try Self.moments(data, features: features, weighted: weighted, threads: 2)
            #expect(batch.count == UInt64(rows))
            #expect((batch.totalWeight - single.totalWeight).magnitude <= 1e-10 * Double(rows))
            let (means, scatter) = batch.result()
            let (meansOne, scatterOne) = single.result()
            for column in 0...features {
                #expect((means[column] - meansOne[column]).magnitude <= 1e-9 * 1e6)
                for row in 0...features {
                    let bound =
                        1e-7
                        * (1
                            + (scatterOne[row, row] * scatterOne[column, column]).squareRoot())
                    #expect((scatter[row, column] - scatterOne[row, column]).magnitude <= bound)
                }
            }
        }
    }

    @Test func threadsDoNotChangeABit() throws {
        let data = Self.data(rows: 20_011, features: 9)
        let one = try Self.moments(data, features: 9, weighted: true, threads: 1).result()
        for threads in [2, 3, 8, 50] {
            for _ in 0..<3 {
                let other = try Self.moments(data, features: 9, weighted: true, threads: threads)
                    .result()
                #expect(one.means == other.means && one.scatter == other.scatter)
            }
        }
    }

    @Test func unusableBatchesChangeNothing() throws {
        var data = Self.data(rows: 100, features: 3)
        var moments = try Self.moments(data, features: 3, weighted: false, threads: 1)
        let before = moments.result()
        data.x[150] = .nan
        #expect(throws: DenseMathError.nonFinite(operation: "the moments of a batch")) {
            try Self.moments(data, features: 3, weighted: false, threads: 2)
        }
        data.x[150] = 1
        data.w[20] = -1
        #expect(throws: DenseMathError.self) {
            try Self.moments(data, features: 3, weighted: true, threads: 1)
        }
        try data.x.withUnsafeBufferPointer { x in
            try data.y.withUnsafeBufferPointer { y in
                #expect(throws: DenseMathError.self) {
                    try ColumnBatch(
                        columns: UnsafeBufferPointer(rebasing: x[..<299]), target: y)
                }
                let batch = try ColumnBatch(
                    columns: UnsafeBufferPointer(rebasing: x[..<200]), target: y)
                #expect(throws: DenseMathError.self) { try moments.add(batch) }
            }
        }
        #expect(moments.result() == before && moments.count == 100)
    }
}
