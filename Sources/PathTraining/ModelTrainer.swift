public import PathLearning
import PathTelemetry
import PathTrace

/// A trained model, its data, and its fit.
public struct TrainingResult: Sendable {
    public var model: Model
    public var counts: TrainingCounts
    public var sources: [TrainingSource]
    /// The linear residual; nil if it was not requested.
    public var residual: SegmentedFit?
    /// Its held-out error after training on only the first segments.
    public var curve: [CurvePoint]
    public var importances: [FeatureImportance]
    public var late: LateReport?
    public var neural: NeuralReport?
    /// The value of the residual's greedy policy; measured for policy objectives.
    public var value: PolicyValue?
    public var options: TrainingOptions
}

/// Trains models from recorded traces, with one batch of decisions in memory at a time.
///
/// The split is by time: the first decisions of each session train, and the last ones are held out.
/// The order of the traces does not matter: the same decisions and options give the same bytes.
public struct ModelTrainer: Sendable {
    public let options: TrainingOptions

    public init(_ options: TrainingOptions = TrainingOptions()) throws(TrainingError) {
        try options.check()
        self.options = options
    }

    /// Called with the current step and its progress; returning false stops the training.
    public typealias Progress = (_ step: String, _ done: Int, _ of: Int) -> Bool

    /// Trains from traces.
    ///
    /// - Parameters:
    ///   - notes: further notes in the model file.
    ///   - progress: called after every batch of decisions.
    public func train(
        _ files: [String], notes: [String: String] = [:],
        progress: @escaping Progress = { _, _, _ in true }
    ) throws(TrainingError) -> TrainingResult {
        let run = try TrainingRun(options, files, progress)
        return try run.result(notes)
    }

    /// Computes the sufficient statistics of traces, for a ridge regression elsewhere.
    ///
    /// - Throws: `TrainingError.options` for options that cannot be trained from sums.
    public func statistics(
        _ files: [String], progress: @escaping Progress = { _, _, _ in true }
    ) throws(TrainingError) -> TrainingStatistics {
        try checkSums()
        return try TrainingRun(options, files, progress).statistics()
    }

    /// Trains from statistics, with their holdout, weighting and objective.
    public func train(
        _ statistics: TrainingStatistics, notes: [String: String] = [:]
    ) throws(TrainingError) -> TrainingResult {
        var options = options
        statistics.apply(to: &options)
        guard options.kinds == [.ridge], options.objective != .doublyRobust else {
            throw .options("statistics train the kind ridge alone")
        }
        var result = try ModelTrainer.residual(statistics, options)
        result.model = try ModelTrainer.model(result, nil, nil, notes)
        return result
    }

    private func checkSums() throws(TrainingError) {
        guard options.kinds == [.ridge] else {
            throw .options(
                "statistics hold what the kind ridge needs; late and neural-linear need the traces")
        }
        guard options.objective != .doublyRobust else {
            throw .options("the objective dr needs the traces twice; statistics cannot hold it")
        }
    }

    /// Solves the ridge regression of some statistics, without making a model yet.
    static func residual(
        _ statistics: TrainingStatistics, _ options: TrainingOptions
    ) throws(TrainingError) -> TrainingResult {
        let (ridge, counts) = try statistics.merged()
        do throws(LearningError) {
            let fit = try ridge.fit(lambdas: options.lambdas)
            let linear: RidgeModel
            do throws(ModelProblem) {
                linear = try RidgeModel(head: fit.head)
            } catch {
                throw LearningError.training("\(error)")
            }
            let model = try Model(residual: linear, notes: [:])
            return TrainingResult(
                model: model, counts: counts, sources: statistics.parts.map(\.source),
                residual: fit, curve: try ridge.curve(lambda: fit.head.lambda),
                importances: try ridge.importances(lambda: fit.head.lambda), late: nil,
                neural: nil, value: nil, options: options)
        } catch {
            throw .learning(error)
        }
    }

    /// Makes the model of a result's heads with its notes.
    static func model(
        _ result: TrainingResult, _ late: LogisticModel?, _ neural: NeuralLinearModel?,
        _ notes: [String: String]
    ) throws(TrainingError) -> Model {
        do throws(LearningError) {
            let residual = result.options.kinds.contains(.ridge) ? result.model.residual : nil
            return try Model(
                residual: residual, late: late, neural: neural,
                notes: result.notes.merging(notes) { $1 })
        } catch {
            throw .learning(error)
        }
    }
}

/// One training run: the traces and the results of the first pass.
private struct TrainingRun {
    let options: TrainingOptions
    let reader: RowReader
    private let progress: ModelTrainer.Progress
    private let total: Int
    /// The traces in the order of their fingerprints.
    private var traces: [(source: TraceSource, part: TrainingStatistics.Part)] = []
    private var sample: RowSample

    init(
        _ options: TrainingOptions, _ files: [String], _ progress: @escaping ModelTrainer.Progress
    ) throws(TrainingError) {
        self.options = options
        self.progress = progress
        reader = RowReader(options)
        var sources: [TraceSource] = []
        do throws(TraceError) {
            for file in files { sources.append(try TraceSource(file)) }
            try TraceReader.refuseRepetitions(sources.map(\.reader))
        } catch {
            throw .trace(error)
        }
        let total = sources.reduce(0) { $0 + $1.info.decisions }
        self.total = total
        let needsSample = options.kinds != [.ridge]
        let stride = max(1, (total + options.sampleLimit - 1) / options.sampleLimit)
        sample = RowSample(stride: stride)
        var samples: [UInt64: RowSample] = [:]
        var before = 0
        for source in sources {
            var part = RowSample(stride: stride)
            var counts = TrainingCounts()
            var ridge = SegmentedRidge(size: FeatureSchema.count)
            var fingerprint = RowFingerprint()
            let reader = self.reader
            try reader.forEachChosen(
                source, counts: &counts,
                seen: { !progress("reading", before + $0, total) }
            ) { row, info in
                ridge.add(row, segment: info.segment, weight: reader.weight(info))
                fingerprint.add(row, info.propensity)
                if needsSample { part.offer(row, info) }
            }
            do throws(LearningError) {
                ridge = try TrainingStatistics.stored(ridge)
            } catch {
                throw .learning(error)
            }
            before += source.info.decisions
            traces.append(
                (
                    source,
                    TrainingStatistics.Part(
                        source: TrainingSource(
                            name: source.name, fingerprint: fingerprint.value,
                            sessions: source.info.sessions.count,
                            decisions: source.info.decisions, policies: source.info.policies,
                            seconds: source.info.sessions.reduce(0) { $0 + $1.duration },
                            sessionFingerprints: source.sessionFingerprints),
                        counts: counts, ridge: ridge)
                ))
            samples[fingerprint.value] = part
        }
        traces.sort {
            ($0.part.source.fingerprint, $0.source.name)
                < ($1.part.source.fingerprint, $1.source.name)
        }
        for trace in traces {
            if let part = samples.removeValue(forKey: trace.part.source.fingerprint) {
                sample.append(part)
            }
        }
    }

    /// The sums for the objective.
    func statistics() throws(TrainingError) -> TrainingStatistics {
        let regression = try TrainingStatistics(parts: traces.map(\.part), options: options)
        guard options.objective != .regression else { return regression }
        var guesses: [RidgeSolution]?
        if options.objective == .doublyRobust {
            let (ridge, _) = try regression.merged()
            do throws(LearningError) {
                let lambda = try ridge.fit(lambdas: options.lambdas).head.lambda
                var solutions: [RidgeSolution] = []
                for segment in 0..<SegmentedRidge.segments {
                    solutions.append(
                        try ridge.training(without: segment).solve(lambda: lambda))
                }
                guesses = solutions
            } catch {
                throw .learning(error)
            }
        }
        let learning = PolicyLearning(reader: reader, guesses: guesses)
        var parts: [TrainingStatistics.Part] = []
        var before = 0
        for trace in traces {
            var ridge = SegmentedRidge(size: FeatureSchema.count)
            let done = before
            try learning.add(
                trace.source, to: &ridge,
                seen: { !progress("learning a policy", done + $0, total) })
            before += trace.source.info.decisions
            var part = trace.part
            do throws(LearningError) {
                // Held-out decisions are measured on the chosen candidates, as for a regression.
                part.ridge = try SegmentedRidge(
                    parts: Array(ridge.parts.dropLast()) + [trace.part.ridge.heldOut])
            } catch {
                throw .learning(error)
            }
            parts.append(part)
        }
        return try TrainingStatistics(parts: parts, options: options)
    }

    func result(_ notes: [String: String]) throws(TrainingError) -> TrainingResult {
        var result = try ModelTrainer.residual(statistics(), options)
        let head = result.residual?.head
        var late: LogisticModel?
        var neural: NeuralLinearModel?
        if options.kinds.contains(.late) {
            let trained = try LateTrainer(
                options: options, reader: reader, sample: sample, all: rows("late")
            ).train()
            late = trained.model
            result.late = trained.report
        }
        if options.kinds.contains(.neuralLinear) {
            let trained = try NeuralTrainer(
                options: options, reader: reader, sample: sample, all: rows("neural-linear")
            ).train()
            neural = trained.model
            result.neural = trained.report
        }
        if options.objective != .regression, let head { result.value = try value(of: head) }
        if !options.kinds.contains(.ridge) {
            result.residual = nil
            result.curve = []
            result.importances = []
        }
        result.model = try ModelTrainer.model(result, late, neural, notes)
        return result
    }

    /// All rows in order, from memory if complete, else from the traces again.
    private func rows(_ step: String) -> LateTrainer.Rows {
        { body throws(TrainingError) in
            if sample.isComplete {
                sample.forEach(body)
                return
            }
            var before = 0
            for trace in traces {
                var counts = TrainingCounts()
                let done = before
                try reader.forEachChosen(
                    trace.source, counts: &counts,
                    seen: { !progress(step, done + $0, total) }, body)
                before += trace.source.info.decisions
            }
        }
    }

    private func value(of head: LinearHead) throws(TrainingError) -> PolicyValue? {
        let (ridge, _) = try TrainingStatistics(parts: traces.map(\.part), options: options)
            .merged()
        let guess: LinearHead
        do throws(LearningError) {
            guess = try ridge.fit(lambdas: options.lambdas).head
        } catch {
            throw .learning(error)
        }
        var measurement = PolicyMeasurement(policy: head, guess: guess)
        var before = 0
        for trace in traces {
            let done = before
            try reader.forEachDecision(
                trace.source, seen: { !progress("measuring the policy", done + $0, total) }
            ) { candidates, residual, info in
                guard info.segment == nil else { return }
                measurement.add(
                    candidates, residual: residual, importance: reader.inversePropensity(info))
            }
            before += trace.source.info.decisions
        }
        return measurement.result
    }
}
