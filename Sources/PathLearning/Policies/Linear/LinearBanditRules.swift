/// The policies that learn a linear model of the cost, one for each rule of exploration.
enum LinearBanditRules {
    static let epsilonGreedy = describe(
        .epsilonGreedy, "linear model, sometimes a random path", source: "Sutton, Barto")
    static let softmax = describe(
        .softmax, "linear model, better paths exponentially more often", source: "Boltzmann")
    static let discountedLinUCB = describe(
        .discountedLinUCB, "lin-ucb that forgets, and restarts after a change",
        source: "Russac 2019")
    static let slidingLinUCB = PolicyDescriptor(
        LinearBanditSettings.Rule.slidingLinUCB.rawValue,
        "lin-ucb on the last seconds only", source: "Cheung 2019",
        settings: LinearBanditSettings(.slidingLinUCB), needs: needs
    ) { settings, materials throws(LearningError) in
        LinearBandit(
            settings: settings, cost: materials.cost,
            belief: WindowedPosterior(
                prior: try materials.prior(lambda: settings.lambda), window: settings.window))
    }
    static let linTS = describe(
        .linTS, "Thompson sampling on a linear model, exact probabilities",
        source: "Agrawal, Goyal 2013")
    static let squareCB = describe(
        .squareCB, "linear model, probabilities by inverse gap", source: "Foster, Rakhlin 2020")

    private static let needs: @Sendable (LinearBanditSettings) -> PolicyNeeds = { _ in
        PolicyNeeds().with { $0.model = true }
    }

    private static func describe(
        _ rule: LinearBanditSettings.Rule, _ summary: String, source: String
    ) -> PolicyDescriptor<LinearBanditSettings> {
        PolicyDescriptor(
            rule.rawValue, summary, source: source, settings: LinearBanditSettings(rule),
            needs: needs
        ) { settings, materials throws(LearningError) in
            LinearBandit(
                settings: settings, cost: materials.cost,
                belief: LinearPosterior(prior: try materials.prior(lambda: settings.lambda)))
        }
    }
}
