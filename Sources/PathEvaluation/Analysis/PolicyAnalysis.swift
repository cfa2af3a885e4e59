import DenseMath
import Glibc

/// Facts about a decision beyond what the estimators need.
public struct RowFacts: Sendable {
    /// Its number in the log, to name it.
    public var row: Int
    /// Probability with which the logged action was taken.
    public var propensity: Double
    /// Probability of the logged action under the evaluated policy.
    public var agreement: Double
    /// Its probability of actions that the log could not have taken.
    var unsupported: Double
    /// Variance of the weight that the two distributions imply; nil if the logging policy's
    /// distribution is not known.
    var weightVariance: Double?
    /// The quantity whose distribution is reported: the reward, or the delivery time.
    public var outcome: Double
    /// Keys of its groups: its action and its traffic class.
    public var action: Int
    public var trafficClass: Int?
    /// The paths of its action, one bit per path; zero if actions are not paths.
    public var paths: UInt16
    /// The policy's largest probability; one if the policy is deterministic here.
    var greatest = 1.0
    /// Rounding error of the propensity, which was written with few digits.
    var rounding = 0.0
    /// The outcome of the burst; nil if actions are not paths.
    var burst: BurstFacts?

    public init(
        row: Int, propensity: Double, agreement: Double, unsupported: Double = 0,
        weightVariance: Double? = nil, outcome: Double, action: Int, trafficClass: Int? = nil,
        paths: UInt16 = 0
    ) {
        self.row = row
        self.propensity = propensity
        self.agreement = agreement
        self.unsupported = unsupported
        self.weightVariance = weightVariance
        self.outcome = outcome
        self.action = action
        self.trafficClass = trafficClass
        self.paths = paths
    }
}

/// The analysis of one policy, collected in one pass in bounded memory.
public struct PolicyAnalysis: Sendable {
    /// Estimators that are added after the first decision have no sums.
    public internal(set) var options: AnalysisOptions
    public private(set) var sums: OffPolicySums
    private var block = RowBlock()
    /// Distributions of the weights, and of the outcomes weighted for the policy.
    private(set) var weightSketch = ValueSketch()
    public private(set) var outcomes = ValueSketch()
    private(set) var batches = TimeBatches()
    private(set) var bootstrap: PoissonBootstrap?
    private(set) var actions = Groups()
    private(set) var classes = Groups()
    private(set) var paths = Groups()
    private(set) var discounted: DiscountedValue
    /// Sums of network figures; nil if actions are not paths.
    private(set) var network: NetworkSums?
    /// The range of the rewards of decisions that the policy might also have taken.
    private(set) var weightedRange: (least: Double, greatest: Double)?
    /// Number of decisions for which the policy was not deterministic, and the sum of its largest
    /// probabilities.
    private(set) var uncertain = 0
    private var greatest = CompensatedSum()
    // Weights and rewards, kept only for confidence sequences in a known range.
    private(set) var keptWeights: [Double] = []
    private(set) var keptRewards: [Double] = []

    private var support = Moments()
    private var impliedVariance: CompensatedSum? = CompensatedSum()
    private var unsupported = CompensatedSum()
    private var rounding = CompensatedSum()
    private var agreement = CompensatedSum()
    private var entropy = CompensatedSum()
    private var aboveTen = 0
    private var leastWeight = Double.infinity
    private var smallestPropensity = 1.0
    private var residuals = Moments()
    private var neighbours = CompensatedSum()
    private var lastResidual: Double?
    private var influential: [(row: Int, weight: Double, size: Double, score: Double)] = []
    private var histogram = [Int](repeating: 0, count: 64)

    public init(options: AnalysisOptions, hasModel: Bool) {
        self.options = options
        sums = OffPolicySums(
            scores: Estimator.scores(for: options.estimators),
            adaptive: AdaptiveSums.needed(for: options.estimators), hasModel: hasModel)
        discounted = DiscountedValue(halfLife: options.halfLife)
        if options.interval == .bootstrap {
            bootstrap = PoissonBootstrap(
                columns: 4, resamples: options.resamples, seed: options.seed)
        }
    }

    public var count: Int { sums.count + block.count }

    /// Adds one decision, in the order of the log.
    public mutating func add(
        _ row: OffPolicyRow, _ facts: RowFacts, actionName: () -> String = { "" },
        className: () -> String = { "" }, pathName: (_ path: Int) -> String = { _ in "" }
    ) {
        block.append(row)
        let weight = row.weight
        let residual = row.reward - row.modelled
        let score =
            sums.hasModel ? row.direct + weight * residual : weight * row.reward
        support.add(weight + facts.unsupported)
        if let variance = facts.weightVariance {
            impliedVariance?.add(variance)
        } else {
            impliedVariance = nil
        }
        unsupported.add(facts.unsupported)
        rounding.add(weight * facts.rounding / facts.propensity)
        agreement.add(facts.agreement)
        greatest.add(facts.greatest)
        if facts.greatest < 1 - 1e-6 { uncertain += 1 }
        if weight > 0 {
            let range = weightedRange ?? (row.reward, row.reward)
            weightedRange = (min(range.least, row.reward), max(range.greatest, row.reward))
        }
        if let burst = facts.burst {
            // This updates in place: the sums are large, and copying them per decision costs more
            // than adding.
            if network == nil { network = NetworkSums(isBrief: options.isBrief) }
            network?.add(burst, weight: weight, agreement: facts.agreement)
        }
        batches.add(
            weight: weight, reward: row.reward, modelled: row.modelled, direct: row.direct)
        discounted.add(score)
        if !options.isBrief {
            addDistributions(
                row, facts, score: score, actionName: actionName, className: className,
                pathName: pathName)
        }
        if weight > 0 {
            let logarithm = log(weight)
            entropy.add(weight * logarithm)
            let bin = (logarithm / M_LN10 + 4) * 8
            histogram[Int(max(0, min(63, bin)))] += 1
        } else {
            histogram[0] += 1
        }
        if weight > 10 { aboveTen += 1 }
        leastWeight = min(leastWeight, weight)
        smallestPropensity = min(smallestPropensity, facts.propensity)
        residuals.add(residual)
        if let lastResidual { neighbours.add(lastResidual * residual) }
        lastResidual = residual
        note(
            row: facts.row, weight: weight, size: (weight * residual).magnitude, score: score)
        if options.keepsRows {
            keptWeights.append(weight)
            keptRewards.append(row.reward)
        }
        if block.isFull { flush() }
    }

    /// Adds a decision to the distributions, and to the values of its groups.
    @inline(__always)
    private mutating func addDistributions(
        _ row: OffPolicyRow, _ facts: RowFacts, score: Double, actionName: () -> String,
        className: () -> String, pathName: (_ path: Int) -> String
    ) {
        let weight = row.weight
        weightSketch.add(weight)
        outcomes.add(facts.outcome, weight: weight)
        actions.add(
            facts.action, weight: weight, reward: row.reward, score: score, name: actionName)
        if let trafficClass = facts.trafficClass {
            classes.add(
                trafficClass, weight: weight, reward: row.reward, score: score, name: className)
        }
        var rest = facts.paths
        while rest != 0 {
            let path = rest.trailingZeroBitCount
            rest &= rest &- 1
            paths.add(path, weight: weight, reward: row.reward, score: score) { pathName(path) }
        }
    }

    /// Keeps the ten rows of the largest corrections.
    @inline(__always)
    private mutating func note(row: Int, weight: Double, size: Double, score: Double) {
        if influential.count == 10, size <= influential[9].size { return }
        let place = influential.firstIndex { $0.size < size } ?? influential.count
        influential.insert((row, weight, size, score), at: place)
        if influential.count > 10 { influential.removeLast() }
    }

    private mutating func flush() {
        sums.add(block)
        if bootstrap != nil {
            block.withProducts { weights, rest in
                bootstrap?.add([weights] + rest, count: block.count)
            }
        }
        block.removeAll()
    }

    /// Adds what is still in the block; call it once at the end of the log.
    public mutating func finish() { flush() }

    // MARK: Merge

    /// Adds what is still in the block, and keeps no more than a file needs.
    mutating func condense() {
        flush()
        weightSketch.round()
        outcomes.round()
        batches.condense()
        network?.condense()
    }

    /// Appends the analysis of a later part of the log; both must be condensed and have the same
    /// options.
    ///
    /// - Parameter ordinal: number of decisions of the log before the later part, which its rows
    ///   are counted from.
    mutating func merge(_ later: PolicyAnalysis, ordinal: Int) {
        guard later.count > 0 else { return }
        if let both = network, let other = later.network {
            var whole = both
            whole.merge(other)
            network = whole
        } else {
            network = count == 0 ? later.network : nil
        }
        if let range = later.weightedRange {
            let own = weightedRange ?? range
            weightedRange = (min(own.least, range.least), max(own.greatest, range.greatest))
        }
        if let variance = later.impliedVariance { impliedVariance?.add(variance) }
        if later.impliedVariance == nil { impliedVariance = nil }
        discounted.merge(later.discounted, decisions: later.count)
        sums.merge(later.sums)
        weightSketch.merge(later.weightSketch)
        outcomes.merge(later.outcomes)
        batches.merge(later.batches)
        actions.merge(later.actions)
        classes.merge(later.classes)
        paths.merge(later.paths)
        uncertain += later.uncertain
        greatest.add(later.greatest)
        support.merge(later.support)
        unsupported.add(later.unsupported)
        rounding.add(later.rounding)
        agreement.add(later.agreement)
        entropy.add(later.entropy)
        aboveTen += later.aboveTen
        leastWeight = min(leastWeight, later.leastWeight)
        smallestPropensity = min(smallestPropensity, later.smallestPropensity)
        residuals.merge(later.residuals)
        neighbours.add(later.neighbours)
        for item in later.influential {
            note(row: item.row + ordinal, weight: item.weight, size: item.size, score: item.score)
        }
        for index in histogram.indices { histogram[index] += later.histogram[index] }
    }

    /// Writes or reads all numbers; an analysis that is read must have the same options.
    mutating func transfer(_ stream: inout NumberStream) {
        sums.transfer(&stream)
        weightSketch.transfer(&stream)
        outcomes.transfer(&stream)
        batches.transfer(&stream)
        actions.transfer(&stream)
        classes.transfer(&stream)
        paths.transfer(&stream)
        discounted.transfer(&stream)
        stream.pass(&network, empty: NetworkSums()) { $0.transfer(&$1) }
        stream.pass(&weightedRange, empty: (0, 0)) { range, stream in
            stream.pass(&range.least)
            stream.pass(&range.greatest)
        }
        stream.pass(&uncertain)
        stream.pass(&greatest)
        support.transfer(&stream)
        stream.pass(&impliedVariance, empty: CompensatedSum()) { sum, stream in
            stream.pass(&sum)
        }
        stream.pass(&unsupported)
        stream.pass(&rounding)
        stream.pass(&agreement)
        stream.pass(&entropy)
        stream.pass(&aboveTen)
        stream.pass(&leastWeight, unless: .infinity)
        stream.pass(&smallestPropensity)
        residuals.transfer(&stream)
        stream.pass(&neighbours)
        stream.pass(&influential, empty: (row: 0, weight: 0, size: 0, score: 0)) { item, stream in
            stream.pass(&item.row)
            stream.pass(&item.weight)
            stream.pass(&item.size)
            stream.pass(&item.score)
        }
        stream.pass(&histogram, empty: 0) { count, stream in stream.pass(&count) }
        if histogram.count != 64 || influential.count > 10 { stream.refuse() }
    }

    // MARK: Read

    /// The diagnostics of the evaluated decisions; the caller counts the excluded ones.
    public var diagnostics: Diagnostics {
        var facts = Diagnostics()
        let number = Double(max(1, sums.count))
        facts.count = sums.count
        facts.meanWeight = sums.weights.mean
        facts.meanWeightError = sums.weights.standardError
        facts.meanWeightDeviation = PolicyAnalysis.deviation(
            sums.weights.mean - 1, sums.weights.standardError)
        let implied = impliedVariance.map { max(0, $0.value).squareRoot() / number }
        facts.isSupportKnown = implied != nil
        let distance = support.mean - 1
        let slack = min(distance.magnitude, rounding.value / number)
        facts.weightTest = weightEvidence(
            distance < 0 ? distance + slack : distance - slack, implied: implied)
        facts.leastWeight = leastWeight
        facts.largestWeight = sums.largestWeight
        facts.largestWeightShare = sums.largestWeightShare
        facts.effectiveSampleSize = sums.effectiveSampleSize
        facts.impliedSampleSize = impliedVariance.map {
            number / (1 + max(0, $0.value) / number)
        }
        let all = sums.weights.sum
        facts.entropySampleSize = all > 0 ? exp(log(all) - entropy.value / all) : 0
        facts.weightQuantiles = weightSketch.quantiles([0.5, 0.95, 0.99])
        facts.shareAboveTen = Double(aboveTen) / number
        facts.topHundredthShare = weightSketch.topShare(max(1, sums.count / 100))
        facts.divergence = sums.secondMoment - 1
        facts.weightHistogram = histogram
        facts.unsupportedShare = unsupported.value / number
        facts.smallestPropensity = smallestPropensity
        facts.agreement = agreement.value / number
        facts.meanReward = sums.logged.mean
        facts.autocorrelation = autocorrelation
        facts.isDependent = isDependent
        facts.areIntervalsByTime =
            [.automatic, .batchMeans, .blockBootstrap].contains(options.interval)
        facts.greatestProbability = greatest.value / number
        facts.drift = drift
        facts.influential = influential.map {
            ($0.row, $0.weight, ($0.score - preferredMean) / number)
        }
        facts.leastReward = sums.leastReward
        facts.greatestReward = sums.greatestReward
        facts.isRangeKnown = rewardRange.isKnown
        return facts
    }

    /// Whether decisions are autocorrelated, so that intervals for independent decisions are too
    /// narrow.
    var isDependent: Bool {
        let rho = autocorrelation
        if rho > 0.2, rho * Double(sums.count).squareRoot() > 3 { return true }
        return (errorRatio ?? 1) > TimeBatches.clearRatio
    }

    /// Ratio of the preferred estimator's error from batch means to its error for independent
    /// decisions.
    var errorRatio: Double? {
        let kind: EstimatorDescriptor = sums.hasModel ? .dr : .snips
        return sums.estimate(Estimator(kind)).flatMap {
            batches.errorRatio(
                of: { $0.value(kind) ?? .nan }, independent: $0.standardError)
        }
    }

    /// Lag-1 autocorrelation of the model's residuals.
    private var autocorrelation: Double {
        let mean = residuals.mean
        return residuals.scatter > 0
            ? (neighbours.value - Double(sums.count) * mean * mean) / residuals.scatter : 0
    }

    /// Whether the policy is deterministic in every decision.
    var isDeterministic: Bool { uncertain == 0 }

    private static func deviation(_ distance: Double, _ error: Double) -> Double {
        // Probabilities sum to one only within a tolerance.
        if distance.magnitude <= 1e-6 { return error > 0 ? distance / max(error, 1e-6) : 0 }
        return distance / error
    }

    /// The evidence that the mean weight is not one, as the equivalent number of standard errors in
    /// a large sample.
    ///
    /// Few decisions prove little: one that the log took with probability 0.01 has a weight of up
    /// to 100. The number follows from Bernstein's bound with the largest observed weight; if the
    /// error is that of the sample, it is at most that of Student's t; and if all weights are
    /// equal, it follows from their product, which exceeds x with probability at most 1 / x (Ville,
    /// 1939).
    private func weightEvidence(_ distance: Double, implied: Double?) -> Double {
        let plain = PolicyAnalysis.deviation(distance, implied ?? support.standardError)
        guard sums.count > 0, !(plain == 0), !plain.isNaN, implied != 0 else { return plain }
        let number = Double(sums.count)
        let error = implied ?? support.standardError
        var evidence: Double
        if error > 0 {
            let distance = distance.magnitude
            let reach = max(1, plain > 0 ? sums.largestWeight - 1 : 1)
            evidence =
                number * distance * distance
                / (2 * (number * error * error + reach * distance / 3))
            evidence = (2 * evidence).squareRoot()
            if implied == nil, sums.count < 1000 {
                let share = StudentDistribution.tail(plain.magnitude, freedom: number - 1)
                evidence = min(
                    evidence, share > 0 ? -NormalDistribution.quantile(share) : .infinity)
            }
        } else {
            evidence = number * log(max(0, 1 + distance)).magnitude
            // ln 740 = 6.6 corresponds to three standard errors, since P(Z > 3) = 1 / 740.
            evidence = (2 * max(0, evidence - 2.1)).squareRoot()
        }
        evidence = min(plain.magnitude, evidence)
        return plain < 0 ? -evidence : evidence
    }

    private var preferredMean: Double {
        sums.hasModel ? sums.doublyRobust.mean : sums.inverse.mean
    }

    /// Difference between the mean rewards of both halves in standard errors, from batch means.
    private var drift: Double {
        let parts = batches.stretches(\.recorded)
        guard parts.count >= 16 else { return 0 }
        var (first, second) = (Moments(), Moments())
        for (index, part) in parts.enumerated() {
            if index < parts.count / 2 {
                first.add(part.recorded)
            } else {
                second.add(part.recorded)
            }
        }
        let error =
            (first.variance / Double(first.count) + second.variance / Double(second.count))
            .squareRoot()
        return error > 0 ? (second.mean - first.mean) / error : 0
    }

    /// The value and the recorded mean over time, in about 24 batches; by DR, or by SNIPS without a
    /// reward model.
    public var overTime: [(count: Int, value: Double, recorded: Double)] {
        batches.series(24).map { part in
            (
                Int(part.count), part.value(sums.hasModel ? .dr : .snips) ?? .nan, part.recorded
            )
        }
    }

    /// The value with old decisions discounted, and its standard error.
    public var discountedValue: (value: Double, standardError: Double) { discounted.mean }

    /// The values by logged action.
    public var byAction: [(name: String, sums: GroupSums)] {
        Array(zip(actions.names, actions.sums)).map { (name: $0.0, sums: $0.1) }
    }
    /// The values by path, whether the action used that path alone or with others.
    public var byPath: [(name: String, sums: GroupSums)] {
        Array(zip(paths.names, paths.sums)).map { (name: $0.0, sums: $0.1) }
    }
    public var byClass: [(name: String, sums: GroupSums)] {
        Array(zip(classes.names, classes.sums)).map { (name: $0.0, sums: $0.1) }
    }
}
