public import PathLearning
public import PathNetwork
internal import PathTelemetry
internal import PathTrace
internal import PathTransport

/// What a user changes while a session runs, with nothing dropped.
extension Session {
    /// Follows another planner from now on: paths that it gives too stay and take its traits, others
    /// are removed, and new ones are opened.
    ///
    /// For clients whose options had a planner; `setStandby` and `setStopped` still hold.
    ///
    /// - Parameter planner: the rules and the server's addresses from now on.
    public func setPlanner(_ planner: PathPlanner) { link.setPlanner(planner) }

    /// Ends what `setStandby`, `setStopped` and a meter have said of the paths of a name.
    ///
    /// - Parameter name: of the paths.
    public func setFree(name: String) { link.setFree(name) }

    /// Records with another recorder from now on, or no more.
    ///
    /// The trace has a session that begins now, with the paths that exist. The former recorder gets
    /// the outcomes of its decisions for ten seconds more.
    ///
    /// - Parameter recorder: nil records nothing; the caller closes the former one.
    public func setRecorder(_ recorder: SessionRecorder?) {
        record(with: recorder, ring: recorder?.makeRing())
    }

    /// - Parameter ring: of the thread that drives the session; nil without a recorder.
    func record(with recorder: SessionRecorder?, ring: TraceRing?) {
        guard !core.records(with: recorder) else { return }
        // The records so far belong to the former recording, and the next ones to this.
        link.setRecording { connection in
            guard let recorder, let ring else { return record(connection, with: nil) }
            return record(connection, with: (recorder, ring))
        }
    }

    /// Ends the recording, and begins another session of a trace with the policy and the paths that there
    /// are; returns whether it does.
    ///
    /// - Parameter place: nil begins none.
    func record(
        _ connection: borrowing Connection,
        with place: (recorder: SessionRecorder, ring: TraceRing)?
    ) -> Bool {
        let now = MonotonicClock.now()
        let recording = place.map { place in
            place.recorder.begin(SessionFacts(of: connection), role: link.role, ring: place.ring)
        }
        core.replaceRecording(recording, now: now)?.end(at: now)
        return recording != nil
    }

    // MARK: policy

    /// Goes on with another policy, between two decisions and without losing a packet.
    ///
    /// It learns from its own decisions only, and starts from its model. A trace that is being recorded
    /// gets another session, because each has one policy.
    ///
    /// - Parameters:
    ///   - policy: from now on; a path that it names has to exist.
    ///   - model: from which it starts; nil for none.
    /// - Throws: `LearningError` if there is no such path, or the policy cannot start from this model;
    ///   the session then keeps what it has.
    public func replacePolicy(
        _ policy: PolicySpecification, model: Model? = nil
    ) throws(LearningError) {
        let names = pathNames
        try self.policy.withLock { (present) throws(LearningError) in
            let policy = try policy.resolved(names: names)
            let replacement = try PathSelector.Replacement(policy, model: model)
            link.setRecording { connection in
                connection.replacePolicy(replacement, now: MonotonicClock.now())
                return record(connection, with: core.place)
            }
            present = policy
        }
    }

    /// The names of the paths that exist, by their numbers; others have none.
    private var pathNames: [String] {
        var names = [String](repeating: "", count: PathID.limit)
        for path in counters() { names[path.path.index] = path.name }
        return names
    }
}
