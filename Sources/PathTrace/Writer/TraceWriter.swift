public import PathTelemetry

/// Records into one trace file, on its own thread.
///
/// Make a ring for each thread that records, begin a session, then record into the ring; the
/// writer's thread commits records within 100 ms. A full disk or another write error stops only the
/// recording: rings then count further records as dropped, and `close` reports the error.
public final class TraceWriter: Sendable {
    /// What to do when the file exists.
    public enum IfExists: Sendable {
        case refuse
        case replace
        /// Sessions are added; the file has to be a trace of this format version and schema.
        case append
    }

    /// When records are committed.
    public enum Commits: Sendable {
        /// Within 100 ms, so that a crash loses no more.
        case soon
        /// At `flush` and `close` only: equal records then make an equal file.
        case whenAsked
    }

    /// The features of decisions, as the trace's `meta` table describes them.
    public struct Schema: Hashable, Sendable {
        public var hash: String
        /// Names, units and scaling, as text.
        public var text: String
        /// Names of the features in their order, if known.
        public var names: [String]

        public init(hash: String, text: String, names: [String] = []) {
            self.hash = hash
            self.text = text
            self.names = names
        }
    }

    /// Counters of the writer's thread.
    public struct Statistics: Hashable, Sendable {
        /// Records passed to the database.
        public var records = 0
        var commits = 0
        /// Records that were duplicates or could not be stored as rows.
        public var refused = 0
        /// Processor time of the writer's thread.
        public var cpuNanoseconds: Int64 = 0
    }

    public let path: String
    private let core: WriterCore

    /// Creates the file (or opens it to append) and starts the writer's thread.
    ///
    /// - Parameter isSampled: whether sessions may have a `share` below one; readers before version 5 of
    ///   the format then refuse the trace.
    /// - Throws: `TraceError.exists`, `.cannotOpen`, `.otherSchema` and the like.
    public init(
        path: String, schema: Schema, programVersion: String, ifExists: IfExists = .refuse,
        commits: Commits = .soon, isSampled: Bool = false
    ) throws(TraceError) {
        self.path = path
        let sink = try FrameSink(
            path: path, schema: schema, programVersion: programVersion, ifExists: ifExists,
            isSampled: isSampled)
        core = WriterCore(sink: sink, commits: commits)
        core.start()
    }

    deinit { core.stop() }

    /// Makes a ring for one recording thread.
    ///
    /// - Parameter bytes: room for the records between two visits of the writer; 16 MiB hold some
    ///   10,000 decisions over four paths.
    public func makeRing(
        bytes: Int = 16 << 20, whenFull: TraceRing.WhenFull = .drop
    ) -> TraceRing {
        let ring = TraceRing(bytes: bytes, whenFull: whenFull)
        core.add(ring)
        return ring
    }

    /// Begins a session and returns its number, which every record of it carries.
    public func beginSession(_ info: SessionInfo) -> SessionID { core.beginSession(info) }

    /// Records the end of a session.
    ///
    /// All records of it, before and after, are kept.
    public func endSession(_ session: SessionID, at time: Instant) {
        core.enqueue(.end(session, time))
    }

    /// Why recording stopped early; nil if it did not.
    public var error: TraceError? { core.gate.withLock { $0.error } }

    public var statistics: Statistics { core.gate.withLock { $0.statistics } }

    /// How a session explores, as far as its decisions are recorded.
    ///
    /// - Parameters:
    ///   - session: one that has not ended; another has no figures.
    ///   - now: on the session's clock.
    public func learning(of session: SessionID, now: Instant) -> LearningFigures {
        core.gate.withLock { $0.learning[session] }?.figures(now: now) ?? LearningFigures()
    }

    /// Waits until everything recorded before the call is in the file.
    ///
    /// - Throws: the error that stopped the recording.
    public func flush() throws(TraceError) { try core.flush() }

    /// Writes remaining records, makes the trace a single file and ends the thread.
    ///
    /// - Throws: the error that stopped the recording.
    public func close() throws(TraceError) {
        core.stop()
        if let error { throw error }
    }
}
