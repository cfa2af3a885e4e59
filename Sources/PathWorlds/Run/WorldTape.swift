import PathTelemetry
import PathTrace
import PathTransport
import Pathwise

/// The recording of one run: a session of each end, as live ones, in one trace.
///
/// Times are those of the ends' virtual clocks. Equal runs make equal files.
struct WorldTape: Sendable {
    let client: SessionRecording
    let server: SessionRecording
    private let recorder: SessionRecorder

    /// Opens a trace file, which must not exist.
    ///
    /// - Parameters:
    ///   - info: the facts of both sessions, with the start on the client's clock.
    ///   - serverOffset: the server's clock minus the client's.
    init(
        path: String, command: String, info: SessionInfo, serverOffset: TimeDelta
    ) throws {
        recorder = try SessionRecorder(path: path, command: command, commits: .whenAsked)
        // One ring keeps the order of both.
        let ring = recorder.makeRing(whenFull: .wait)
        var info = info
        info.peer = "server"
        client = recorder.begin(info, ring: ring)
        info.peer = "client"
        info.started = info.started + serverOffset
        server = recorder.begin(info, ring: ring)
    }

    /// Ends both sessions, and completes the file.
    func close(clientEnd: Instant, serverEnd: Instant) throws {
        // Records before ends, whatever the writer's thread has taken so far.
        try recorder.flush()
        client.end(at: clientEnd)
        server.end(at: serverEnd)
        try recorder.close()
    }
}
