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
        let width = actionCount
        block.count = number
        let hasModel = !expected.isEmpty
        actions.withUnsafeBufferPointer { actions in
            evaluated.withUnsafeBufferPointer { evaluated in
                propensities.withUnsafeBufferPointer { propensities in
                    block.weights.withUnsafeMutableBufferPointer { weights in
                        block.matches.withUnsafeMutableBufferPointer { matches in
                            for row in 0..<number {
                                let index = start &+ row
                                let first = index &* width
                                let action = Int(actions[index])
                                let share = evaluated[first &+ action]
                                weights[row] = share / propensities[index]
                                // Ties go to the first action, as in LogEvaluation.
                                var greater = 0
                                for other in 0..<width {
                                    let value = evaluated[first &+ other]
                                    if value > share { greater &+= 1 }
                                    if other < action, value == share { greater &+= 1 }
                                }
                                matches[row] = greater == 0 ? 1 : 0
                            }
                        }
                    }
                    if hasModel { fillModel(&block, from: start, number, actions, evaluated) }
                }
            }
        }
        rewards.withUnsafeBufferPointer { rewards in
            block.rewards.withUnsafeMutableBufferPointer { column in
                for row in 0..<number { column[row] = rewards[start &+ row] }
            }
        }
    }

    private func fillModel(
        _ block: inout RowBlock, from start: Int, _ number: Int,
        _ actions: UnsafeBufferPointer<Int32>, _ evaluated: UnsafeBufferPointer<Double>
    ) {
        let width = actionCount
        expected.withUnsafeBufferPointer { expected in
            block.direct.withUnsafeMutableBufferPointer { direct in
                block.modelled.withUnsafeMutableBufferPointer { modelled in
                    for row in 0..<number {
                        let first = (start &+ row) &* width
                        var sum = 0.0
                        for other in 0..<width {
                            sum += evaluated[first &+ other] * expected[first &+ other]
                        }
                        direct[row] = sum
                        modelled[row] = expected[first &+ Int(actions[start &+ row])]
                    }
                }
            }
        }
    }
}
