public import PathLearning
public import PathTelemetry

/// Some hundred decisions of one session in the order of their recording, a column an array.
///
/// Made once and read into again and again: its arrays grow to the largest batch and are then
/// reused. Columns that were not asked for are empty.
public struct DecisionBatch: Sendable {
    public internal(set) var session = SessionID(rawValue: 0)
    /// Decisions in the batch: the length of every column that has a row a decision.
    public internal(set) var count = 0

    // MARK: A row a decision, always read

    /// The decision's number within the session, ascending.
    public internal(set) var numbers: [UInt64] = []
    public internal(set) var times: [Instant] = []
    public internal(set) var bursts: [BurstContext] = []
    /// The action that was taken, and the probability with which it was.
    public internal(set) var actions: [PathSet] = []
    public internal(set) var propensities: [Double] = []
    /// True for decisions that are neither learned from nor evaluated.
    public internal(set) var isForced: [Bool] = []
    /// The uniform number that picked the action.
    var draws: [Double] = []
    /// The chosen candidate's row in the columns of candidates, from the batch's first candidate;
    /// -1 where the action is not one path that was offered.
    public internal(set) var chosenCandidates: [Int32] = []
    /// The first candidate of each decision in the columns of candidates, and the end of the last:
    /// `count + 1` values.
    public internal(set) var candidateStarts: [Int32] = [0]

    // MARK: A row a decision, with `.outcomes`

    /// Whether the outcome was recorded; the other columns of outcomes hold nothing without it.
    public internal(set) var hasOutcome: [Bool] = []
    public internal(set) var isLate: [Bool] = []
    /// Seconds from decision to delivery; NaN when the deadline passed first.
    public internal(set) var deliveries: [Double] = []
    /// The deadline it was held to, seconds.
    public internal(set) var deadlines: [Double] = []
    public internal(set) var packets: [Int] = []
    public internal(set) var lostPackets: [Int] = []
    var closedTimes: [Instant] = []
    /// What the burst took by path; empty where it was not recorded.
    public internal(set) var outcomeBytes: [PathBytes] = []

    // MARK: A row a decision, with `.chosenFeatures`

    /// `FeatureVector.count` numbers a decision: the features of the chosen candidate; zeros
    /// where `chosenCandidates` is -1.
    public internal(set) var chosenFeatures: [Double] = []
    /// The heuristic's prediction for the chosen candidate, seconds; NaN where there is none.
    public internal(set) var chosenPredictions: [Double] = []

    // MARK: A row a candidate

    /// The path of each candidate, with `.candidateFeatures` or `.candidates`.
    var candidatePaths: [PathID] = []
    /// `FeatureVector.count` numbers a candidate, with `.candidateFeatures`.
    public internal(set) var candidateFeatures: [Double] = []
    /// The heuristic's prediction for each candidate, seconds, with `.candidateFeatures`.
    public internal(set) var candidatePredictions: [Double] = []
    /// Each candidate as the policy saw it, with `.candidates`.
    public internal(set) var candidates: [Candidate] = []

    // MARK: A row an action, with `.distributions`

    /// The first action of each decision in the two columns below, and the end of the last:
    /// `count + 1` values.
    public internal(set) var actionStarts: [Int32] = [0]
    public internal(set) var offeredActions: [PathSet] = []
    public internal(set) var probabilities: [Double] = []
    /// The position of the action taken among the decision's actions, a row a decision.
    var chosenActions: [UInt8] = []

    public init() {}

    /// The candidates of the decision at a position below `count`, for a policy to decide on.
    ///
    /// Needs `.candidates`.
    public func fillCandidates(of index: Int, into set: inout CandidateSet) {
        set.removeAll()
        for row in Int(candidateStarts[index])..<Int(candidateStarts[index + 1]) {
            set.append(candidates[row])
        }
    }

    /// The distribution that the decision at a position below `count` was drawn from.
    ///
    /// Needs `.distributions`.
    public func fillDistribution(of index: Int, into distribution: inout ActionDistribution) {
        distribution.removeAll()
        for row in Int(actionStarts[index])..<Int(actionStarts[index + 1]) {
            distribution.append(offeredActions[row], probabilities[row])
        }
    }

    /// The outcome of the decision at a position below `count`, nil when none was recorded.
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
