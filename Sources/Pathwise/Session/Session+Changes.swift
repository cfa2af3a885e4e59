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
        record(with: recorder, ring: recorder?.makeRing(), role: "send")
    }

    /// - Parameter ring: of the thread that drives the session; nil without a recorder.
    func record(with recorder: SessionRecorder?, ring: TraceRing?, role: String) {
        guard !core.records(with: recorder) else { return }
        // The records so far belong to the former recording, and the next ones to this.
        link.setRecording(recorder != nil && ring != nil) { connection in
            var recording: SessionRecording?
            if let recorder, let ring {
                recording = recorder.begin(SessionFacts(of: connection), role: role, ring: ring)
            }
            let now = MonotonicClock.now()
            core.replaceRecording(recording, now: now)?.end(at: now)
        }
    }
}
