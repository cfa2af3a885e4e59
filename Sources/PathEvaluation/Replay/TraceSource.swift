import PathLearning
import PathTelemetry
import PathTrace

/// The evaluation's only door to traces: decisions in the order of their recording.
struct TraceSource {
    let reader: TraceReader

    /// Calls `body` for every decision, with what became of it where it may be learned from: the
    /// chosen path's features, the prediction for it, the propensity, and the outcome.
    func forEachTraining(
        _ body: (
            _ example: (
                features: UnsafeBufferPointer<Double>, prediction: Double, propensity: Double,
                outcome: Outcome
            )?
        ) -> Void
    ) throws(EvaluationError) {
        do throws(TraceError) {
            var cursor = try reader.batches(columns: [.outcomes, .chosenFeatures])
            var batch = DecisionBatch()
            while try cursor.next(into: &batch) {
                batch.chosenFeatures.withUnsafeBufferPointer { features in
                    for index in 0..<batch.count {
                        guard !batch.isForced[index], batch.chosenCandidates[index] >= 0,
                            batch.propensities[index] > 0, let outcome = batch.outcome(index)
                        else {
                            body(nil)
                            continue
                        }
                        let start = index * FeatureVector.count
                        body(
                            (
                                UnsafeBufferPointer(
                                    rebasing: features[start..<start + FeatureVector.count]),
                                batch.chosenPredictions[index], batch.propensities[index], outcome
                            ))
                    }
                }
            }
        } catch {
            throw .trace(error)
        }
    }

    /// Calls `body` for every decision of a session with all that was recorded of it.
    func forEachDecision(
        of session: SessionID, _ body: (borrowing LoggedDecision) -> Void
    ) throws(EvaluationError) {
        do throws(TraceError) {
            var cursor = try reader.batches(
                of: session, columns: [.outcomes, .candidates, .distributions])
            var batch = DecisionBatch()
            var decision = LoggedDecision.empty
            while try cursor.next(into: &batch) {
                for index in 0..<batch.count {
                    batch.fill(&decision, from: index)
                    body(decision)
                }
            }
        } catch {
            throw .trace(error)
        }
    }

    /// The sessions, each with the names of its paths by number.
    func sessions() throws(EvaluationError) -> [(session: RecordedSession, pathNames: [String])] {
        do throws(TraceError) {
            var found: [(session: RecordedSession, pathNames: [String])] = []
            for session in try reader.sessions() {
                var names = [String](repeating: "", count: PathID.limit)
                for path in try reader.paths(of: session.id) {
                    names[path.info.path.index] = path.info.name
                }
                found.append((session, names))
            }
            return found
        } catch {
            throw .trace(error)
        }
    }

    /// How many decisions the trace has.
    func decisionCount() throws(EvaluationError) -> Int {
        let expected = TraceWriter.Schema.current.hash
        guard reader.schema.hash == expected else {
            throw .trace(
                .otherSchema(path: reader.path, found: reader.schema.hash, expected: expected))
        }
        do throws(TraceError) { return try reader.info().decisions } catch {
            throw .trace(error)
        }
    }
}
