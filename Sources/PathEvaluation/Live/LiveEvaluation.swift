import DenseMath
public import PathLearning
import PathTelemetry

/// Estimates, while traffic flows, what other policies would have cost: one in the shadow, the steady
/// rule, and each path alone.
///
/// It is the evaluation of a recording (`PolicyAnalysis`), with less memory: the same sums, intervals and
/// verdicts. The model that doubly robust estimates correct is `PathExpectations`, which knows only what
/// came before each decision.
public struct LiveEvaluation: Sendable {
    private var shadow: PolicyAnalysis?
    private var steady = LiveEvaluation.analysis()
    /// By path number; nil before the path was a candidate.
    private var paths = [PolicyAnalysis?](repeating: nil, count: PathID.limit)
    private var recorded = NetworkSums(isBrief: true)
    private var load = Moments()
    /// Judged decisions whose numbers cannot be used.
    private var refused = 0

    public init() {}

    /// Decisions that were added.
    public var count: Int { steady.count }

    private static func analysis() -> PolicyAnalysis {
        var options = AnalysisOptions()
        options.estimators = [.dr]
        options.isLogarithmic = true
        options.isBrief = true
        return PolicyAnalysis(options: options, hasModel: true)
    }

    /// Adds one decision with its outcome, in the order in which outcomes become known.
    public mutating func add(_ row: borrowing JudgedDecision) {
        guard row.propensity >= EvaluationLimit.propensity,
            row.cost.magnitude <= EvaluationLimit.number,
            row.expectedCost.magnitude <= EvaluationLimit.number
        else {
            refused += 1
            return
        }
        load.add(row.load)
        recorded.add(BurstFacts(row, pricePerGB: row.pricePerGB), weight: 1, agreement: 1)
        steady.add(row, row.steady)
        if let opinion = row.shadow {
            if shadow == nil { shadow = LiveEvaluation.analysis() }
            shadow?.add(row, opinion)
        }
        for index in paths.indices {
            let isOffered = row.offered.contains(PathID(index))
            guard isOffered || paths[index] != nil else { continue }
            if paths[index] == nil { paths[index] = LiveEvaluation.analysis() }
            paths[index]?.add(row, path: index)
        }
    }

    // MARK: read

    /// The estimates so far.
    ///
    /// - Parameter confidence: of every interval.
    public func report(confidence: Double = 0.95) -> LiveReport {
        let base = rival(steady, "steady", confidence, among: 1)
        let present = paths.indices.filter { paths[$0] != nil }
        var best: (path: PathID, rival: LiveReport.Rival)?
        for index in present {
            guard let analysis = paths[index] else { continue }
            // The best of several is chosen by its estimate, so the intervals hold for all at once.
            let rival = rival(analysis, "path", confidence, among: present.count)
            guard rival.isUsable, rival.gain.value > (best?.rival.gain.value ?? -.infinity)
            else { continue }
            best = (PathID(index), rival)
        }
        var mean = steady
        mean.finish()
        let interval = mean.recordedInterval(confidence: confidence)
        return LiveReport(
            decisions: steady.count, refused: refused, confidence: confidence,
            cost: LiveReport.Value(
                -mean.sums.recorded.value, -interval.high, -interval.low),
            network: recorded.figures(confidence: confidence),
            shadow: shadow.map { rival($0, "shadow", confidence, among: 1) }, steady: base,
            bestPath: best)
    }

    /// - Parameter candidates: how many are compared at once.
    private func rival(
        _ analysis: PolicyAnalysis, _ label: String, _ confidence: Double, among candidates: Int
    ) -> LiveReport.Rival {
        var analysis = analysis
        analysis.finish()
        analysis.options.confidence = confidence
        analysis.options.candidates = candidates
        var facts = analysis.diagnostics
        facts.isLive = true
        facts.refused = refused
        facts.ownLoad = load.count > 0 ? load.mean : nil
        return LiveReport.Rival(
            PolicyEvaluation(label: label, analysis: analysis, diagnostics: facts))
    }
}

extension BurstFacts {
    /// - Parameter pricePerGB: of the policy's actions, with all copies.
    init(_ row: borrowing JudgedDecision, pricePerGB: Double) {
        self.init(
            isLate: row.isLate, delivery: row.delivery, deadline: row.deadline, bytes: row.bytes,
            price: row.bytes * 1e-9 * pricePerGB)
    }
}

extension PolicyAnalysis {
    /// Adds a decision about which a policy has an opinion.
    fileprivate mutating func add(
        _ row: borrowing JudgedDecision, _ opinion: JudgedDecision.Opinion
    ) {
        var decision = OffPolicyRow(
            weight: opinion.agreement / row.propensity, reward: -row.cost,
            modelled: -row.expectedCost, direct: -opinion.expectedCost, isMatch: opinion.isMatch)
        decision.weightSquare = opinion.weightSquare
        let supported = 1 - opinion.unsupported
        let (delivery, deadline) = (row.delivery, row.deadline)
        var facts = RowFacts(
            row: count + 1, propensity: row.propensity, agreement: opinion.agreement,
            unsupported: opinion.unsupported,
            weightVariance: opinion.weightSquare - supported * supported,
            outcome: delivery ?? deadline, action: Int(row.action.rawValue))
        facts.greatest = opinion.greatest
        facts.burst = BurstFacts(row, pricePerGB: opinion.pricePerGB)
        add(decision, facts)
    }

    /// Adds a decision for a rule that always takes one path; where that is not a candidate, it does
    /// what was done.
    fileprivate mutating func add(_ row: borrowing JudgedDecision, path index: Int) {
        let path = PathSet(PathID(index))
        var opinion = JudgedDecision.Opinion()
        if row.offered.isDisjoint(with: path) {
            opinion.agreement = row.propensity
            opinion.weightSquare = 1
            opinion.greatest = 1
            opinion.isMatch = true
            opinion.expectedCost = row.expectedCost
            opinion.pricePerGB = row.pricePerGB
        } else {
            let chance = row.paths[index].probability
            opinion.agreement = row.action == path ? 1 : 0
            opinion.unsupported = chance > 0 ? 0 : 1
            opinion.weightSquare = chance > 0 ? 1 / chance : 0
            opinion.greatest = 1
            opinion.isMatch = row.action == path
            opinion.expectedCost = row.paths[index].expectedCost
        }
        add(row, opinion)
    }
}
