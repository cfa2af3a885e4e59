/// Estimators over columns in memory, without diagnostics.
extension BanditLog {
    /// The sums of all estimators over all rows, in one pass.
    ///
    /// - Parameter scores: kept beside IPS and DR. Without `expected` there is no model.
    public func sums(scores: [Score] = []) -> OffPolicySums {
        var sums = OffPolicySums(scores: scores, hasModel: !expected.isEmpty)
        var block = RowBlock()
        var start = 0
        while start < count {
            let number = min(RowBlock.capacity, count - start)
            fill(&block, from: start, number)
            sums.add(block)
            start += number
        }
        return sums
    }

    /// The DR score d + w (r - q) of every row; of IPS without `expected`.
    public func scores() -> [Double] {
        var scores: [Double] = []
        scores.reserveCapacity(count)
        var block = RowBlock()
        var start = 0
        while start < count {
            let number = min(RowBlock.capacity, count - start)
            fill(&block, from: start, number)
            for row in 0..<number { scores.append(block.doublyRobust(row)) }
            start += number
        }
        return scores
    }

    private func fill(_ block: inout RowBlock, from start: Int, _ number: Int) {
        let actions = actionCount
        block.count = number
        evaluated.withUnsafeBufferPointer { evaluated in
            for row in 0..<number {
                let index = start &+ row
                let first = index &* actions
                let action = Int(self.actions[index])
                let share = evaluated[first &+ action]
                block.weights[row] = share / propensities[index]
                block.rewards[row] = rewards[index]
                // Ties go to the first action, as in LogEvaluation.
                var isGreatest = true
                for other in 0..<actions {
                    let value = evaluated[first &+ other]
                    if value > share || (value == share && other < action) { isGreatest = false }
                }
                block.matches[row] = isGreatest ? 1 : 0
            }
        }
        guard !expected.isEmpty else { return }
        evaluated.withUnsafeBufferPointer { evaluated in
            expected.withUnsafeBufferPointer { expected in
                for row in 0..<number {
                    let index = start &+ row
                    let first = index &* actions
                    var direct = 0.0
                    for other in 0..<actions {
                        direct += evaluated[first &+ other] * expected[first &+ other]
                    }
                    block.direct[row] = direct
                    block.modelled[row] = expected[first &+ Int(self.actions[index])]
                }
            }
        }
    }
}
