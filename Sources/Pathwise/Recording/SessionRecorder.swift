import PathLearning
internal import PathNetwork
internal import PathTelemetry
public import PathTrace
import PathTransport

/// Records sessions into one trace: drivers' threads write into rings, and the writer's thread from
/// there into the file.
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
    /// - Throws: `TraceError` if the file exists or cannot be created.
    public init(path: String, command: String) throws(TraceError) {
        let schema = FeatureSchema.current
        writer = try TraceWriter(
            path: path,
            schema: TraceWriter.Schema(
                hash: StableHash.text(schema.hash), text: schema.text, names: schema.names),
            programVersion: PathwiseVersion.text)
        self.command = command
    }

    /// Makes a ring for the thread of one driver.
    func makeRing() -> TraceRing {
        let ring = writer.makeRing()
        state.withLock { $0.rings.append(ring) }
        return ring
    }

    /// Starts recording a session.
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

    /// Writes the remaining records and closes the file.
    ///
    /// - Throws: `TraceError` if the recording stopped early, for example because of a full disk.
    public func close() throws(TraceError) { try writer.close() }

    /// Why the recording stopped early, if it did.
    public var error: TraceError? { writer.error }
    /// Records that were dropped because the writer was too slow.
    public var dropped: UInt64 {
        state.withLock { $0.rings }.reduce(0) { $0 + $1.drops.total }
    }
}

/// The program's version, for traces and the command.
public enum PathwiseVersion {
    public static let text = "0.1.0"
}
