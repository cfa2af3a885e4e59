public import PathLearning
internal import PathTransport

extension Session {
    /// Restarts the policy from another model, between two decisions and without losing a packet.
    ///
    /// The new policy is built on the caller's thread; the connection's thread only swaps it in.
    /// - Throws: `LearningError` if the policy takes no model or cannot start from this one; it
    ///   then continues unchanged.
    public func replaceModel(_ model: Model) throws(LearningError) {
        try policy.withLock { (policy) throws(LearningError) in
            let replacement = try PathSelector.Replacement(policy, model: model)
            link.with { connection, now in connection.replacePolicy(replacement, now: now) }
        }
    }

    /// Follows a model file until the task is cancelled or the connection has ended.
    ///
    /// Whenever the file is replaced or overwritten, it is read and checked here and the policy
    /// restarts from it. An unusable file is reported by an event, once, and the current model
    /// stays. A file with the same content changes nothing.
    ///
    /// - Parameters:
    ///   - file: the model file's path.
    ///   - interval: time between two checks; a file is read if it did not change from one to the
    ///     next.
    ///   - requests: how many times somebody asked to check the file whatever its times are.
    public func followModel(
        _ file: String, every interval: Duration = .milliseconds(250),
        requests: @Sendable () -> UInt64 = { 0 }
    ) async {
        var watch = FileWatch([file], requests: requests())
        while !Task.isCancelled, closeReason == nil {
            switch watch.look(requests: requests()) {
            case .nothing: break
            case .changed, .asked: takeModel(file)
            }
            try? await Task.sleep(for: interval)
        }
    }

    private func takeModel(_ file: String) {
        do throws(LearningError) {
            let model = try Model.load(file)
            guard model.hash != link.read({ connection, _ in connection.modelHash }) else {
                return
            }
            try replaceModel(model)
        } catch {
            link.with { connection, now in connection.refuseModel("\(error)", now: now) }
        }
    }
}
