internal import PathTelemetry
internal import PathTransport

/// Turns a connection's events into a session's, on the driver's thread, and keeps the first
/// changes of paths and models.
final class EventJournal: Sendable {
    private static let limit = 1000
    private struct State {
        var start: Instant?
        var changes: [PathChangeReport] = []
        var modelChanges: [ModelChangeReport] = []
        var guardReport = GuardReport()

        /// Time since the first change.
        mutating func age(at time: Instant) -> Duration {
            let start = start ?? time
            self.start = start
            return (time - start).duration
        }
    }
    private let state = Guarded(State())

    /// Takes an event; returns the application's event, nil if it gets none or another one.
    func note(_ event: ConnectionEvent) -> SessionEvent? {
        switch event {
        case .pathChanged(let path, let from, let to, let cause, let time):
            .pathChanged(
                state.withLock { state in
                    let change = PathChangeReport(
                        path: path, from: from, to: to, cause: cause, after: state.age(at: time))
                    if state.changes.count < EventJournal.limit { state.changes.append(change) }
                    return change
                })
        case .modelReplaced(let hash, let policy, let time):
            note(ModelChangeReport(modelHash: hash, policy: policy), time)
        case .modelRefused(let reason, let time):
            note(ModelChangeReport(refusal: reason), time)
        case .policyGuard(let event):
            .guardChanged(
                state.withLock { state in
                    state.guardReport.note(event)
                    return event
                })
        case .messageDelivered(let number): .messageDelivered(number: number)
        case .messageExpired(let number): .messageLost(number: number)
        case .closed(let reason): .closed(reason)
        default: nil
        }
    }

    private func note(_ change: ModelChangeReport, _ time: Instant) -> SessionEvent {
        .modelChanged(
            state.withLock { state in
                var change = change
                change.after = state.age(at: time)
                // Its guard has not judged it yet.
                if change.refusal == nil { state.guardReport.isDemoted = false }
                if state.modelChanges.count < EventJournal.limit {
                    state.modelChanges.append(change)
                }
                return change
            })
    }

    var changes: [PathChangeReport] { state.withLock { $0.changes } }
    var modelChanges: [ModelChangeReport] { state.withLock { $0.modelChanges } }
    var guardReport: GuardReport { state.withLock { $0.guardReport } }
}
