public import PathLearning
public import PathTelemetry

/// Some hundred decisions of one session in the order of recording, with one array per column.
///
/// It is made once and filled repeatedly: its arrays grow to the largest batch and are then reused.
/// Columns that were not requested are empty.
public struct DecisionBatch: Sendable {
    public internal(set) var session = SessionID(rawValue: 0)
    /// Number of decisions in the batch, and length of every column with one row per decision.
    public internal(set) var count = 0

    // MARK: One row per decision, always read

    /// The decision's number within the session, ascending.
    public internal(set) var numbers: [UInt64] = []
    public internal(set) var times: [Instant] = []
    public internal(set) var bursts: [BurstContext] = []
    /// The chosen action and its probability.
    public internal(set) var actions: [PathSet] = []
    public internal(set) var propensities: [Double] = []
    /// True for decisions that are used neither for learning nor for evaluation.
    public internal(set) var isForced: [Bool] = []
    /// The uniform random number that selected the action.
    var draws: [Double] = []
    /// The chosen candidate's row in the candidate columns; -1 if the action is not a single
    /// offered path.
    public internal(set) var chosenCandidates: [Int32] = []
    /// The first row of each decision in the candidate columns, and the end of the last: `count +
    /// 1` values.
    public internal(set) var candidateStarts: [Int32] = [0]

    // MARK: One row per decision, with `.outcomes`

    /// Whether the outcome was recorded; otherwise the other outcome columns have no meaning.
    public internal(set) var hasOutcome: [Bool] = []
    public internal(set) var isLate: [Bool] = []
    /// Seconds from decision to delivery; NaN when the deadline passed first.
    public internal(set) var deliveries: [Double] = []
    /// The deadline that applied, seconds.
    public internal(set) var deadlines: [Double] = []
    public internal(set) var packets: [Int] = []
    public internal(set) var lostPackets: [Int] = []
    var closedTimes: [Instant] = []
    /// The bytes that the burst sent on each path; empty if not recorded.
    public internal(set) var outcomeBytes: [PathBytes] = []

    // MARK: One row per decision, with `.chosenFeatures`

    /// The features of the chosen candidate, `FeatureVector.count` numbers per decision; zeros
    /// where `chosenCandidates` is -1.
    public internal(set) var chosenFeatures: [Double] = []
    /// The heuristic's prediction for the chosen candidate, seconds; NaN if none exists.
    public internal(set) var chosenPredictions: [Double] = []

    // MARK: One row per candidate

    /// The path of each candidate, with `.candidateFeatures` or `.candidates`.
    var candidatePaths: [PathID] = []
    /// `FeatureVector.count` numbers per candidate, with `.candidateFeatures`.
    public internal(set) var candidateFeatures: [Double] = []
    /// The heuristic's prediction for each candidate, seconds, with `.candidateFeatures`.
    public internal(set) var candidatePredictions: [Double] = []
    /// Each candidate as the policy saw it, with `.candidates`.
    public internal(set) var candidates: [Candidate] = []

    // MARK: One row per action, with `.distributions`

    /// The first row of each decision in the two columns below, and the end of the last: `count +
    /// 1` values.
    public internal(set) var actionStarts: [Int32] = [0]
    public internal(set) var offeredActions: [PathSet] = []
    public internal(set) var probabilities: [Double] = []
    /// The position of the chosen action among the decision's actions, one row per decision.
    var chosenActions: [UInt8] = []

    public init() {}

    /// Copies the candidates of the decision at a position below `count`, for a policy.
    ///
    /// Needs `.candidates`.
    public func fillCandidates(of index: Int, into set: inout CandidateSet) {
        set.removeAll()
        for row in Int(candidateStarts[index])..<Int(candidateStarts[index + 1]) {
            set.append(candidates[row])
        }
    }

    /// Copies the distribution from which the decision at a position below `count` was drawn.
    ///
    /// Needs `.distributions`.
    public func fillDistribution(of index: Int, into distribution: inout ActionDistribution) {
        distribution.removeAll()
        for row in Int(actionStarts[index])..<Int(actionStarts[index + 1]) {
            distribution.append(offeredActions[row], probabilities[row])
        }
    }

    /// The outcome of the decision at a position below `count`, nil if none was recorded.
    ///
    /// Needs `.outcomes`.
    public func outcome(_ index: Int) -> Outcome? {
        guard hasOutcome[index] else { return nil }
        let delivery = deliveries[index]
        return Outcome(
            decision: numbers[index], delivery: delivery.isNaN ? nil : delivery,
            isLate: isLate[index], deadline: deadlines[index], packets: packets[index],
            lostPackets: lostPackets[index], bytes: outcomeBytes[index],
            closedAt: closedTimes[index])
    }

    /// Copies the decision at a position below `count`; needs all columns.
    public func fill(_ decision: inout LoggedDecision, from index: Int) {
        decision.session = session
        decision.record.number = numbers[index]
        decision.record.time = times[index]
        decision.record.burst = bursts[index]
        decision.record.draw = draws[index]
        fillCandidates(of: index, into: &decision.record.candidates)
        fillDistribution(of: index, into: &decision.record.decision.distribution)
        decision.record.decision.chosen = Int(chosenActions[index])
        decision.record.decision.isForced = isForced[index]
        decision.outcome = outcome(index)
    }
}
