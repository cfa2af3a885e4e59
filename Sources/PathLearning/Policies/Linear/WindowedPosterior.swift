import DenseMath
import PathTelemetry

/// Bayesian linear regression on only the last seconds.
///
///     A = A0 + sum x x'     b = A0 theta0 + sum x y     over outcomes of the window
///
/// The window is divided into eight blocks of time with their own sums. The oldest block is dropped
/// as a whole, so memory does not grow with the rate of decisions, and an outcome counts for seven
/// eighths of the window to all of it. A late outcome goes into the block of its time. It does not
/// allocate after `init`. Source: Cheung, Simchi-Levi and Zhu, "Learning to Optimize under
/// Non-Stationarity", 2019 (SW-UCB).
struct WindowedPosterior: LinearBelief {
    private static let blocks = 8
    private static let refreshAfter = 1000

    private let size: Int
    private let stride: Int
    private let blockLength: Double
    private let layout: Layout
    /// One block of memory, changed in place; `Layout` defines its parts.
    private var storage: [Double]
    /// Number of the newest block of time; nil before the first outcome.
    private var newest: Int64?
    private var sinceRefresh = 0

    /// - Parameter window: seconds, above zero.
    init(prior: LinearPrior, window: Double) {
        size = prior.mean.count
        stride = SmallKernels.stride(size)
        blockLength = window / Double(WindowedPosterior.blocks)
        layout = Layout(size: size, stride: stride, blocks: WindowedPosterior.blocks)
        storage = [Double](repeating: 0, count: layout.count)
        for column in 0..<size {
            for row in 0..<size {
                let value = prior.precision[row, column]
                storage[row + column * stride] = value
                storage[layout.square + row] += value * prior.mean[column]
            }
        }
        refresh()
    }

    mutating func learn(
        _ x: UnsafeMutablePointer<Double>, target: Double, decay: Double, weight: Double,
        time: Instant
    ) {
        guard target.isFinite else { return }
        for index in 0..<size where !x[index].isFinite { return }
        let block = Int64(Double(max(0, time.nanoseconds)) * 1e-9 / blockLength)
        let last = newest ?? block
        guard block > last - Int64(WindowedPosterior.blocks) else { return }
        let hasMoved = advance(to: max(last, block))
        let place = layout.block(Int(block % Int64(WindowedPosterior.blocks)))
        sinceRefresh &+= 1
        let exact = hasMoved || sinceRefresh >= WindowedPosterior.refreshAfter
        let (size, stride, layout) = (self.size, self.stride, self.layout)
        let usable = storage.withUnsafeMutableBufferPointer { buffer -> Bool in
            guard let base = buffer.baseAddress else { return false }
            SmallKernels.addOuter(base + place, x, size: size, stride: stride)
            let moment = base + place + layout.square
            for index in 0..<size { moment[index] += x[index] * target }
            guard !exact else { return false }
            return SmallKernels.recursiveLeastSquares(
                inverse: base + layout.inverse, theta: base + layout.theta, x, target: target,
                decay: 1, size: size, stride: stride, scratch: base + layout.scratch) > 0
        }
        if !usable { refresh() }
    }

    /// Advances to a new block and empties the blocks that it reuses.
    private mutating func advance(to block: Int64) -> Bool {
        guard let last = newest, last < block else {
            newest = block
            return false
        }
        for step in 0..<min(block - last, Int64(WindowedPosterior.blocks)) {
            let place = layout.block(Int((block - step) % Int64(WindowedPosterior.blocks)))
            for index in place..<(place + layout.blockSize) { storage[index] = 0 }
        }
        newest = block
        return true
    }

    mutating func startAnew() {
        for index in layout.block(0)..<layout.factor { storage[index] = 0 }
        refresh()
    }

    /// Recomputes the inverse and theta; drops data that cannot be solved.
    private mutating func refresh() {
        sinceRefresh = 0
        if solve() { return }
        for index in layout.block(0)..<layout.factor { storage[index] = 0 }
        _ = solve()
    }

    private mutating func solve() -> Bool {
        let (size, stride, layout) = (self.size, self.stride, self.layout)
        return storage.withUnsafeMutableBufferPointer { buffer -> Bool in
            guard let base = buffer.baseAddress else { return false }
            let factor = base + layout.factor
            let theta = base + layout.theta
            for index in 0..<layout.square { factor[index] = base[index] }
            for index in 0..<stride { theta[index] = base[layout.square &+ index] }
            for block in 0..<WindowedPosterior.blocks {
                let own = base + layout.block(block)
                for index in 0..<layout.square { factor[index] += own[index] }
                for index in 0..<stride { theta[index] += own[layout.square &+ index] }
            }
            guard SmallCholesky.factor(factor, size: size, stride: stride) == nil else {
                return false
            }
            SmallCholesky.forward(factor, theta, size: size, stride: stride)
            SmallCholesky.backward(factor, theta, size: size, stride: stride)
            for index in 0..<size where !theta[index].isFinite { return false }
            SmallCholesky.invert(
                factor, size: size, stride: stride, into: base + layout.inverse,
                scratch: base + layout.work)
            return true
        }
    }

    func predictAffine(_ x: UnsafePointer<Double>) -> (mean: Double, spread: Double) {
        storage.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return (0, 0) }
            return SmallKernels.predictAffine(
                theta: base + layout.theta, inverse: base + layout.inverse, x,
                length: size &- 1, stride: stride)
        }
    }

    /// Offsets into `storage`: the prior's and each block's matrix and moment, then the solution.
    private struct Layout: Sendable {
        let square: Int
        let blockSize: Int
        let factor: Int
        let inverse: Int
        let theta: Int
        let scratch: Int
        let work: Int
        let count: Int

        init(size: Int, stride: Int, blocks: Int) {
            square = size * stride
            blockSize = square + stride
            factor = blockSize * (blocks + 1)
            inverse = factor + square
            theta = inverse + square
            scratch = theta + stride
            work = scratch + stride
            count = work + square
        }

        func block(_ index: Int) -> Int { blockSize &* (index &+ 1) }
    }
}
