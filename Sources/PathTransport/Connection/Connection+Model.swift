public import PathLearning
public import PathTelemetry

extension Connection {
    /// Goes on with another model between two decisions; an event tells.
    ///
    /// The replacement is made beforehand, so that nothing waits for it here. Packets under way,
    /// queues and congestion control do not notice.
    public mutating func replaceModel(_ replacement: PathSelector.Replacement, now: Instant) {
        guard session.engine.replaceModel(replacement) else {
            refuseModel("it was prepared for another policy", now: now)
            return
        }
        events.append(.modelReplaced(hash: replacement.modelHash, at: now))
    }

    /// Tells by an event that another model was offered and why it is not used.
    public mutating func refuseModel(_ reason: String, now: Instant) {
        events.append(.modelRefused(reason: reason, at: now))
    }
}
