/// One line of help: a policy's name, what it does, and where it comes from.
public struct PolicyDescription: Hashable, Sendable {
    public let name: String
    public let summary: String
    /// The paper or program, with its year; empty for what nobody claims.
    public let source: String

    init(_ name: String, _ summary: String, _ source: String = "") {
        self.name = name
        self.summary = summary
        self.source = source
    }
}

extension PolicySpecification {
    /// All policies with one line each, for help texts.
    public static let catalogue: [PolicyDescription] = [
        PolicyDescription("single", "one path, by name or number: single:lte"),
        PolicyDescription("round-robin", "the paths in turn"),
        PolicyDescription(
            "weighted", "at random by weight: by=fixed (--path), telemetry or learned"),
        PolicyDescription(
            "min-rtt", "the lowest smoothed RTT with room in its window", "MPTCP 2012"),
        PolicyDescription("earliest", "the earliest predicted arrival", "EDPF 2006"),
        PolicyDescription("steady", "lowest RTT, aware of silence, moves only for a clear gain"),
        PolicyDescription(
            "ecf", "waits for the fastest path when that completes earlier", "Lim 2017"),
        PolicyDescription(
            "blest", "waits when the slower path would block the receiver", "Ferlin 2016"),
        PolicyDescription("backup", "the first path that works, back after a hold-down"),
        PolicyDescription("redundant", "a copy on every path"),
        PolicyDescription(
            "reinject", "min-rtt, and what is unanswered too long goes again elsewhere",
            "XLINK 2021"),
        PolicyDescription(
            "ols", "sends a learned share of bursts twice", "Xing 2023"),
        PolicyDescription(
            "peekaboo", "learns when to wait for the fastest path", "Wu 2020"),
        PolicyDescription(
            "prune", "leaves out paths that are surely worse, UCB among the others",
            "Via 2016, Pytheas 2017"),
        PolicyDescription(
            "exp3", "exponential weights on paths, for worlds against us", "Auer 2002"),
        PolicyDescription(
            "exp4", "exponential weights on fixed policies as experts", "Auer 2002"),
        PolicyDescription(
            "epsilon-greedy", "linear model, best but for a share of chance", "Sutton, Barto"),
        PolicyDescription(
            "softmax", "linear model, better paths exponentially more often", "Boltzmann"),
        PolicyDescription(
            "lin-ucb", "learns the error of the predicted arrival, linear model with optimism",
            "Li 2010"),
        PolicyDescription(
            "discounted-lin-ucb", "lin-ucb that forgets, and starts anew after a change",
            "Russac 2019"),
        PolicyDescription(
            "sliding-lin-ucb", "lin-ucb on the last seconds alone", "Cheung 2019"),
        PolicyDescription(
            "lin-ts", "Thompson sampling on a linear model, exact probabilities",
            "Agrawal, Goyal 2013"),
        PolicyDescription(
            "squarecb", "linear model, probabilities by inverse gap", "Foster, Rakhlin 2020"),
        PolicyDescription(
            "falcon", "offline models of kinds of networks, fast online correction", "Wu 2022"),
        PolicyDescription(
            "learned", "learns times and risks, explores what is safe, guarded (the default)"),
    ]
}
