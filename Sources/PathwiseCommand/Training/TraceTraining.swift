import PathLearning
import PathTelemetry
import PathTrace

/// Trains a model from traces in one pass, and measures it on the end of every session.
///
/// The split is by time: of each session the first decisions train and the last ones measure,
/// because neighbours in time are alike and a random split would measure on what it trained on.
struct TraceTraining {
    /// Share of each session's decisions, from its end, that only measure.
    var holdout = 0.2
    /// Penalties to choose from by cross-validation over blocks of the training part.
    var lambdas: [Double] = [0.1, 1, 10, 100, 1000]
    /// Decisions in a row that go to one fold, at most; fewer where a trace is short.
    var blockLength = 256

    /// How many decisions there were, and why some were not used.
    struct Counts: Equatable {
        var decisions = 0
        /// A rule above the policy left one action.
        var forced = 0
        /// The recording ended before the outcome.
        var withoutOutcome = 0
        /// Sent as copies on several paths, or not at all.
        var notOnePath = 0
        /// A number was not finite.
        var refused = 0
        var trained = 0
        var heldOut = 0
        /// Of the used ones, those not delivered in time; they train at their deadline.
        var late = 0
    }

    /// Root mean squares of errors of log delivery, on decisions that did not train.
    struct Measured: Equatable {
        var decisions: Int
        var model: Double
        /// Of predicting no residual at all.
        var heuristic: Double
    }

    struct Source: Equatable {
        var file: String
        var sha256: String
        var sessions: Int
        var decisions: Int
    }

    struct Result {
        var model: Model
        var counts: Counts
        /// Cross-validated on the training part.
        var metrics: TrainingMetrics
        /// Nil when nothing was held out.
        var measured: Measured?
        var sources: [Source]
    }

    /// - Parameter progress: told how many of all the decisions have been read.
    func train(
        _ files: [String], programVersion: String, progress: (_ done: Int, _ of: Int) -> Void
    ) throws -> Result {
        var readers: [TraceReader] = []
        var infos: [TraceInfo] = []
        let schema = FeatureSchema.current
        for file in files {
            let reader = try TraceReader(path: file)
            guard reader.schema.hash == StableHash.text(schema.hash) else {
                throw TraceError.otherSchema(
                    path: file, found: reader.schema.hash, expected: StableHash.text(schema.hash))
            }
            readers.append(reader)
            infos.append(try reader.info())
        }
        let total = infos.reduce(0) { $0 + $1.decisions }
        let expected = Int(Double(total) * (1 - holdout))
        var pass = try TrainingPass(
            trainer: RidgeTrainer(
                lambdas: lambdas, blockLength: max(1, min(blockLength, expected / 20))))
        var sources: [Source] = []
        for (reader, info) in zip(readers, infos) {
            for session in info.sessions {
                let cut = Int((Double(session.decisions) * (1 - holdout)).rounded())
                var index = 0
                try reader.forEachDecision(of: session.session.id) { decision in
                    pass.add(decision, measures: index >= cut)
                    index += 1
                    if pass.counts.decisions & 0xfff == 0 { progress(pass.counts.decisions, total) }
                }
            }
            sources.append(
                Source(
                    file: info.path, sha256: try FileDigest.sha256(info.path),
                    sessions: info.sessions.count, decisions: info.decisions))
        }
        progress(total, total)
        return try result(of: pass, sources: sources, programVersion: programVersion)
    }

    private func result(
        of pass: TrainingPass, sources: [Source], programVersion: String
    ) throws -> Result {
        let (ridge, metrics) = try pass.trainer.train()
        var counts = pass.counts
        counts.refused = Int(clamping: metrics.refused &+ pass.measured.refused)
        var measured: Measured?
        if pass.measured.count > 0 {
            let weight = pass.measured.totalWeight
            func error(_ weights: [Double], _ intercept: Double) -> Double {
                (pass.measured.squaredError(weights: weights, intercept: intercept) / weight)
                    .squareRoot()
            }
            measured = Measured(
                decisions: Int(clamping: pass.measured.count),
                model: error(ridge.weights, ridge.intercept),
                heuristic: error([Double](repeating: 0, count: FeatureSchema.count), 0))
        }
        var notes = metrics.notes
        notes["traces"] = sources.map { "\($0.sha256) \($0.file)" }.joined(separator: "\n")
        notes["program_version"] = programVersion
        notes["forced_excluded"] = String(counts.forced)
        notes["holdout"] = String(holdout)
        if let measured {
            notes["holdout_decisions"] = String(measured.decisions)
            notes["holdout_rmse"] = String(measured.model)
            notes["holdout_heuristic_rmse"] = String(measured.heuristic)
        }
        return Result(
            model: try Model(residual: ridge, notes: notes), counts: counts, metrics: metrics,
            measured: measured, sources: sources)
    }
}

/// Deals the decisions of a trace to training and measuring.
private struct TrainingPass {
    var trainer: RidgeTrainer
    var measured = RidgeAccumulator(size: FeatureSchema.count)
    var counts = TraceTraining.Counts()
    private let cost = Cost()
    private var row = [Double](repeating: 0, count: FeatureSchema.count + 1)

    init(trainer: RidgeTrainer) { self.trainer = trainer }

    mutating func add(_ decision: borrowing LoggedDecision, measures: Bool) {
        counts.decisions += 1
        let record = decision.record
        guard !record.decision.isForced else {
            counts.forced += 1
            return
        }
        guard let outcome = decision.outcome else {
            counts.withoutOutcome += 1
            return
        }
        guard record.decision.action.count == 1, let path = record.decision.action.first,
            let index = record.candidates.index(of: path)
        else {
            counts.notOnePath += 1
            return
        }
        if outcome.isLate { counts.late += 1 }
        let candidate = record.candidates[index]
        guard measures else {
            counts.trained += 1
            trainer.add(
                features: candidate.features, predictedDelivery: candidate.predictedDelivery,
                outcome: outcome)
            return
        }
        counts.heldOut += 1
        for feature in 0..<FeatureSchema.count { row[feature] = candidate.features[feature] }
        row[FeatureSchema.count] = cost.residual(
            predictedDelivery: candidate.predictedDelivery, outcome: outcome)
        row.withUnsafeBufferPointer { measured.add(row: $0) }
    }
}
