/// Parameters of lin-ucb.
public struct LinUCBSettings: Hashable, Sendable {
    /// Optimism: how many `sqrt(x' A^-1 x)` are taken off the predicted cost; zero or more.
    public var alpha = 0.2
    /// Prior precision of the weights, above zero.
    ///
    /// Noise variance over the variance expected of a weight.
    public var lambda = 4.0
    /// Probability shared by all candidates of the safe set, 0...1; the rest goes to the best.
    public var epsilon = 0.02
    /// Time after which evidence counts half, seconds, above zero; infinite: it never fades.
    public var halfLife = 20.0
    /// A candidate is safe if its predicted delivery is within `ratio` times the best one's plus
    /// `slack` seconds.
    public var ratio = 2.0
    public var slack = 0.010

    public init() {}

    static let names = ["alpha", "lambda", "epsilon", "half-life", "ratio", "slack"]

    /// From `name=value,name=value` with times in seconds; the empty text gives the defaults.
    public init(parsing text: String, policy: String) throws(LearningError) {
        self.init()
        for part in text.split(separator: ",", omittingEmptySubsequences: true) {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(pair[0])
            let value = pair.count > 1 ? String(pair[1]) : ""
            let number = Double(value)
            func checked(
                _ range: ClosedRange<Double>, _ expected: String
            ) throws(LearningError) -> Double {
                guard let number, range.contains(number) else {
                    throw .invalidValue(
                        policy: policy, parameter: name, value: value, expected: expected)
                }
                return number
            }
            switch name {
            case "alpha": alpha = try checked(0...1e3, "a number from 0 to 1000")
            case "lambda": lambda = try checked(1e-6...1e6, "a number from 1e-6 to 1e6")
            case "epsilon": epsilon = try checked(0...1, "a number from 0 to 1")
            case "half-life":
                halfLife = try checked(1e-3...Double.infinity, "seconds above 0, or inf")
            case "ratio": ratio = try checked(1...1e6, "a number of 1 or more")
            case "slack": slack = try checked(0...60, "seconds from 0 to 60")
            default:
                throw .unknownParameter(policy: policy, parameter: name, known: Self.names)
            }
        }
    }
}
