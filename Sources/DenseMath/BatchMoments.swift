import Glibc

/// Weighted means and scatter of rows in memory, at the speed of the hardware.
///
/// The rows are cut into eight parts, whatever the number of threads; a thread works on one part
/// after the other with a matrix of its own and one thread of BLAS, because a Gram matrix of few
/// columns is too small for BLAS to share out. Within a part, each block of rows is centred by its
/// own means while it lies in the cache, so that columns with a large mean and a small spread keep
/// their digits. Parts are merged in their order: same rows, same bytes, whatever the threads do.
/// Source: Chan, Golub and LeVeque, "Algorithms for computing the sample variance", 1983.
struct BatchMoments {
    static let parts = 8

    let weight: Double
    /// Of the features, the target last.
    let means: [Double]
    /// About the means, lower triangle; the target is the last row.
    let scatter: [Double]

    static func compute(
        _ batch: ColumnBatch, threads: Int
    ) throws(DenseMathError) -> [BatchMoments] {
        BLAS.prepare()
        let size = batch.features + 1
        let perPart = BatchPart.room(size)
        let memory = UnsafeMutablePointer<Double>.allocate(capacity: perPart * parts)
        defer { memory.deallocate() }
        let workers = max(1, min(threads, parts))
        let jobs = UnsafeMutablePointer<Job>.allocate(capacity: workers)
        defer { jobs.deallocate() }
        for worker in 0..<workers {
            (jobs + worker).initialize(
                to: Job(
                    batch: batch, memory: memory, perPart: perPart, first: worker, step: workers))
        }
        var handles: [pthread_t] = []
        var started = 1
        while started < workers {
            var handle = pthread_t()
            let code = pthread_create(&handle, nil, { Job.run($0) }, jobs + started)
            // Without another thread its parts are worked on here.
            guard code == 0 else { break }
            handles.append(handle)
            started += 1
        }
        jobs[0].run()
        for worker in started..<max(started, workers) { jobs[worker].run() }
        for handle in handles { pthread_join(handle, nil) }
        var result: [BatchMoments] = []
        for part in 0..<parts {
            let base = memory + part * perPart
            let moments = BatchMoments(
                weight: base[0],
                means: Array(UnsafeBufferPointer(start: base + 1, count: size)),
                scatter: Array(UnsafeBufferPointer(start: base + 1 + size, count: size * size)))
            guard moments.weight.isFinite, moments.means.allSatisfy(\.isFinite),
                moments.scatter.allSatisfy(\.isFinite)
            else { throw .nonFinite(operation: "the moments of a batch") }
            result.append(moments)
        }
        return result
    }

    /// The parts of one thread.
    private struct Job {
        let batch: ColumnBatch
        let memory: UnsafeMutablePointer<Double>
        let perPart: Int
        let first: Int
        let step: Int

        static func run(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
            argument?.assumingMemoryBound(to: Job.self).pointee.run()
            return nil
        }

        func run() {
            var part = first
            while part < BatchMoments.parts {
                let begin = batch.rows * part / BatchMoments.parts
                let end = batch.rows * (part + 1) / BatchMoments.parts
                BatchPart(batch: batch, memory: memory + part * perPart)
                    .work(from: begin, to: end)
                part += step
            }
        }
    }
}

/// The moments of some rows in a row: weight, means, scatter, then scratch.
private struct BatchPart {
    private typealias Lanes = SIMD4<Double>
    let batch: ColumnBatch
    let memory: UnsafeMutablePointer<Double>

    /// Rows of a block: enough that BLAS works near its speed, few enough for the cache.
    private static let blockRows = 512

    static func room(_ size: Int) -> Int {
        1 + size + size * size + size + size + blockRows * (size + 2)
    }

    func work(from begin: Int, to end: Int) {
        let features = batch.features
        let size = features + 1
        let capacity = BatchPart.blockRows
        let means = memory + 1
        let scatter = means + size
        let local = scatter + size * size
        let cross = local + size
        let block = cross + size
        let target = block + capacity * features
        let roots = target + capacity
        for index in 0..<(1 + size + size * size) { memory[index] = 0 }
        var weight = 0.0
        var row = begin
        while row < end {
            let rows = min(capacity, end - row)
            let blockWeight = fill(
                row, rows: rows, capacity: capacity, block: block, target: target, roots: roots,
                means: local)
            if blockWeight > 0 {
                // X'X and X'y about the block's means, then the difference of the means.
                BLAS.accumulateGram(
                    block, rows: rows, stride: capacity, columns: features, into: scatter,
                    width: size)
                BLAS.transposedProduct(
                    block, rows: rows, stride: capacity, columns: features, target, into: cross)
                for column in 0..<features {
                    scatter[features &+ column &* size] += cross[column]
                }
                scatter[size &* size &- 1] += BatchPart.square(target, rows)
                BatchPart.merge(
                    size: size, weight: weight, means: means, scatter: scatter,
                    other: blockWeight, difference: local)
                weight += blockWeight
            }
            row += rows
        }
        memory[0] = weight
    }

    /// Copies a block, centred by its own means and scaled by the roots of the weights.
    ///
    /// - Returns: the sum of the weights.
    private func fill(
        _ row: Int, rows: Int, capacity: Int, block: UnsafeMutablePointer<Double>,
        target: UnsafeMutablePointer<Double>, roots: UnsafeMutablePointer<Double>,
        means: UnsafeMutablePointer<Double>
    ) -> Double {
        var total = Double(rows)
        if let weights = batch.weights {
            total = BatchPart.sum(weights + row, rows)
            guard total > 0 else {
                // A negative or broken sum must not pass for an empty block.
                return total == 0 ? 0 : .nan
            }
            for index in 0..<rows { roots[index] = weights[row &+ index].squareRoot() }
        }
        for column in 0..<batch.features {
            means[column] = copy(
                batch.columns + (row &+ column &* batch.stride), rows, row, total: total,
                roots: roots, into: block + column &* capacity)
        }
        means[batch.features] = copy(
            batch.target + row, rows, row, total: total, roots: roots, into: target)
        return total
    }

    @inline(__always)
    private func copy(
        _ source: UnsafePointer<Double>, _ rows: Int, _ row: Int, total: Double,
        roots: UnsafePointer<Double>, into result: UnsafeMutablePointer<Double>
    ) -> Double {
        guard let weights = batch.weights else {
            let mean = BatchPart.sum(source, rows) / total
            var index = 0
            let lanes = Lanes(repeating: mean)
            while index &+ 4 <= rows {
                BatchPart.store(BatchPart.load(source, index) - lanes, result, index)
                index &+= 4
            }
            while index < rows {
                result[index] = source[index] - mean
                index &+= 1
            }
            return mean
        }
        var sum = 0.0
        for index in 0..<rows { sum += weights[row &+ index] * source[index] }
        let mean = sum / total
        for index in 0..<rows { result[index] = (source[index] - mean) * roots[index] }
        return mean
    }

    /// Chan's merge of a block into what is there: weight, means, and the rank-one part.
    private static func merge(
        size: Int, weight: Double, means: UnsafeMutablePointer<Double>,
        scatter: UnsafeMutablePointer<Double>, other: Double,
        difference: UnsafeMutablePointer<Double>
    ) {
        let share = other / (weight + other)
        for index in 0..<size { difference[index] -= means[index] }
        let factor = weight * share
        for column in 0..<size {
            let scaled = factor * difference[column]
            let target = scatter + column &* size
            for row in column..<size { target[row] += scaled * difference[row] }
        }
        for index in 0..<size { means[index] += share * difference[index] }
    }

    @inline(__always)
    private static func load(_ pointer: UnsafePointer<Double>, _ index: Int) -> Lanes {
        UnsafeRawPointer(pointer + index).loadUnaligned(as: Lanes.self)
    }
    @inline(__always)
    private static func store(
        _ value: Lanes, _ pointer: UnsafeMutablePointer<Double>, _ index: Int
    ) {
        UnsafeMutableRawPointer(pointer + index).storeBytes(of: value, as: Lanes.self)
    }

    private static func sum(_ x: UnsafePointer<Double>, _ count: Int) -> Double {
        var (s0, s1, s2, s3) = (Lanes.zero, Lanes.zero, Lanes.zero, Lanes.zero)
        var index = 0
        while index &+ 16 <= count {
            s0 += load(x, index)
            s1 += load(x, index &+ 4)
            s2 += load(x, index &+ 8)
            s3 += load(x, index &+ 12)
            index &+= 16
        }
        let all = (s0 + s1) + (s2 + s3)
        var total = (all[0] + all[2]) + (all[1] + all[3])
        while index < count {
            total += x[index]
            index &+= 1
        }
        return total
    }

    private static func square(_ x: UnsafePointer<Double>, _ count: Int) -> Double {
        var lanes = Lanes.zero
        var index = 0
        while index &+ 4 <= count {
            lanes += load(x, index) * load(x, index)
            index &+= 4
        }
        var total = (lanes[0] + lanes[2]) + (lanes[1] + lanes[3])
        while index < count {
            total += x[index] * x[index]
            index &+= 1
        }
        return total
    }
}
