/// What to train, and how.
public struct TrainingOptions: Sendable, Equatable {
    /// A head of a model.
    public enum Kind: String, CaseIterable, Sendable {
        /// The linear residual.
        case ridge
        /// P(late).
        case late
        /// The residual by a network with a linear last layer.
        case neuralLinear = "neural-linear"
    }

    /// The weight of a decision.
    public enum Weighting: String, CaseIterable, Sendable {
        case uniform
        /// The inverse propensity, at most `weightLimit`, as if all actions had been equally
        /// likely.
        case inversePropensity = "inverse-propensity"
    }

    /// The targets to which the residual is fitted.
    public enum Objective: String, CaseIterable, Sendable {
        /// The outcomes of the chosen candidates.
        case regression
        /// All candidates of each decision, with unbiased estimates of their outcomes: the outcome
        /// over its propensity for the chosen one, zero for the others.
        case inversePropensity = "ips"
        /// The same with a model's prediction, corrected for the chosen one.
        case doublyRobust = "dr"
    }

    public var kinds: Set<Kind> = [.ridge]
    public var weighting = Weighting.uniform
    public var objective = Objective.regression
    /// Share of each session's decisions, from its end, that are held out.
    public var holdout = 0.2
    /// Candidate penalties; cross-validation over segments of time chooses.
    public var lambdas: [Double] = [0.1, 1, 10, 100, 1000]
    /// The largest inverse propensity.
    var weightLimit = 50.0
    /// Number of random Fourier features of P(late) besides the linear ones.
    public var fourier = 0
    /// Widths of the network's layers.
    public var hidden = [32, 16]
    /// The most passes of the network's training over its sample.
    public var epochs = 30
    public var seed: UInt64 = 1
    /// The most decisions kept in memory, for heads that cannot be trained from sums in one pass.
    public var sampleLimit = 200_000

    public init() {}

    func check() throws(TrainingError) {
        guard !kinds.isEmpty else { throw .options("name at least one kind of model") }
        guard holdout >= 0, holdout <= 0.9 else {
            throw .options(
                "a holdout of \(holdout) is not usable: give at most 0.9")
        }
        guard !lambdas.isEmpty, lambdas.allSatisfy({ $0 > 0 && $0.isFinite }) else {
            throw .options("penalties must be above zero")
        }
        guard weightLimit >= 1, weightLimit.isFinite else {
            throw .options("the limit of weights must be one or more")
        }
        guard fourier >= 0, fourier <= 512 else {
            throw .options("give 0 to 512 Fourier features")
        }
        guard !hidden.isEmpty, hidden.count <= 3, hidden.allSatisfy({ (1...256).contains($0) })
        else { throw .options("give one to three layers of 1 to 256 units") }
        guard epochs > 0, epochs <= 10_000, sampleLimit >= 100 else {
            throw .options("give 1 to 10000 epochs")
        }
    }
}
