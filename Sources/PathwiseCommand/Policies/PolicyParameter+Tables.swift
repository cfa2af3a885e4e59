/// What the settings of policies do not say of themselves: meanings for people, and the defaults,
/// which the tests compare with those of the settings.
extension PolicyParameter {
    /// The defaults by policy and parameter, as text.
    static let standards: [String: [String: String]] = {
        let linear = [
            "epsilon": "0.01", "lambda": "4", "half-life": "20", "change": "inf", "ratio": "2",
            "slack": "0.01",
        ]
        func like(_ changes: [String: String]) -> [String: String] {
            linear.merging(changes) { $1 }
        }
        return [
            "weighted": ["by": "fixed", "reliability": "10", "latency": "1", "half-life": "10"],
            "ecf": ["beta": "0.25"],
            "blest": [
                "window": "16777216", "lambda": "1.2", "least": "1", "most": "1.3", "up": "0.04",
                "down": "0.01",
            ],
            "backup": ["hold": "1.5", "loss": "0.5"],
            "reinject": ["factor": "1.1", "deadline": "0.5", "least": "0.02"],
            "ols": ["sharpness": "4", "deviation": "3", "interval": "0.04", "packets": "30"],
            "peekaboo": [
                "alpha": "0.75", "wait": "0.7", "send": "0.9", "half-life": "20",
                "window": "1048576",
            ],
            "prune": ["half-life": "5", "confidence": "2", "alpha": "0.3", "epsilon": "0.02"],
            "exp3": ["rate": "4", "epsilon": "0.02", "half-life": "20"],
            "exp4": ["rate": "4", "epsilon": "0.02", "half-life": "20"],
            "epsilon-greedy": like(["epsilon": "0.05"]),
            "softmax": like(["temperature": "0.05"]),
            "lin-ucb": like(["alpha": "0.2", "epsilon": "0.02", "features": "24"]),
            "discounted-lin-ucb": like(["alpha": "0.2", "change": "12"]),
            "sliding-lin-ucb": like(["alpha": "0.2", "window": "10"]),
            "lin-ts": like(["scale": "0.2"]),
            "squarecb": like(["gamma": "10", "epsilon": "0"]),
            "falcon": like([
                "memory": "2", "half-life": "2", "alpha": "0.2", "epsilon": "0.02",
            ]),
            "learned": [
                "epsilon": "0.01", "temperature": "0.02", "alpha": "0.3", "lambda": "4",
                "fast": "2", "slow": "60", "ratio": "1.5", "slack": "0.005", "risk": "0.1",
                "switching": "0.01",
            ],
        ]
    }()

    /// What a parameter does; nil if nobody has described it.
    static func meaning(of parameter: String, in policy: String) -> String? {
        special[policy]?[parameter] ?? usual[parameter]
    }

    /// Meanings that several policies share.
    private static let usual = [
        "alpha": "Optimism: how many standard errors are subtracted from a path's predicted cost.",
        "change": "Threshold of the change detector, at which the model starts again.",
        "epsilon": "Probability that is shared evenly by all safe paths, for exploration.",
        "gamma": "Scale of the inverse gaps: larger values explore less.",
        "half-life": "Time after which an outcome counts half; inf forgets nothing.",
        "lambda": "Prior precision of the weights: larger values learn more slowly.",
        "path": "The path that carries everything while it works.",
        "ratio": "A path is safe if it delivers within this multiple of the best one's time.",
        "scale": "Standard deviations of the draws: larger values explore more.",
        "slack": "Seconds that are added to the limit of 'ratio'.",
        "temperature": "Probabilities are proportional to exp(-cost / temperature).",
    ]

    /// Meanings in one policy, where they differ from the usual one or nobody shares them.
    private static let special = [
        "weighted": [
            "by":
                "Where weights come from: those of --path, from loss and round trip, or learned "
                + "from outcomes.",
            "reliability": "Exponent of the share of packets that arrive.",
            "latency": "Exponent of the round trip, or of the delivery time.",
        ],
        "ecf": ["beta": "Hysteresis: how much longer it keeps waiting once it waits."],
        "blest": [
            "window": "Receive window in bytes.",
            "lambda": "The first value of the factor for blocking.",
            "least": "The least value of that factor.",
            "most": "Its greatest value.",
            "up": "How much it grows when the receiver was blocked.",
            "down": "How much it falls when it was not.",
        ],
        "backup": [
            "hold": "How long a better path has to work before it is used again, in seconds.",
            "loss": "Share of packets lost over 5 s above which a path counts as failed.",
        ],
        "reinject": [
            "factor":
                "Age of unanswered data, in round trips of the fastest path, at which it is sent "
                + "again elsewhere.",
            "deadline": "Age in seconds at which it is always sent again.",
            "least": "Age in seconds below which it never is.",
        ],
        "ols": [
            "sharpness": "Exponent of the rewards, which penalises low goodput.",
            "deviation": "Multiple of the mean deviation beyond which a reward is an outlier.",
            "interval": "Least time that a share is kept, in seconds.",
            "packets": "Least packets for which a share is kept.",
        ],
        "peekaboo": [
            "alpha": "Optimism: how many standard deviations are added to the expected reward.",
            "wait": "Probability of waiting when waiting is better.",
            "send": "Probability of sending when sending is better.",
            "window": "Receive window in bytes.",
        ],
        "prune": [
            "confidence": "Standard errors on each side of a mean: smaller values prune sooner.",
            "epsilon": "Probability that all answering paths share, pruned ones included.",
        ],
        "exp3": [
            "rate": "Factor of the theoretical learning rate.",
            "epsilon": "Probability that all answering paths share.",
        ],
        "exp4": [
            "rate": "Factor of the theoretical learning rate.",
            "epsilon": "Probability that all answering paths share.",
        ],
        "lin-ucb": [
            "features":
                "How many features of a path it reads: all 24, or 16 of its telemetry, which are "
                + "learned faster."
        ],
        "sliding-lin-ucb": ["window": "Seconds whose outcomes count."],
        "falcon": ["memory": "Half-life of the errors by which a model is chosen, in seconds."],
        "learned": [
            "alpha":
                "Optimism: how many standard errors of a path's offset are subtracted from its "
                + "cost.",
            "fast": "Half-life of the fast regression, in seconds.",
            "slow": "Half-life of the slow regression, in seconds.",
            "risk": "A path is safe if its P(late) is within this of the least one.",
            "switching": "Cost of leaving the path of the previous decision, in log delivery time.",
        ],
    ]
}
