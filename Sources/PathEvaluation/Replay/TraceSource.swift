import PathTelemetry
import PathTrace

/// The evaluation's only access to traces: decisions in the order of recording.
struct TraceSource {
    let reader: TraceReader

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
