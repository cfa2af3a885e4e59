import PathLearning
internal import PathNetwork
internal import PathTelemetry
public import PathTrace
import PathTransport

/// Records sessions into one trace: from drivers' threads into rings, from there by the writer's
/// thread into the file.
public final class SessionRecorder: Sendable {
    private struct State {
        var rings: [TraceRing] = []
        var open: Set<SessionID> = []
    }

    private let writer: TraceWriter
    private let state = Guarded(State())
    private let command: String

    /// Opens a trace file.
    ///
    /// - Parameters:
    ///   - path: of a file that does not exist yet.
    ///   - command: the command line, without secrets.
    /// - Throws: `TraceError` when the file exists or cannot be made.
    public init(path: String, command: String) throws(TraceError) {
        let schema = FeatureSchema.current
        writer = try TraceWriter(
            path: path,
            schema: TraceWriter.Schema(
                hash: StableHash.text(schema.hash), text: schema.text, names: schema.names),
            programVersion: PathwiseVersion.text)
        self.command = command
    }

    /// A ring for the thread of one driver.
    func makeRing() -> TraceRing {
        let ring = writer.makeRing()
        state.withLock { $0.rings.append(ring) }
        return ring
    }

    /// Begins to record a session.
    ///
    /// - Parameters:
    ///   - role: `send` or `receive`.
    ///   - ring: of the thread that drives the session.
    func begin(_ facts: SessionFacts, role: String, ring: TraceRing) -> SessionRecording {
        let id = writer.beginSession(
            SessionInfo(
                startedWallClock: WallClock.nanoseconds(), started: MonotonicClock.now(),
                role: role, peer: facts.peer.base64, policy: facts.policy,
                modelHash: facts.modelHash == 0 ? "" : StableHash.text(facts.modelHash),
                seed: facts.seed, programVersion: PathwiseVersion.text, command: command))
        state.withLock { _ = $0.open.insert(id) }
        return SessionRecording(id: id, ring: ring, recorder: self)
    }

    func end(_ id: SessionID) {
        guard state.withLock({ $0.open.remove(id) }) != nil else { return }
        writer.endSession(id, at: MonotonicClock.now())
    }

    /// Ends all sessions; the file is complete after `close`.
    public func end() {
        for id in state.withLock({ $0.open.sorted() }) { end(id) }
    }

    /// Writes out what waits and closes the file.
    ///
    /// - Throws: `TraceError` when the recording had to stop before, a full disk for example.
    public func close() throws(TraceError) { try writer.close() }

    /// Why the recording had to stop, if it did.
    public var error: TraceError? { writer.error }
    /// Records that were dropped because the writer could not follow.
    public var dropped: UInt64 {
        state.withLock { $0.rings }.reduce(0) { $0 + $1.drops.total }
    }
}

/// The program's version, in traces and of the command.
public enum PathwiseVersion {
    public static let text = "0.1.0"
}
