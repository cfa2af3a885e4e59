internal import PathEvaluation
internal import PathNetwork
internal import PathTelemetry
internal import PathTrace
internal import PathTransport

/// The parts of a session that a driver's thread uses: waits, events, journal of changes,
/// recording.
///
/// It exists before the session, because a connection may have events at once. *Driver's thread*:
/// `handle`, `record`. *Any thread*: the rest.
final class SessionCore: Sendable {
    let hub = EventHub()
    let feed = EventFeed()
    private let journal = EventJournal()
    private struct Recorder {
        var recorder: SessionRecorder?
        var recording: SessionRecording?
        /// The number of its first decision; nil before that.
        var first: UInt64?
        /// Recordings that were followed by others, oldest first: each gets the outcomes of its
        /// decisions, whose numbers are below the first one of the next, until a time.
        var former: [(recording: SessionRecording, first: UInt64?, end: Instant)] = []

        /// The recording of a decision with this number.
        func owner(of decision: UInt64) -> SessionRecording? {
            if let first, decision >= first { return recording }
            return former.last { $0.first.map { decision >= $0 } ?? false }?.recording
        }
    }
    /// How long a recording that was replaced gets outcomes.
    static let lateness = TimeDelta.seconds(10)
    /// The most replaced recordings that get outcomes; each holds a ring of up to 16 MB.
    static let mostFormer = 4
    private let recording: Guarded<Recorder>
    /// What is known of other policies; nil if nobody has asked.
    private let judgement = Guarded<LiveJudgement?>(nil)

    /// - Parameter recording: nil records nothing.
    init(recording: SessionRecording?) {
        self.recording = Guarded(Recorder(recorder: recording?.recorder, recording: recording))
    }

    private var current: SessionRecording? { recording.withLock { $0.recording } }

    /// Where the session is recorded now; nil if it is not.
    var place: (recorder: SessionRecorder, ring: TraceRing)? {
        current.map { ($0.recorder, $0.ring) }
    }

    /// Whether this recorder, or none, records already.
    func records(with recorder: SessionRecorder?) -> Bool {
        recording.withLock { $0.recorder === recorder }
    }

    /// Replaces the recording; returns the former one, which still gets outcomes of its decisions for
    /// a while if there is a new one.
    func replaceRecording(_ new: SessionRecording?, now: Instant) -> SessionRecording? {
        recording.withLock { state in
            let former = state.recording
            var kept = new == nil ? [] : state.former
            if let former, new != nil {
                kept.append((former, state.first, now + SessionCore.lateness))
            }
            state = Recorder(
                recorder: new?.recorder, recording: new,
                former: Array(kept.suffix(SessionCore.mostFormer)))
            return former
        }
    }

    /// Takes an event of the connection.
    func handle(_ event: ConnectionEvent) {
        let told = journal.note(event)
        current?.record(event, now: MonotonicClock.now())
        if let told { feed.send(told) }
        hub.handle(event)
    }

    /// Takes a record of the connection, quickly and without waiting for the file.
    func record(_ record: borrowing TransportRecord) {
        switch record {
        case .judged(let row): judgement(of: row.judge)?.add(row)
        default: place(of: record)?.record(record)
        }
    }

    /// What judges the decisions of a number; nil if it is an earlier one.
    private func judgement(of judge: UInt32) -> LiveJudgement? {
        judgement.withLock { present in
            if let present, present.judge >= judge {
                return present.judge == judge ? present : nil
            }
            let new = LiveJudgement(judge)
            present = new
            return new
        }
    }

    /// Forgets what is known of other policies, because others are judged, or none.
    func endJudgement() { judgement.withLock { $0 = nil } }

    /// What is known of other policies now; it takes milliseconds.
    func report() -> JudgementReport? { judgement.withLock { $0 }?.report() }

    /// The recording that a record belongs to.
    private func place(of record: borrowing TransportRecord) -> SessionRecording? {
        var decision: UInt64?
        var outcome: UInt64?
        var time: Instant?
        switch record {
        case .decision(let made): decision = made.number
        case .outcome(let known): outcome = known.decision
        case .sample(_, _, let taken): time = taken
        case .pathAdded, .pathRemoved, .judged: break
        }
        return recording.withLock { [decision, outcome, time] state in
            if let decision, state.first == nil { state.first = decision }
            guard !state.former.isEmpty else { return state.recording }
            if let time { state.former.removeAll { time > $0.end } }
            return outcome.map { state.owner(of: $0) } ?? state.recording
        }
    }

    /// Ends the recording; the connection sends no more records.
    func endRecording() { current?.end(at: MonotonicClock.now()) }

    /// Ends every wait and every sequence of the application, if the connection has not done so.
    func end(_ reason: CloseReason) {
        hub.end(reason)
        feed.send(.closed(reason))
    }

    /// The current status of the session, for users.
    func status(of connection: borrowing Connection, now: Instant) -> SessionStatus {
        var status = SessionStatus(of: connection, now: now)
        status.changes = journal.changes
        status.modelChanges = journal.modelChanges
        status.guardReport = journal.guardReport
        status.learning = current?.learning(now: now)
        return status
    }
}
