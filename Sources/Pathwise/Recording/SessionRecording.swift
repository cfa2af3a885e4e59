internal import PathLearning
package import PathTelemetry
internal import PathTrace
package import PathTransport

/// The recording of one session, for the thread that drives it.
package struct SessionRecording: Sendable {
    let id: SessionID
    let ring: TraceRing
    let recorder: SessionRecorder
    /// The decisions that are recorded, with their outcomes.
    let sample: DecisionSample

    /// How the session explores.
    func learning(now: Instant) -> LearningFigures { recorder.learning(of: id, now: now) }

    /// Ends the session in the trace.
    package func end(at time: Instant) { recorder.end(id, at: time) }

    /// Takes a record of the connection.
    package func record(_ record: borrowing TransportRecord) {
        switch record {
        case .decision(let decision):
            if sample.takes(decision.number) { _ = ring.record(decision, session: id) }
        case .outcome(let outcome):
            if sample.takes(outcome.decision) { _ = ring.record(outcome, session: id) }
        case .sample(let snapshot, let statistics, let time):
            _ = ring.record(
                PathSample(
                    time: time, snapshot: snapshot,
                    totals: PathTotals(
                        packetsSent: statistics.packetsSent, bytesSent: statistics.bytesSent,
                        packetsReceived: statistics.packetsReceived,
                        bytesReceived: statistics.bytesReceived,
                        packetsLost: statistics.packetsLost)), session: id)
        case .pathAdded(let facts):
            _ = ring.record(
                added: PathInfo(
                    path: facts.path, name: facts.name,
                    local: facts.local?.description ?? "", remote: facts.remote.description,
                    traits: facts.traits, added: facts.added), session: id)
        // A replay of the recording says the same.
        case .judged: break
        case .pathRemoved(let path, let time):
            _ = ring.record(removed: path, at: time, session: id)
        }
    }

    /// Takes an event of the connection.
    ///
    /// - Parameter now: the time of events that have none of their own.
    package func record(_ event: ConnectionEvent, now: Instant) {
        let entry: TraceEvent
        switch event {
        case .pathChanged(let path, let from, let to, let cause, let time):
            let kind: TraceEventKind =
                to == .suspect
                ? .failover
                : to == .active && from != .validating
                    ? .recovery : .pathState
            entry = TraceEvent(
                time: time, kind: kind, path: path,
                text: "\(from.name) -> \(to.name): \(cause.name)")
        case .established:
            entry = TraceEvent(time: now, kind: .connection, text: "established")
        case .closed(let reason):
            entry = TraceEvent(
                time: now, kind: .connection, text: "closed: \(reason)")
        case .keysChanged(let generation, let time):
            entry = TraceEvent(
                time: time, kind: .connection, text: "keys changed", value: Double(generation))
        case .policyGuard(.demoted(let reason, let time)):
            entry = TraceEvent(
                time: time, kind: .fallback, text: "steady decides: \(reason.name)")
        case .policyGuard(.restored(let time)):
            entry = TraceEvent(time: time, kind: .restored, text: "the learned policy decides")
        case .policyGuard(.relearning(let reason, let time)):
            entry = TraceEvent(
                time: time, kind: .note, text: "starts to learn again: \(reason.name)")
        case .modelReplaced(let hash, let policy, let time):
            let parts =
                [policy.map { "policy \($0)" }, hash == 0 ? nil : "model \(StableHash.text(hash))"]
            entry = TraceEvent(
                time: time, kind: .model,
                text: "continues with \(parts.compactMap(\.self).joined(separator: ", "))")
        case .modelRefused(let reason, let time):
            entry = TraceEvent(time: time, kind: .model, text: "refused: \(reason)")
        default: return
        }
        _ = ring.record(entry, session: id)
    }
}
