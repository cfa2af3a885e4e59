import PathTelemetry
import PathTrace

/// The evaluation's only access to traces: decisions in the order of recording.
struct TraceSource {
    let reader: TraceReader
    /// The least share of decisions in any session of the evaluation.
    var leastShare = 1.0

    /// The decisions of a session that count: as many of all its decisions as in the session of which the
    /// fewest were recorded.
    ///
    /// Thinned to the same share, sessions count by the decisions that were made in them, and every
    /// estimator and interval holds as it is.
    func kept(of session: RecordedSession) -> DecisionSample {
        // The sample of the recording was drawn with the seed itself.
        DecisionSample(share: leastShare / session.info.share, seed: ~session.info.seed)
    }

    /// The sources of traces, with the least share of all.
    static func all(_ traces: [TraceReader]) throws(EvaluationError) -> [TraceSource] {
        do throws(TraceError) {
            try TraceReader.refuseRepetitions(traces)
            var shares: [Double] = []
            for trace in traces { shares += try trace.sessions().map(\.info.share) }
            let least = shares.min() ?? 1
            return traces.map { TraceSource(reader: $0, leastShare: least) }
        } catch {
            throw .trace(error)
        }
    }

    /// The share of every session; nil if they differ.
    func commonShare() throws(EvaluationError) -> Double? {
        let shares = try sessions().map(\.session.info.share)
        return shares.allSatisfy { $0 == leastShare } ? leastShare : nil
    }

    /// The sessions, each with the names of its paths by number.
    func sessions() throws(EvaluationError) -> [(session: RecordedSession, pathNames: [String])] {
        do throws(TraceError) {
            var found: [(session: RecordedSession, pathNames: [String])] = []
            let paths = Dictionary(grouping: try reader.paths(), by: \.session)
            for session in try reader.sessions() {
                var names = [String](repeating: "", count: PathID.limit)
                for path in paths[session.id] ?? [] {
                    names[path.info.path.index] = path.info.name
                }
                found.append((session, names))
            }
            return found
        } catch {
            throw .trace(error)
        }
    }

    /// The fingerprints of the sessions that have decisions.
    func fingerprints() throws(EvaluationError) -> [UInt64] {
        do throws(TraceError) {
            var found: [UInt64] = []
            for session in try reader.sessions() {
                if let fingerprint = try reader.fingerprint(of: session) {
                    found.append(fingerprint)
                }
            }
            return found
        } catch {
            throw .trace(error)
        }
    }

    /// The file's name without folders.
    var name: String { reader.path.split(separator: "/").last.map(String.init) ?? reader.path }

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
