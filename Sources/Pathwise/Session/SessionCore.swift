internal import PathNetwork
internal import PathTelemetry
internal import PathTransport

/// What a driver's thread hands to a session: waits of tasks, events, journal of changes, recording.
///
/// It is there before the session is, because a connection may tell something at once.
/// *Driver's thread*: `handle`, `record`. *Any thread*: the rest.
final class SessionCore: Sendable {
    let hub = EventHub()
    let feed = EventFeed()
    private let journal = EventJournal()
    private let recording: SessionRecording?

    /// - Parameter recording: nil records nothing.
    init(recording: SessionRecording?) { self.recording = recording }

    /// Takes what happened to the connection.
    func handle(_ event: ConnectionEvent) {
        let told = journal.note(event)
        recording?.record(event)
        if let told { feed.send(told) }
        hub.handle(event)
    }

    /// Takes what the connection recorded: quick, and without waiting for the file.
    func record(_ record: borrowing TransportRecord) { recording?.record(record) }

    /// Ends the recording; nothing comes of the connection any more.
    func endRecording() { recording?.end() }

    /// Ends every wait and every sequence of the application, if the connection has not done so.
    func end(_ reason: CloseReason) {
        hub.end(reason)
        feed.send(.closed(reason))
    }

    /// Everything a user may want to know of the session now.
    func status(of connection: borrowing Connection, now: Instant) -> SessionStatus {
        var status = SessionStatus(of: connection, now: now)
        status.changes = journal.changes
        status.modelChanges = journal.modelChanges
        return status
    }
}
