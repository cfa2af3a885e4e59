import PathLearning
internal import PathNetwork
internal import PathTelemetry
public import PathTrace
import PathTransport

/// Records one session into a trace: from the driver's thread into a ring, from there by the
/// writer's thread into the file.
public final class SessionRecorder: Sendable {
    private let writer: TraceWriter
    private let ring: TraceRing
    private let session = Guarded<SessionID?>(nil)
    private let command: String

    /// Opens a trace file for one session.
    ///
    /// - Parameter command: the command line, without secrets.
    /// - Throws: `TraceError` when the file exists or cannot be made.
    public init(path: String, command: String) throws(TraceError) {
        let schema = FeatureSchema.current
        writer = try TraceWriter(
            path: path,
            schema: TraceWriter.Schema(
                hash: StableHash.text(schema.hash), text: schema.text, names: schema.names),
            programVersion: PathwiseVersion.text)
        ring = writer.makeRing()
        self.command = command
    }

    func begin(role: String, peer: String, selector: PathSelector, seed: UInt64) {
        let info = SessionInfo(
            startedWallClock: WallClock.nanoseconds(), started: MonotonicClock.now(), role: role,
            peer: peer, policy: selector.name,
            modelHash: selector.modelHash == 0 ? "" : StableHash.text(selector.modelHash),
            seed: seed,
            programVersion: PathwiseVersion.text, command: command)
        let id = writer.beginSession(info)
        session.withLock { $0 = id }
    }

    func record(paths driver: ClientDriver) {
        for (path, name) in driver.pathNames.sorted(by: { $0.key < $1.key }) {
            guard let id = session.withLock({ $0 }) else { return }
            let local = driver.localAddress(of: path)?.description ?? ""
            let (remote, traits) = driver.read { connection, now in
                (
                    connection.endpoint(of: path)?.remote.description ?? "",
                    connection.snapshot(of: path, now: now)?.traits ?? PathTraits()
                )
            }
            _ = ring.record(
                added: PathInfo(
                    path: path, name: name, local: local, remote: remote, traits: traits,
                    added: MonotonicClock.now()), session: id)
        }
    }

    /// On the driver's thread: quick, and without waiting for the file.
    func record(_ record: borrowing TransportRecord) {
        guard let id = session.withLock({ $0 }) else { return }
        switch record {
        case .decision(let decision): _ = ring.record(decision, session: id)
        case .outcome(let outcome): _ = ring.record(outcome, session: id)
        case .sample(let snapshot, _, let time):
            _ = ring.record(PathSample(time: time, snapshot: snapshot), session: id)
        }
    }

    func record(_ event: ConnectionEvent) {
        guard let id = session.withLock({ $0 }) else { return }
        let entry: TraceEvent
        switch event {
        case .pathChanged(let path, let from, let to, let cause, let time):
            let kind: TraceEventKind =
                to == .suspect
                ? .failover
                : to == .active && from != .validating
                    ? .recovery : .pathState
            entry = TraceEvent(
                time: time, kind: kind, path: path,
                text: "\(from.name) -> \(to.name): \(cause.name)")
        case .established:
            entry = TraceEvent(time: MonotonicClock.now(), kind: .connection, text: "established")
        case .closed(let reason):
            entry = TraceEvent(
                time: MonotonicClock.now(), kind: .connection, text: "closed: \(reason)")
        case .keysChanged(let generation, let time):
            entry = TraceEvent(
                time: time, kind: .connection, text: "keys changed", value: Double(generation))
        case .policyGuard(.demoted(let reason, let time)):
            entry = TraceEvent(
                time: time, kind: .fallback, text: "steady decides: \(reason.name)")
        case .policyGuard(.restored(let time)):
            entry = TraceEvent(time: time, kind: .restored, text: "the learned policy decides")
        case .policyGuard(.relearning(let reason, let time)):
            entry = TraceEvent(time: time, kind: .note, text: "learning anew: \(reason.name)")
        case .modelReplaced(let hash, let time):
            entry = TraceEvent(
                time: time, kind: .model, text: "goes on with model \(StableHash.text(hash))")
        case .modelRefused(let reason, let time):
            entry = TraceEvent(time: time, kind: .model, text: "refused: \(reason)")
        default: return
        }
        _ = ring.record(entry, session: id)
    }

    /// Ends the session; the file is complete after `close`.
    public func end() {
        guard let id = session.withLock({ $0 }) else { return }
        writer.endSession(id, at: MonotonicClock.now())
    }

    /// Writes out what waits and closes the file.
    ///
    /// - Throws: `TraceError` when the recording had to stop before, a full disk for example.
    public func close() throws(TraceError) { try writer.close() }

    /// Why the recording had to stop, if it did.
    public var error: TraceError? { writer.error }
    /// Records that were dropped because the writer could not follow.
    public var dropped: UInt64 { ring.drops.total }
}

/// The program's version, in traces and of the command.
public enum PathwiseVersion {
    public static let text = "0.1.0"
}
