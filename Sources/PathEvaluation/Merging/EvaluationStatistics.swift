import PathLearning
import PathTelemetry
import PathTrace

/// The sums of traces from which policies are evaluated, for traces that lie on many machines.
///
/// Sums are kept per trace in the order of the fingerprints, so the merged files of many machines
/// have the same bytes as one file of all traces, however they were merged, and give the same
/// report. Each trace has its own reward model. Distributions are rounded to one percent.
public struct EvaluationStatistics: Sendable {
    /// The sums of one trace, as numbers of a file.
    public struct Part: Sendable, Equatable {
        /// The file's name without folders.
        public let name: String
        let fingerprint: UInt64
        let sessions: [UInt64]
        public let decisions: Int
        let numbers: [Double]
    }

    /// The version of a file: sums of samples must not be merged by programs that know no others.
    private static func version(share: Double) -> String { share < 1 ? "2" : "1" }
    /// The most policies of a file.
    private static let policyLimit = 64

    public let settings: EvaluationSettings
    /// In the order of their fingerprints, then names.
    public private(set) var parts: [Part] = []

    init(_ settings: EvaluationSettings) { self.settings = settings }

    /// Adds the sums of a trace.
    mutating func add(_ sums: EvaluationSums, of source: TraceSource) throws(EvaluationError) {
        var sums = sums
        sums.condense()
        var stream = NumberStream()
        sums.transfer(&stream)
        guard !stream.isDamaged else {
            throw .unavailable(
                "the sums of '\(source.name)' are not finite; look at the trace with trace verify")
        }
        var hash = StableHash()
        let sessions = try source.fingerprints()
        for session in sessions {
            for shift in stride(from: 0, to: 64, by: 8) {
                hash.add(UInt8(truncatingIfNeeded: session >> UInt64(shift)))
            }
        }
        try insert([
            Part(
                name: EvaluationSettings.plain(source.name), fingerprint: hash.value,
                sessions: sessions, decisions: sums.decisions, numbers: stream.numbers)
        ])
    }

    private mutating func insert(_ others: [Part]) throws(EvaluationError) {
        var seen: [UInt64: String] = [:]
        for part in parts + others {
            for session in part.sessions {
                if let first = seen.updateValue(part.name, forKey: session) {
                    throw .unavailable(
                        "'\(first)' and '\(part.name)' contain the same session, which would count "
                            + "twice; leave one out")
                }
            }
        }
        parts = (parts + others).sorted {
            ($0.fingerprint, $0.name) < ($1.fingerprint, $1.name)
        }
    }

    /// Merges the sums of several files, in any order and grouping.
    ///
    /// - Throws: `EvaluationError.unavailable` if their settings differ, or if two contain the same
    ///   session.
    public static func merge(
        _ all: [EvaluationStatistics]
    ) throws(EvaluationError) -> EvaluationStatistics {
        guard var whole = all.first else { throw .unavailable("there are no statistics to merge") }
        for other in all {
            if let difference = whole.settings.difference(from: other.settings) {
                throw .unavailable("statistics with \(difference), do not merge")
            }
        }
        try whole.insert(all.dropFirst().flatMap(\.parts))
        return whole
    }

    /// The report of all traces.
    ///
    /// - Parameter options: intervals, confidence and the gate may differ from those of the traces;
    ///   estimators without sums are refused.
    /// - Throws: `EvaluationError.unavailable` for an interval that needs all decisions at once.
    public func report(_ options: AnalysisOptions) throws(EvaluationError) -> EvaluationReport {
        guard !options.keepsRows, options.interval != .bootstrap else {
            throw .unavailable(
                "the interval \(options.interval.rawValue) needs all decisions, and statistics "
                    + "have only sums; use auto")
        }
        for estimator in options.estimators where !settings.estimators.contains(estimator) {
            throw .unavailable(
                "the statistics have no sums for \(estimator); they have "
                    + settings.estimators.map(\.text).joined(separator: ", "))
        }
        var kept = TraceEvaluation.options(
            options, settings.target, policies: settings.policies.count)
        let shown = kept
        kept.estimators = settings.estimators
        var whole: EvaluationSums?
        for part in parts {
            let sums = try EvaluationStatistics.sums(part, settings, kept)
            if whole == nil { whole = sums } else { whole?.merge(sums) }
        }
        guard var sums = whole else { throw .unavailable("the statistics have no traces") }
        for index in sums.policies.indices { sums.policies[index].options = shown }
        return try sums.report(
            RewardFunction(target: settings.target, cost: settings.cost),
            labels: settings.policies.map(\.label),
            baseline: settings.baseline.flatMap { name in
                settings.policies.firstIndex { $0.label == name }
            }, options: shown)
    }

    private static func sums(
        _ part: Part, _ settings: EvaluationSettings, _ options: AnalysisOptions
    ) throws(EvaluationError) -> EvaluationSums {
        var sums = settings.sums(options)
        var stream = NumberStream(reading: part.numbers, part.numbers.indices)
        sums.transfer(&stream)
        guard stream.isComplete, sums.decisions == part.decisions else {
            throw .unavailable(
                "the sums of '\(part.name)' are damaged; make them from the trace again")
        }
        return sums
    }

    // MARK: File

    /// Writes a safetensors file.
    public func save(_ path: String) throws(EvaluationError) {
        var metadata = settings.metadata
        metadata["format"] = "pathwise"
        metadata["kind"] = "evaluation"
        metadata["version"] = EvaluationStatistics.version(share: settings.share)
        metadata["schema"] = StableHash.text(FeatureSchema.current.hash)
        var numbers: [Double] = []
        for (index, part) in parts.enumerated() {
            numbers += part.numbers
            metadata["trace.\(index)"] = [
                StableHash.text(part.fingerprint), part.name, String(part.decisions),
                String(part.numbers.count),
            ].joined(separator: "\n")
            metadata["sessions.\(index)"] = part.sessions.map(StableHash.text)
                .joined(separator: "\n")
        }
        let file = Safetensors(
            metadata: metadata,
            tensors: [Tensor(name: "sums", shape: [numbers.count], values: numbers)])
        do throws(LearningError) { try file.save(path) } catch { throw .learning(error) }
    }

    /// Reads a file that `save` wrote; refuses other files with the reason.
    public static func load(_ path: String) throws(EvaluationError) -> EvaluationStatistics {
        do throws(LearningError) {
            return try read(try Safetensors.load(path), path)
        } catch {
            throw .learning(error)
        }
    }

    private static func read(
        _ file: Safetensors, _ path: String
    ) throws(LearningError) -> EvaluationStatistics {
        func refusal(_ reason: String) -> LearningError {
            .model(file: path, problem: .notAModel(reason))
        }
        let metadata = file.metadata
        guard metadata["format"] == "pathwise", metadata["kind"] == "evaluation" else {
            throw refusal("it holds no sums of an evaluation; make them with --statistics")
        }
        guard ["1", "2"].contains(metadata["version"]) else {
            throw refusal("statistics of version \(metadata["version"] ?? "none")")
        }
        let schema = StableHash.text(FeatureSchema.current.hash)
        guard metadata["schema"] == schema else {
            throw .model(
                file: path,
                problem: .wrongSchema(expected: schema, actual: metadata["schema"] ?? "none"))
        }
        guard let settings = EvaluationSettings(metadata),
            settings.policies.count <= policyLimit, let tensor = file["sums"],
            tensor.shape.count == 1
        else { throw refusal("its settings or sums are incomplete") }
        var statistics = EvaluationStatistics(settings)
        var parts: [Part] = []
        var start = 0
        while let text = metadata["trace.\(parts.count)"] {
            let words = text.split(separator: "\n", omittingEmptySubsequences: false)
            let lines = (metadata["sessions.\(parts.count)"] ?? "").split(separator: "\n")
            let sessions = lines.compactMap { UInt64($0, radix: 16) }
            guard words.count == 4, let fingerprint = UInt64(words[0], radix: 16),
                let decisions = Int(words[2]), let count = Int(words[3]), count >= 0,
                count <= tensor.values.count - start, sessions.count == lines.count
            else { throw refusal("it does not describe its trace \(parts.count)") }
            parts.append(
                Part(
                    name: String(words[1]), fingerprint: fingerprint, sessions: sessions,
                    decisions: decisions, numbers: Array(tensor.values[start..<start + count])))
            start += count
        }
        guard start == tensor.values.count else {
            throw refusal("it has sums that belong to no trace")
        }
        do throws(EvaluationError) {
            try statistics.insert(parts)
            // What is damaged is found now, and not when a report is made.
            var options = AnalysisOptions()
            options.estimators = settings.estimators
            for part in parts { _ = try sums(part, settings, options) }
        } catch {
            throw refusal(error.description)
        }
        return statistics
    }
}
