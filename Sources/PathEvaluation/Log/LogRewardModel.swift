import PathLearning

/// Expected rewards of every action in every row of a log, by ridge regressions on the context, one
/// per action, cross-fitted over blocks of time so that no model saw the row's block.
///
/// A single row has no model, since it could only be predicted from itself. An action that the
/// other blocks never took gets their mean reward over all actions. Without contexts each model is
/// a mean.
struct LogRewardModel {
    private(set) var expected: [Double]

    /// - Parameters:
    ///   - weights: weights of the rows in the fit; nil means equal weights.
    init(
        _ log: BanditLog, blocks wanted: Int, lambda: Double, weights: [Double]? = nil
    ) throws(EvaluationError) {
        let (count, actions, size) = (log.count, log.actionCount, log.contextCount)
        guard count > 1 else {
            expected = []
            return
        }
        let blocks = max(2, min(wanted, count / 2))
        // Without a context there is one constant column, since ridge regression needs a feature.
        let width = max(1, size)
        var parts = [RidgeAccumulator](
            repeating: RidgeAccumulator(size: width), count: blocks * actions)
        var row = [Double](repeating: 0, count: width + 1)
        var means = [Moments](repeating: Moments(), count: blocks)
        for index in 0..<count {
            let block = index * blocks / count
            for column in 0..<size { row[column] = log.contexts[index * size + column] }
            row[width] = log.rewards[index]
            let part = block * actions + Int(log.actions[index])
            row.withUnsafeBufferPointer { parts[part].add(row: $0, weight: weights?[index] ?? 1) }
            means[block].add(log.rewards[index])
        }
        expected = [Double](repeating: 0, count: count * actions)
        for block in 0..<blocks {
            let range = block * count / blocks..<(block + 1) * count / blocks
            var mean = Moments()
            for other in 0..<blocks where other != block { mean.merge(means[other]) }
            for action in 0..<actions {
                var others = RidgeAccumulator(size: width)
                for other in 0..<blocks where other != block {
                    do throws(LearningError) {
                        try others.merge(parts[other * actions + action])
                    } catch {
                        throw .learning(error)
                    }
                }
                let solution = try? others.solve(lambda: lambda)
                let rows = LogRewardModel.rows(of: range, block, blocks, count)
                for index in rows {
                    guard let solution else {
                        expected[index * actions + action] = mean.mean
                        continue
                    }
                    var value = solution.intercept
                    for column in 0..<size {
                        value += solution.weights[column] * log.contexts[index * size + column]
                    }
                    expected[index * actions + action] = value
                }
            }
        }
    }

    /// The rows that belong to this block; the range from the division may be off by one at its
    /// ends.
    private static func rows(
        of range: Range<Int>, _ block: Int, _ blocks: Int, _ count: Int
    ) -> Range<Int> {
        var (low, high) = (range.lowerBound, range.upperBound)
        while low < count, low * blocks / count < block { low += 1 }
        while high < count, high * blocks / count <= block { high += 1 }
        return low..<high
    }
}
