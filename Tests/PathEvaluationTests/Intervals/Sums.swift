@testable import PathEvaluation

extension OffPolicySums {
    /// The sums over rows, block by block.
    init(_ rows: [OffPolicyRow], scores: [Score] = [], hasModel: Bool = true) {
        self.init(
            scores: scores, adaptive: AdaptiveSums.needed(for: Estimator.all), hasModel: hasModel)
        var block = RowBlock()
        for row in rows {
            block.append(row)
            if block.isFull {
                add(block)
                block.removeAll()
            }
        }
        add(block)
    }

    /// The sums of whole arrays, one element per decision; those of a reward model may be empty.
    init(
        weights: [Double], rewards: [Double], modelled: [Double] = [], direct: [Double] = [],
        matches: [Bool] = [], scores: [Score] = []
    ) {
        let rows = weights.indices.map { index in
            OffPolicyRow(
                weight: weights[index], reward: rewards[index],
                modelled: modelled.isEmpty ? 0 : modelled[index],
                direct: direct.isEmpty ? 0 : direct[index],
                isMatch: matches.isEmpty ? false : matches[index])
        }
        self.init(rows, scores: scores, hasModel: !modelled.isEmpty || !direct.isEmpty)
    }
}
