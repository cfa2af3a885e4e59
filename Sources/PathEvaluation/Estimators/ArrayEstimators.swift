extension OffPolicyAccumulator {
    /// The estimators on whole arrays, one element a decision.
    ///
    /// - Parameters:
    ///   - weights: evaluated probability of the logged action over its propensity.
    ///   - modelled: the reward model's expectation for the logged action; empty without a model.
    ///   - direct: its expectation for the evaluated policy; empty without a model.
    /// - Precondition: arrays that are not empty have the count of `weights`.
    public init(
        weights: [Double], rewards: [Double], modelled: [Double] = [], direct: [Double] = []
    ) {
        self.init()
        precondition(rewards.count == weights.count)
        precondition(modelled.isEmpty || modelled.count == weights.count)
        precondition(direct.isEmpty || direct.count == weights.count)
        for index in weights.indices {
            add(
                OffPolicyRow(
                    weight: weights[index], reward: rewards[index],
                    modelled: modelled.isEmpty ? 0 : modelled[index],
                    direct: direct.isEmpty ? 0 : direct[index]))
        }
    }
}
