import DenseMath
public import PathLearning
import PathTelemetry

/// The sufficient statistics of traces for a ridge regression.
///
/// Sums are kept per trace and merged in the order of the fingerprints, so training on the merged
/// files of many machines gives the same bytes as training on all traces in one place.
public struct TrainingStatistics: Sendable {
    /// The statistics of one trace.
    public struct Part: Sendable {
        public var source: TrainingSource
        public var counts: TrainingCounts
        public var ridge: SegmentedRidge
    }

    private static let version = "1"
    private static let partLimit = 1000
    private static let columns = FeatureSchema.count + 1

    /// The parts in ascending order of fingerprints.
    public private(set) var parts: [Part]
    /// The options that shaped the sums; only sums with equal settings can be merged.
    let settings: [String: String]

    init(parts: [Part], options: TrainingOptions) throws(TrainingError) {
        try self.init(parts: parts, settings: TrainingStatistics.settings(options))
    }

    private init(parts: [Part], settings: [String: String]) throws(TrainingError) {
        self.parts = parts.sorted {
            ($0.source.fingerprint, $0.source.name) < ($1.source.fingerprint, $1.source.name)
        }
        self.settings = settings
        for (one, other) in zip(self.parts, self.parts.dropFirst())
        where one.source.fingerprint == other.source.fingerprint
            && one.counts.trained + one.counts.heldOut > 0
        {
            throw .twice(one.source.name, other.source.name)
        }
        var seen: [UInt64: String] = [:]
        for source in self.parts.map(\.source) {
            for session in source.sessionFingerprints {
                if let first = seen.updateValue(source.name, forKey: session) {
                    throw .twice(first, source.name)
                }
            }
        }
        guard self.parts.count <= TrainingStatistics.partLimit else {
            throw .options("at most \(TrainingStatistics.partLimit) traces train together")
        }
    }

    static func settings(_ options: TrainingOptions) -> [String: String] {
        var settings = [
            "holdout": String(options.holdout), "weighting": options.weighting.rawValue,
            "objective": options.objective.rawValue,
        ]
        if options.weighting != .uniform || options.objective != .regression {
            settings["weight_limit"] = String(options.weightLimit)
        }
        return settings
    }

    /// Merges the statistics of several files.
    ///
    /// - Throws: `TrainingError.options` if their settings differ, `.twice` if two contain the same
    ///   decisions.
    public static func merge(
        _ all: [TrainingStatistics]
    ) throws(TrainingError) -> TrainingStatistics {
        guard let first = all.first else { throw .options("there are no statistics to merge") }
        for other in all where other.settings != first.settings {
            throw .options(
                "statistics with \(text(other.settings)) do not merge with \(text(first.settings))"
            )
        }
        return try TrainingStatistics(parts: all.flatMap(\.parts), settings: first.settings)
    }

    private static func text(_ settings: [String: String]) -> String {
        settings.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    }

    /// The sums of all traces.
    func merged() throws(TrainingError) -> (ridge: SegmentedRidge, counts: TrainingCounts) {
        var ridge = SegmentedRidge(size: FeatureSchema.count)
        var counts = TrainingCounts()
        do throws(LearningError) {
            for part in parts {
                // The sums pass through the file's representation, so the bits are the same with
                // and without a file.
                try ridge.merge(try TrainingStatistics.stored(part.ridge))
                counts = counts + part.counts
            }
        } catch {
            throw .learning(error)
        }
        counts.refused = Int(clamping: ridge.refused)
        return (ridge, counts)
    }

    /// The sums in the form that a file stores.
    static func stored(_ ridge: SegmentedRidge) throws(LearningError) -> SegmentedRidge {
        var parts: [RidgeAccumulator] = []
        for part in ridge.parts {
            parts.append(try RidgeAccumulator(part.state, refused: part.refused))
        }
        return try SegmentedRidge(parts: parts)
    }

    // MARK: File

    /// Writes a safetensors file.
    ///
    /// - Throws: `TrainingError.learning` if it cannot be written.
    public func save(_ path: String) throws(TrainingError) {
        let segments = SegmentedRidge.segments + 1
        let columns = TrainingStatistics.columns
        var metadata = settings
        metadata["format"] = "pathwise"
        metadata["kind"] = "statistics"
        metadata["version"] = TrainingStatistics.version
        metadata["schema"] = StableHash.text(FeatureSchema.current.hash)
        var (sums, means, scatters, counts) = ([Double](), [Double](), [Double](), [Double]())
        for (index, part) in parts.enumerated() {
            for accumulator in part.ridge.parts {
                let state = accumulator.state
                sums += [state.weight, Double(state.count), Double(accumulator.refused)]
                means += state.means
                scatters += state.scatter.elements
            }
            let c = part.counts
            counts += [
                c.decisions, c.forced, c.withoutOutcome, c.notOnePath, c.refused, c.trained,
                c.heldOut, c.late, part.source.sessions, part.source.decisions,
            ].map(Double.init)
            counts.append(part.source.seconds)
            metadata["trace.\(index)"] =
                ([StableHash.text(part.source.fingerprint), part.source.name]
                + part.source.policies).joined(separator: "\n")
            metadata["sessions.\(index)"] = part.source.sessionFingerprints.map(StableHash.text)
                .joined(separator: "\n")
        }
        let file = Safetensors(
            metadata: metadata,
            tensors: [
                Tensor(name: "counts", shape: [parts.count, 11], values: counts),
                Tensor(name: "sums", shape: [parts.count, segments, 3], values: sums),
                Tensor(name: "means", shape: [parts.count, segments, columns], values: means),
                Tensor(
                    name: "scatter", shape: [parts.count, segments, columns, columns],
                    values: scatters),
            ])
        do throws(LearningError) {
            try file.save(path)
        } catch {
            throw .learning(error)
        }
    }

    /// Reads a file that `save` wrote; refuses other files with the reason.
    public static func load(_ path: String) throws(TrainingError) -> TrainingStatistics {
        do throws(LearningError) {
            let file = try Safetensors.load(path)
            return try read(file, path)
        } catch {
            throw .learning(error)
        }
    }

    /// Applies the settings to options, for the notes of a model.
    func apply(to options: inout TrainingOptions) {
        if let holdout = settings["holdout"].flatMap(Double.init) { options.holdout = holdout }
        if let word = settings["weighting"],
            let weighting = TrainingOptions.Weighting(rawValue: word)
        {
            options.weighting = weighting
        }
        if let word = settings["objective"],
            let objective = TrainingOptions.Objective(rawValue: word)
        {
            options.objective = objective
        }
        if let limit = settings["weight_limit"].flatMap(Double.init) { options.weightLimit = limit }
    }

    private static func read(
        _ file: Safetensors, _ path: String
    ) throws(LearningError) -> TrainingStatistics {
        func refusal(_ reason: String) -> LearningError {
            .model(file: path, problem: .notAModel(reason))
        }
        let metadata = file.metadata
        guard metadata["format"] == "pathwise", metadata["kind"] == "statistics" else {
            throw refusal("it holds no training statistics; make them with --statistics")
        }
        guard metadata["version"] == version else {
            throw refusal("statistics of version \(metadata["version"] ?? "none")")
        }
        let schema = StableHash.text(FeatureSchema.current.hash)
        guard metadata["schema"] == schema else {
            throw .model(
                file: path,
                problem: .wrongSchema(expected: schema, actual: metadata["schema"] ?? "none"))
        }
        let segments = SegmentedRidge.segments + 1
        guard let counts = file["counts"], let sums = file["sums"], let means = file["means"],
            let scatter = file["scatter"], let parts = counts.shape.first, parts <= partLimit,
            counts.shape == [parts, 11], sums.shape == [parts, segments, 3],
            means.shape == [parts, segments, columns],
            scatter.shape == [parts, segments, columns, columns],
            counts.values.allSatisfy({ $0 >= 0 && $0 < 9e15 }),
            sums.values.allSatisfy({ $0 >= 0 && $0 < 9e15 })
        else { throw refusal("its tensors do not have the shapes of statistics") }
        var result: [Part] = []
        for index in 0..<parts {
            var accumulators: [RidgeAccumulator] = []
            for segment in 0..<segments {
                let place = index * segments + segment
                var matrix = Matrix(rows: columns, columns: columns)
                matrix.elements = Array(
                    scatter.values[(place * columns * columns)..<((place + 1) * columns * columns)])
                for row in 0..<columns {
                    for column in 0..<row where matrix[row, column] != matrix[column, row] {
                        throw refusal("its sums are not symmetric")
                    }
                }
                accumulators.append(
                    try RidgeAccumulator(
                        CentredMoments.State(
                            count: UInt64(sums.values[place * 3 + 1]),
                            weight: sums.values[place * 3],
                            means: Array(
                                means.values[(place * columns)..<((place + 1) * columns)]),
                            scatter: matrix),
                        refused: UInt64(sums.values[place * 3 + 2])))
            }
            let words = (metadata["trace.\(index)"] ?? "").split(
                separator: "\n", omittingEmptySubsequences: false
            ).map(String.init)
            guard words.count >= 2, let fingerprint = UInt64(words[0], radix: 16) else {
                throw refusal("it does not name its trace \(index)")
            }
            let sessions = (metadata["sessions.\(index)"] ?? "").split(separator: "\n")
            let sessionFingerprints = sessions.compactMap { UInt64($0, radix: 16) }
            guard sessionFingerprints.count == sessions.count else {
                throw refusal("it does not name the sessions of its trace \(index)")
            }
            let numbers = counts.values[(index * 11)..<(index * 11 + 11)].map { $0 }
            var count = TrainingCounts()
            (count.decisions, count.forced) = (Int(numbers[0]), Int(numbers[1]))
            (count.withoutOutcome, count.notOnePath) = (Int(numbers[2]), Int(numbers[3]))
            (count.refused, count.trained) = (Int(numbers[4]), Int(numbers[5]))
            (count.heldOut, count.late) = (Int(numbers[6]), Int(numbers[7]))
            result.append(
                Part(
                    source: TrainingSource(
                        name: words[1], fingerprint: fingerprint, sessions: Int(numbers[8]),
                        decisions: Int(numbers[9]), policies: Array(words[2...]),
                        seconds: numbers[10], sessionFingerprints: sessionFingerprints),
                    counts: count, ridge: try SegmentedRidge(parts: accumulators)))
        }
        let known: Set<String> = ["holdout", "weighting", "objective", "weight_limit"]
        do throws(TrainingError) {
            return try TrainingStatistics(
                parts: result, settings: metadata.filter { known.contains($0.key) })
        } catch {
            throw refusal(error.description)
        }
    }
}
