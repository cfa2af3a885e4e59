internal import PathNetwork
internal import PathTelemetry
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
    }
    private let recording: Guarded<Recorder>

    /// - Parameter recording: nil records nothing.
    init(recording: SessionRecording?) {
        self.recording = Guarded(Recorder(recorder: recording?.recorder, recording: recording))
    }

    private var current: SessionRecording? { recording.withLock { $0.recording } }

    /// Whether this recorder, or none, records already.
    func records(with recorder: SessionRecorder?) -> Bool {
        recording.withLock { $0.recorder === recorder }
    }

    /// Replaces the recording; returns the former one.
    func replaceRecording(_ new: SessionRecording?) -> SessionRecording? {
        recording.withLock { state in
            defer { state = Recorder(recorder: new?.recorder, recording: new) }
            return state.recording
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
    func record(_ record: borrowing TransportRecord) { current?.record(record) }

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
