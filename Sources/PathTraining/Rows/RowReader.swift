import PathLearning
import PathTelemetry
import PathTrace

/// Reads decisions of a trace as rows of a regression: the only place that reads traces.
///
/// It holds one batch of decisions, for any size of trace.
struct RowReader {
    /// Facts about a row besides its numbers.
    struct Row {
        /// 0 ..< `SegmentedRidge.segments`, or nil for a decision that is held out.
        var segment: Int?
        var isLate: Bool
        /// Propensity of the chosen action.
        var propensity: Double
    }

    /// The features, the prediction and the row of each candidate of a decision.
    struct Candidates {
        /// `FeatureSchema.count` numbers per candidate.
        let features: UnsafeBufferPointer<Double>
        /// Predicted delivery times, seconds.
        let predictions: UnsafeBufferPointer<Double>
        var count: Int { predictions.count }
        /// Position of the chosen one; nil if several paths were used at once.
        let chosen: Int?
    }

    let options: TrainingOptions
    private let cost = Cost()

    init(_ options: TrainingOptions) { self.options = options }

    /// Calls `body` with every usable decision: 24 features and the residual, and its facts.
    ///
    /// - Parameter seen: called after each batch with the number of decisions read; returning true
    ///   stops.
    func forEachChosen(
        _ source: borrowing TraceSource, counts: inout TrainingCounts,
        seen: (Int) -> Bool = { _ in false },
        _ body: (UnsafeBufferPointer<Double>, Row) -> Void
    ) throws(TrainingError) {
        var row = [Double](repeating: 0, count: FeatureSchema.count + 1)
        try forEachBatch(source, [.outcomes, .chosenFeatures], seen) { batch, first, total in
            let features = batch.chosenFeatures
            let predictions = batch.chosenPredictions
            features.withUnsafeBufferPointer { features in
                for index in 0..<batch.count {
                    guard
                        let segment = usable(
                            batch, index, first: first, total: total, needsPath: true, &counts)
                    else { continue }
                    let start = index &* FeatureSchema.count
                    for feature in 0..<FeatureSchema.count {
                        row[feature] = features[start &+ feature]
                    }
                    row[FeatureSchema.count] = residual(batch, index, predictions[index])
                    let info = Row(
                        segment: segment.training, isLate: batch.isLate[index],
                        propensity: batch.propensities[index])
                    row.withUnsafeBufferPointer { body($0, info) }
                }
            }
        }
    }

    /// Calls `body` with all candidates of every usable decision, and the chosen one's residual.
    func forEachDecision(
        _ source: borrowing TraceSource, seen: (Int) -> Bool = { _ in false },
        _ body: (Candidates, _ residual: Double, Row) -> Void
    ) throws(TrainingError) {
        var counts = TrainingCounts()
        let columns: DecisionColumns = [.outcomes, .chosenFeatures, .candidateFeatures]
        try forEachBatch(source, columns, seen) { batch, first, total in
            let features = batch.candidateFeatures
            let predictions = batch.candidatePredictions
            features.withUnsafeBufferPointer { features in
                predictions.withUnsafeBufferPointer { predictions in
                    for index in 0..<batch.count {
                        guard
                            let segment = usable(
                                batch, index, first: first, total: total, needsPath: false,
                                &counts)
                        else { continue }
                        let begin = Int(batch.candidateStarts[index])
                        let end = Int(batch.candidateStarts[index + 1])
                        let chosen = Int(batch.chosenCandidates[index])
                        let width = FeatureSchema.count
                        let candidates = Candidates(
                            features: UnsafeBufferPointer(
                                rebasing: features[(begin * width)..<(end * width)]),
                            predictions: UnsafeBufferPointer(rebasing: predictions[begin..<end]),
                            chosen: chosen >= 0 ? chosen - begin : nil)
                        let residual =
                            chosen >= 0
                            ? residual(batch, index, batch.chosenPredictions[index]) : 0
                        body(
                            candidates, residual,
                            Row(
                                segment: segment.training, isLate: batch.isLate[index],
                                propensity: batch.propensities[index]))
                    }
                }
            }
        }
    }

    /// The weight of a decision in a fit.
    func weight(_ row: Row) -> Double {
        options.weighting == .uniform ? 1 : inversePropensity(row)
    }

    /// One over the probability, at most the limit of the options.
    func inversePropensity(_ row: Row) -> Double {
        row.propensity * options.weightLimit > 1 ? 1 / row.propensity : options.weightLimit
    }

    // MARK: Helpers

    private func forEachBatch(
        _ source: borrowing TraceSource, _ columns: DecisionColumns, _ seen: (Int) -> Bool,
        _ body: (borrowing DecisionBatch, _ first: Int, _ total: Int) -> Void
    ) throws(TrainingError) {
        var batch = DecisionBatch()
        var read = 0
        for session in source.info.sessions {
            var first = 0
            do throws(TraceError) {
                var cursor = try source.reader.batches(
                    of: session.session.id, columns: columns)
                while try cursor.next(into: &batch) {
                    body(batch, first, session.decisions)
                    first += batch.count
                    read += batch.count
                    if seen(read) { break }
                }
            } catch {
                throw .trace(error)
            }
            if seen(read) { throw .interrupted }
        }
    }

    /// Returns the facts of a usable decision, or nil; counts the decision either way.
    @inline(__always)
    private func usable(
        _ batch: borrowing DecisionBatch, _ index: Int, first: Int, total: Int, needsPath: Bool,
        _ counts: inout TrainingCounts
    ) -> (training: Int?, ())? {
        counts.decisions &+= 1
        guard !batch.isForced[index] else {
            counts.forced &+= 1
            return nil
        }
        guard batch.hasOutcome[index] else {
            counts.withoutOutcome &+= 1
            return nil
        }
        guard !needsPath || batch.chosenCandidates[index] >= 0 else {
            counts.notOnePath &+= 1
            return nil
        }
        if batch.isLate[index] { counts.late &+= 1 }
        let cut = Int((Double(total) * (1 - options.holdout)).rounded())
        let place = first + index
        guard place < cut else {
            counts.heldOut &+= 1
            return (nil, ())
        }
        counts.trained &+= 1
        return (place * SegmentedRidge.segments / max(1, cut), ())
    }

    @inline(__always)
    private func residual(
        _ batch: borrowing DecisionBatch, _ index: Int, _ prediction: Double
    ) -> Double {
        let delivery = batch.deliveries[index]
        return cost.residual(
            predictedDelivery: prediction,
            outcome: Outcome(
                decision: 0, delivery: delivery.isNaN ? nil : delivery,
                isLate: batch.isLate[index], deadline: batch.deadlines[index], packets: 0,
                lostPackets: 0, closedAt: .zero))
    }
}
