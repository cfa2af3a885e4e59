import CKernels
import Glibc
import Synchronization

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
        _ batch: ColumnBatch, threads: Int, kernel: GramBlock.Kernel? = nil
    ) throws(DenseMathError) -> [BatchMoments] {
        BLAS.prepare()
        let size = batch.features + 1
        let gram = GramBlock(columns: size, kernel: kernel)
        let perPart = BatchPart.room(gram)
        // Cache lines: a load that is spread over two takes twice as long.
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: perPart * parts * MemoryLayout<Double>.stride, alignment: 64
        ).bindMemory(to: Double.self, capacity: perPart * parts)
        defer { memory.deallocate() }
        let next = UnsafeMutablePointer<Atomic<Int>>.allocate(capacity: 1)
        next.initialize(to: Atomic(0))
        let job = UnsafeMutablePointer<Job>.allocate(capacity: 1)
        job.initialize(
            to: Job(batch: batch, gram: gram, memory: memory, perPart: perPart, next: next))
        defer {
            job.deallocate()
            next.deinitialize(count: 1)
            next.deallocate()
        }
        var handles: [pthread_t] = []
        while handles.count + 1 < min(threads, parts) {
            var handle = pthread_t()
            // Without another thread all parts are worked on here.
            guard pthread_create(&handle, nil, { Job.run($0) }, job) == 0 else { break }
            handles.append(handle)
        }
        job.pointee.run()
        for handle in handles { pthread_join(handle, nil) }
        var result: [BatchMoments] = []
        for part in 0..<parts {
            let base = memory + part * perPart
            var scatter = [Double](repeating: 0, count: size * size)
            gram.addLower(base + BatchPart.header, into: &scatter, width: size)
            let means = base + BatchPart.header + BatchPart.sums(gram)
            let moments = BatchMoments(
                weight: base[0], means: Array(UnsafeBufferPointer(start: means, count: size)),
                scatter: scatter)
            guard moments.weight.isFinite, moments.means.allSatisfy(\.isFinite),
                moments.scatter.allSatisfy(\.isFinite)
            else { throw .nonFinite(operation: "the moments of a batch") }
            result.append(moments)
        }
        return result
    }

    /// What the threads share: each takes the next part until none is left.
    private struct Job {
        let batch: ColumnBatch
        let gram: GramBlock
        let memory: UnsafeMutablePointer<Double>
        let perPart: Int
        let next: UnsafeMutablePointer<Atomic<Int>>

        static func run(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
            argument?.assumingMemoryBound(to: Job.self).pointee.run()
            return nil
        }

        func run() {
            while true {
                let part = next.pointee.wrappingAdd(1, ordering: .relaxed).oldValue
                guard part < BatchMoments.parts else { return }
                BatchPart(batch: batch, gram: gram, memory: memory + part * perPart)
                    .work(
                        from: batch.rows * part / BatchMoments.parts,
                        to: batch.rows * (part + 1) / BatchMoments.parts)
            }
        }
    }
}

/// The moments of some rows in a row: weight, sums, means, then scratch.
private struct BatchPart {
    let batch: ColumnBatch
    let gram: GramBlock
    let memory: UnsafeMutablePointer<Double>

    /// The weight alone, so that what follows begins with a cache line.
    static let header = 8

    static func room(_ gram: GramBlock) -> Int {
        header + sums(gram) + 2 * width(gram) + lines(gram.room) + lines(gram.capacity)
    }

    static func sums(_ gram: GramBlock) -> Int { lines(gram.sumsRoom) }
    static func width(_ gram: GramBlock) -> Int { lines(gram.columns) }
    /// Whole cache lines.
    private static func lines(_ count: Int) -> Int { (count + 7) & ~7 }

    func work(from begin: Int, to end: Int) {
        let size = gram.columns
        let sums = memory + BatchPart.header
        let means = sums + BatchPart.sums(gram)
        let difference = means + BatchPart.width(gram)
        let roots = difference + BatchPart.width(gram)
        let block = roots + BatchPart.lines(gram.capacity)
        memory.update(repeating: 0, count: BatchPart.room(gram))
        var weight = 0.0
        var row = begin
        while row < end {
            let rows = min(gram.capacity, end - row)
            let other = fill(row, rows: rows, block: block, roots: roots, means: difference)
            if other != 0 {
                // Chan's merge: the difference of the means is one more row.
                let share = other / (weight + other)
                let root = (weight * share).squareRoot()
                for index in 0..<size {
                    let step = difference[index] - means[index]
                    means[index] += share * step
                    block[gram.place(row: rows, column: index)] = root * step
                }
                gram.add(block, rows: rows + 1, into: sums)
                weight += other
            }
            row += rows
        }
        memory[0] = weight
    }

    /// Copies a block, centred by its own means and scaled by the roots of the weights.
    ///
    /// - Returns: the sum of the weights.
    private func fill(
        _ row: Int, rows: Int, block: UnsafeMutablePointer<Double>,
        roots: UnsafeMutablePointer<Double>, means: UnsafeMutablePointer<Double>
    ) -> Double {
        var total = Double(rows)
        let weights = batch.weights.map { $0 + row }
        if let weights {
            total = 0
            for index in 0..<rows {
                total += weights[index]
                roots[index] = weights[index].squareRoot()
            }
            // A negative or broken sum must not pass for an empty block.
            guard total > 0 else { return total == 0 ? 0 : .nan }
        }
        gram.fill(
            block, from: batch, row: row, rows: rows, weights: weights, roots: roots,
            total: total, means: means)
        return total
    }
}
