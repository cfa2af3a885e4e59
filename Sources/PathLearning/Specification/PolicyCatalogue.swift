extension PolicySpecification {
    /// The built-in policies in the order of help texts, which `init(parsing:)` accepts.
    public static let catalogue: [PolicyDescription] =
        [
            SinglePolicy.descriptor.description,
            RoundRobinPolicy.descriptor.description,
            WeightedPolicy.descriptor.description,
            MinRTTPolicy.descriptor.description,
            EarliestPolicy.descriptor.description,
            SteadyPolicy.descriptor.description,
            ECFPolicy.descriptor.description,
            BLESTPolicy.descriptor.description,
            BackupPolicy.descriptor.description,
            RedundantPolicy.descriptor.description,
            ReinjectPolicy.descriptor.description,
            OLSPolicy.descriptor.baseline,
            PeekabooPolicy.descriptor.description,
            PrunePolicy.descriptor.baseline,
            Exp3Policy.descriptor.baseline,
            Exp4Policy.descriptor.baseline,
            LinearBanditRules.epsilonGreedy.description,
            LinearBanditRules.softmax.description,
            LinUCBPolicy.descriptor.description,
            LinearBanditRules.discountedLinUCB.description,
            LinearBanditRules.slidingLinUCB.description,
            LinearBanditRules.linTS.description,
            LinearBanditRules.squareCB.description,
            FalconPolicy.descriptor.description,
            LearnedPolicy.descriptor.description,
        ]
}
