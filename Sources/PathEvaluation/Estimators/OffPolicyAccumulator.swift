/// The sums of one policy's estimators, fed row by row.
public struct OffPolicyAccumulator: Sendable {
    private var whole: OffPolicySums
    private var pending = RowBlock()

    public init(scores: [Score] = [], hasModel: Bool = true) {
        whole = OffPolicySums(scores: scores, hasModel: hasModel)
    }

    public var count: Int { whole.count + pending.count }

    /// Takes in one logged decision.
    @inline(__always)
    public mutating func add(_ row: OffPolicyRow) {
        pending.append(row)
        if pending.isFull { flush() }
    }

    private mutating func flush() {
        whole.add(pending)
        pending.removeAll()
    }

    /// Takes in all rows of another accumulator with the same scores.
    public mutating func merge(_ other: OffPolicyAccumulator) {
        whole.merge(other.sums)
    }

    /// The sums over all rows taken in.
    public var sums: OffPolicySums {
        var sums = whole
        sums.add(pending)
        return sums
    }
}

extension OffPolicySums {
    /// The sums of whole arrays, one element a decision.
    ///
    /// - Parameters:
    ///   - weights: evaluated probability of the logged action over its propensity.
    ///   - modelled: the reward model's expectation for the logged action; empty without a model.
    ///   - direct: its expectation for the evaluated policy; empty without a model.
    ///   - matches: where the logged action is the policy's most probable one; may be empty.
    /// - Precondition: arrays that are not empty have the count of `weights`.
    public init(
        weights: [Double], rewards: [Double], modelled: [Double] = [], direct: [Double] = [],
        matches: [Bool] = [], scores: [Score] = []
    ) {
        self.init(scores: scores, hasModel: !modelled.isEmpty || !direct.isEmpty)
        precondition(rewards.count == weights.count)
        precondition(modelled.isEmpty || modelled.count == weights.count)
        precondition(direct.isEmpty || direct.count == weights.count)
        precondition(matches.isEmpty || matches.count == weights.count)
        var block = RowBlock()
        for index in weights.indices {
            block.append(
                OffPolicyRow(
                    weight: weights[index], reward: rewards[index],
                    modelled: modelled.isEmpty ? 0 : modelled[index],
                    direct: direct.isEmpty ? 0 : direct[index],
                    isMatch: matches.isEmpty ? false : matches[index]))
            if block.isFull {
                add(block)
                block.removeAll()
            }
        }
        add(block)
    }
}
