internal import PathNetwork
internal import PathTelemetry
internal import PathTransport

/// What every session is made of, whichever side it is on: waits of tasks, journal of changes,
/// recording, status.
///
/// *Driver's thread*: `handle`, `record`. *Any thread*: the rest.
final class SessionCore: Sendable {
    let hub = EventHub()
    private let journal = EventJournal()
    private let recording: SessionRecording?

    /// - Parameter recording: nil records nothing.
    init(recording: SessionRecording?) { self.recording = recording }

    /// Takes what happened to the connection.
    func handle(_ event: ConnectionEvent) {
        journal.note(event)
        recording?.record(event)
        hub.handle(event)
    }

    /// Takes what the connection recorded: quick, and without waiting for the file.
    func record(_ record: borrowing TransportRecord) { recording?.record(record) }

    /// Ends the recording; nothing comes of the connection any more.
    func endRecording() { recording?.end() }

    /// Everything a user may want to know of the session now.
    func status(of connection: borrowing Connection, now: Instant) -> SessionStatus {
        var status = SessionStatus(of: connection, now: now)
        status.changes = journal.changes
        status.modelChanges = journal.modelChanges
        return status
    }
}
