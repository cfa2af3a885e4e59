import PathLearning
import PathTelemetry

extension TraceReader {
    /// Number of decisions in a fingerprint.
    private static let fingerprintLength = 8

    /// A hash that identifies a session across files.
    ///
    /// It covers the session's start time, policy, seed and first decisions; nil for a session
    /// without decisions. A copy of a file that was still being recorded has the same fingerprint
    /// as the whole one.
    public func fingerprint(of session: RecordedSession) throws(TraceError) -> UInt64? {
        var cursor = try batches(of: session.id, columns: [.chosenFeatures])
        var batch = DecisionBatch()
        guard try cursor.next(into: &batch), batch.count > 0 else { return nil }
        let info = session.info
        var hash = StableHash()
        func add(_ value: UInt64) {
            var rest = value
            for _ in 0..<8 {
                hash.add(UInt8(truncatingIfNeeded: rest))
                rest >>= 8
            }
        }
        for text in [info.role, info.peer, info.policy, info.modelHash, info.programVersion] {
            for byte in text.utf8 { hash.add(byte) }
            hash.add(0)
        }
        add(UInt64(bitPattern: info.startedWallClock))
        add(UInt64(bitPattern: info.started.nanoseconds))
        add(info.seed)
        let width = FeatureVector.count
        for index in 0..<min(batch.count, TraceReader.fingerprintLength) {
            add(batch.numbers[index])
            add(UInt64(bitPattern: batch.times[index].nanoseconds))
            add(UInt64(batch.actions[index].rawValue))
            add(batch.propensities[index].bitPattern)
            add(batch.draws[index].bitPattern)
            for place in index * width..<(index + 1) * width {
                add(batch.chosenFeatures[place].bitPattern)
            }
        }
        return hash.value
    }

    /// Refuses traces that contain the same session, since it would count twice.
    ///
    /// - Throws: `TraceError.repeated`, or the error of a trace that cannot be read.
    public static func refuseRepetitions(_ traces: [TraceReader]) throws(TraceError) {
        var seen: [UInt64: String] = [:]
        for trace in traces {
            for session in try trace.sessions() {
                guard let fingerprint = try trace.fingerprint(of: session) else { continue }
                let name = "session \(session.id.rawValue) of '\(trace.path)'"
                if let first = seen.updateValue(name, forKey: fingerprint) {
                    throw .repeated(first, name)
                }
            }
        }
    }
}
