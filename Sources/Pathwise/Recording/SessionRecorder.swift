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
    private let share: Double

    /// Opens a trace file.
    ///
    /// - Parameters:
    ///   - path: of a file that does not exist yet.
    ///   - command: the command line, without secrets.
    ///   - share: the probability with which each decision is recorded, with its outcome.
    /// - Throws: `TraceError` if the file exists or cannot be created.
    public convenience init(
        path: String, command: String, share: Double = 1
    ) throws(TraceError) {
        try self.init(path: path, command: command, commits: .soon, share: share)
    }

    /// Opens a trace file whose records are committed as a simulation or a live run needs it.
    package init(
        path: String, command: String, commits: TraceWriter.Commits, share: Double = 1
    ) throws(TraceError) {
        let schema = FeatureSchema.current
        writer = try TraceWriter(
            path: path,
            schema: TraceWriter.Schema(
                hash: StableHash.text(schema.hash), text: schema.text, names: schema.names),
            programVersion: PathwiseVersion.text, commits: commits, isSampled: share < 1)
        self.command = command
        self.share = DecisionSample(share: share, seed: 0).share
    }

    /// Makes a ring for the thread of one driver.
    ///
    /// - Parameter whenFull: a driver drops records, a simulation waits.
    package func makeRing(whenFull: TraceRing.WhenFull = .drop) -> TraceRing {
        let ring = writer.makeRing(whenFull: whenFull)
        state.withLock { $0.rings.append(ring) }
        return ring
    }

    /// Starts recording a session.
    ///
    /// - Parameters:
    ///   - role: `send` or `receive`.
    ///   - ring: of the thread that drives the session.
    func begin(_ facts: SessionFacts, role: String, ring: TraceRing) -> SessionRecording {
        begin(
            SessionInfo(
                startedWallClock: WallClock.nanoseconds(), started: MonotonicClock.now(),
                role: role, peer: facts.peer.base64, policy: facts.policy,
                modelHash: facts.modelHash == 0 ? "" : StableHash.text(facts.modelHash),
                seed: facts.seed),
            ring: ring)
    }

    /// Starts recording a session whose facts are known, but for version and command.
    package func begin(_ info: SessionInfo, ring: TraceRing) -> SessionRecording {
        var info = info
        info.programVersion = PathwiseVersion.text
        info.command = command
        info.share = share
        let id = writer.beginSession(info)
        state.withLock { _ = $0.open.insert(id) }
        return SessionRecording(
            id: id, ring: ring, recorder: self,
            sample: DecisionSample(share: share, seed: info.seed))
    }

    func end(_ id: SessionID, at time: Instant) {
        // Whoever ends all sessions and closes the file meanwhile waits until the writer knows.
        state.withLock { state in
            guard state.open.remove(id) != nil else { return }
            writer.endSession(id, at: time)
        }
    }

    /// How a session explores.
    func learning(of id: SessionID, now: Instant) -> LearningFigures {
        writer.learning(of: id, now: now)
    }

    /// Waits until everything recorded so far is in the file.
    ///
    /// - Throws: `TraceError` if the recording stopped early.
    package func flush() throws(TraceError) { try writer.flush() }

    /// Ends all sessions; the file is complete after `close`.
    public func end() {
        let now = MonotonicClock.now()
        for id in state.withLock({ $0.open.sorted() }) { end(id, at: now) }
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
