import CKernels

/// Estimators over columns in memory, without diagnostics.
extension BanditLog {
    /// The sums of all estimators over all rows, in one pass.
    ///
    /// - Parameter scores: kept beside IPS and DR. Without `expected` there is no model.
    public func sums(scores: [Score] = []) -> OffPolicySums {
        var sums = OffPolicySums(scores: scores, hasModel: !expected.isEmpty)
        forEachBlock(marksMatches: true) { sums.add($0) }
        return sums
    }

    /// One estimator's value, with its standard error; tuned as usual where no number is given.
    ///
    /// Faster than `sums` for the estimators that are a mean of one score a row.
    /// - Returns: nil when it needs a reward model and the log has none.
    public func estimate(_ estimator: Estimator) -> Estimate? {
        if estimator.name.needsModel, expected.isEmpty { return nil }
        guard let score = estimator.score(estimator.lambda ?? 1), estimator.grid.isEmpty,
            score.base != .robustResidual
        else { return sums(scores: Estimator.scores(for: [estimator])).estimate(estimator) }
        var moments = Moments()
        withUnsafeTemporaryAllocation(of: Double.self, capacity: RowBlock.capacity) { room in
            guard let e = room.baseAddress else { return }
            forEachBlock(marksMatches: false) { columns in
                let (w, r, q, count) = (
                    columns.weights, columns.rewards, columns.modelled, columns.count
                )
                guard score.base != .reward else {
                    return Kernels.add(score.rule, w, r, nil, count, to: &moments)
                }
                for i in 0..<count { e[i] = r[i] - q[i] }
                Kernels.add(score.rule, w, e, columns.direct, count, to: &moments)
            }
        }
        return Estimate(
            estimator: estimator, value: moments.mean, standardError: moments.standardError,
            count: moments.count, lambda: estimator.lambda)
    }

    /// The DR score d + w (r - q) of every row; of IPS without `expected`.
    public func scores() -> [Double] {
        var scores: [Double] = []
        scores.reserveCapacity(count)
        let hasModel = !expected.isEmpty
        forEachBlock(marksMatches: false) { columns in
            for i in 0..<columns.count {
                scores.append(
                    hasModel
                        ? columns.direct[i]
                            + columns.weights[i] * (columns.rewards[i] - columns.modelled[i])
                        : columns.weights[i] * columns.rewards[i])
            }
        }
        return scores
    }

    /// Lends the rows in blocks, in their order.
    private func forEachBlock(marksMatches: Bool, _ body: (RowColumns) -> Void) {
        let capacity = RowBlock.capacity
        let flags = UnsafeMutablePointer<Int64>.allocate(capacity: capacity)
        let room = UnsafeMutablePointer<Double>.allocate(capacity: 3 * capacity)
        defer {
            flags.deallocate()
            room.deallocate()
        }
        flags.update(repeating: 0, count: capacity)
        let gather = RowGather(
            width: actionCount, weights: room, modelled: room + capacity,
            direct: room + 2 * capacity, matches: marksMatches ? flags : nil)
        withColumns { log in
            var start = 0
            while start < count {
                let number = min(capacity, count &- start)
                let cells = start &* actionCount
                gather.rows(
                    number, actions: log.actions + start, propensities: log.propensities + start,
                    evaluated: log.evaluated + cells, expected: log.expected.map { $0 + cells })
                body(
                    RowColumns(
                        count: number, weights: gather.weights, rewards: log.rewards + start,
                        modelled: gather.modelled, direct: gather.direct, matches: flags))
                start &+= number
            }
        }
    }

    private struct Columns {
        var actions: UnsafePointer<Int32>
        var rewards: Kernels.Column
        var propensities: Kernels.Column
        var evaluated: Kernels.Column
        var expected: Kernels.Column?
    }

    private func withColumns(_ body: (Columns) -> Void) {
        actions.withUnsafeBufferPointer { actions in
            rewards.withUnsafeBufferPointer { rewards in
                propensities.withUnsafeBufferPointer { propensities in
                    evaluated.withUnsafeBufferPointer { evaluated in
                        expected.withUnsafeBufferPointer { expected in
                            guard let actions = actions.baseAddress,
                                let rewards = rewards.baseAddress,
                                let propensities = propensities.baseAddress,
                                let evaluated = evaluated.baseAddress
                            else { return }
                            body(
                                Columns(
                                    actions: actions, rewards: rewards,
                                    propensities: propensities, evaluated: evaluated,
                                    expected: expected.isEmpty ? nil : expected.baseAddress))
                        }
                    }
                }
            }
        }
    }
}

/// Takes of rows with a number for every action what the estimators need.
private struct RowGather {
    let width: Int
    let weights: Kernels.Output
    let modelled: Kernels.Output
    let direct: Kernels.Output
    /// Nil where they are not asked for.
    let matches: UnsafeMutablePointer<Int64>?

    /// - Parameter expected: nil without a reward model.
    func rows(
        _ count: Int, actions: UnsafePointer<Int32>, propensities: Kernels.Column,
        evaluated: Kernels.Column, expected: Kernels.Column?
    ) {
        if width == 4 {
            return ck_gather_four(
                actions, propensities, evaluated, expected, count, weights, modelled, direct,
                matches)
        }
        general(count, actions, evaluated, expected)
        for row in 0..<count { weights[row] = weights[row] / propensities[row] }
    }

    private func general(
        _ count: Int, _ actions: UnsafePointer<Int32>, _ evaluated: Kernels.Column,
        _ expected: Kernels.Column?
    ) {
        for row in 0..<count {
            let cells = evaluated + row &* width
            weights[row] = cells[Int(actions[row])]
            guard let matches else { continue }
            // The first of the most probable actions, as in `LogEvaluation`.
            var most = cells[0]
            var first: Int32 = 0
            for other in 1..<max(1, width) where cells[other] > most {
                first = Int32(truncatingIfNeeded: other)
                most = cells[other]
            }
            matches[row] = first == actions[row] ? 1 : 0
        }
        guard let expected else { return }
        for row in 0..<count {
            let first = row &* width
            modelled[row] = expected[first &+ Int(actions[row])]
            var sum = 0.0
            for other in 0..<width {
                sum += evaluated[first &+ other] * expected[first &+ other]
            }
            direct[row] = sum
        }
    }
}
