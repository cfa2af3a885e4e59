import PathLearning
import PathTelemetry

/// The decisions of a trace with their outcomes, some hundred at a time, by session and in the
/// order of their recording.
///
/// Holds one batch, whatever the size of the trace.
public struct DecisionBatchCursor: ~Copyable {
    private static let limit = 256

    private var cursor: DecisionCursor
    private let columns: DecisionColumns
    private var decision = LoggedDecision.empty
    private var isPending = false
    private var isAtEnd = false

    init(
        reader: TraceReader, session: SessionID?, columns: DecisionColumns
    ) throws(TraceError) {
        cursor = try DecisionCursor(reader: reader, session: session)
        self.columns = columns
    }

    /// Reads the next batch over the previous one.
    ///
    /// - Returns: false at the end; the batch is then empty.
    /// - Throws: `TraceError.damaged` with the session and number of a row that makes no sense.
    public mutating func next(into batch: inout DecisionBatch) throws(TraceError) -> Bool {
        if !isPending, !isAtEnd { isPending = try cursor.next(into: &decision) }
        batch.removeAll(session: decision.session)
        while isPending, decision.session == batch.session,
            batch.count < DecisionBatchCursor.limit
        {
            batch.append(decision, columns)
            isPending = try cursor.next(into: &decision)
        }
        isAtEnd = !isPending
        return batch.count > 0
    }
}

extension TraceReader {
    /// The decisions of one session, or of all, in batches of columns.
    public func batches(
        of session: SessionID? = nil, columns: DecisionColumns
    ) throws(TraceError) -> DecisionBatchCursor {
        try DecisionBatchCursor(reader: self, session: session, columns: columns)
    }
}

extension DecisionBatch {
    mutating func append(_ decision: borrowing LoggedDecision, _ columns: DecisionColumns) {
        let record = decision.record
        let taken = record.decision
        let first = Int(candidateStarts.last ?? 0)
        count += 1
        numbers.append(record.number)
        times.append(record.time)
        bursts.append(record.burst)
        actions.append(taken.action)
        propensities.append(taken.propensity)
        isForced.append(taken.isForced)
        draws.append(record.draw)
        var chosen: Int?
        if taken.action.count == 1, let path = taken.action.first {
            chosen = record.candidates.index(of: path)
        }
        chosenCandidates.append(chosen.map { Int32(first + $0) } ?? -1)
        candidateStarts.append(Int32(first + record.candidates.count))
        if columns.contains(.outcomes) { append(decision.outcome) }
        if columns.contains(.chosenFeatures) {
            for feature in 0..<FeatureVector.count {
                chosenFeatures.append(
                    chosen.map { record.candidates[$0].features[feature] } ?? 0)
            }
            chosenPredictions.append(
                chosen.map { record.candidates[$0].predictedDelivery } ?? .nan)
        }
        for index in 0..<record.candidates.count {
            let candidate = record.candidates[index]
            if !columns.isDisjoint(with: [.candidateFeatures, .candidates]) {
                candidatePaths.append(candidate.path)
            }
            if columns.contains(.candidateFeatures) {
                for feature in 0..<FeatureVector.count {
                    candidateFeatures.append(candidate.features[feature])
                }
                candidatePredictions.append(candidate.predictedDelivery)
            }
            if columns.contains(.candidates) { candidates.append(candidate) }
        }
        guard columns.contains(.distributions) else { return }
        for index in 0..<taken.distribution.count {
            offeredActions.append(taken.distribution.action(index))
            probabilities.append(taken.distribution[index])
        }
        actionStarts.append(Int32(offeredActions.count))
        chosenActions.append(UInt8(truncatingIfNeeded: taken.chosen))
    }

    private mutating func append(_ outcome: Outcome?) {
        hasOutcome.append(outcome != nil)
        isLate.append(outcome?.isLate ?? false)
        deliveries.append(outcome?.delivery ?? .nan)
        deadlines.append(outcome?.deadline ?? .nan)
        packets.append(outcome?.packets ?? 0)
        lostPackets.append(outcome?.lostPackets ?? 0)
        closedTimes.append(outcome?.closedAt ?? .zero)
    }
}
