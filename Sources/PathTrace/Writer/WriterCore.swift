import Glibc
import PathTelemetry

/// The writer's thread and the state that it shares with recording threads.
final class WriterCore: @unchecked Sendable {
    enum Control {
        case begin(SessionID, SessionInfo)
        case end(SessionID, Instant)
    }

    struct Shared {
        var rings: [TraceRing] = []
        var control: [Control] = []
        var nextSession: UInt32
        var stopRequested = false
        var flushesRequested = 0
        var flushesDone = 0
        var finished = false
        var joined = false
        var error: TraceError?
        var statistics = TraceWriter.Statistics()
        var learning: [SessionID: LearningWindow] = [:]
    }

    /// A transaction is committed this long after its first row, which is read at most `idlePause`
    /// after it was recorded: so records are in the file within 100 ms.
    ///
    /// Fewer commits rewrite open blocks and the outcomes of recent ones less often.
    private static let commitInterval: Int64 = 60_000_000
    /// The same for this writer; a century if it commits only when asked.
    private let commitInterval: Int64
    /// How often the `-wal` file is copied into the trace, and the size at which it is copied
    /// earlier.
    private static let checkpointInterval: Int64 = 1_000_000_000
    private static let checkpointBytes = 64 << 20
    /// Pauses between visits of the rings, after a visit with much data and after one with little.
    private static let busyPause: Int64 = 4_000_000
    private static let idlePause: Int64 = 20_000_000
    /// The bytes that count as much.
    private static let busyBytes = 1 << 20
    /// The most bytes taken from one ring before the others.
    private static let drainLimit = 4 << 20

    let gate: Gate<Shared>
    // The starting thread passes it to the writer's thread, which then owns it.
    private var sink: FrameSink?
    private var thread: WorkerThread?

    init(sink: FrameSink, commits: TraceWriter.Commits) {
        commitInterval = commits == .soon ? WriterCore.commitInterval : 3_200_000_000_000_000_000
        sink.completesBlocks = commits == .whenAsked
        gate = Gate(Shared(nextSession: sink.nextSession))
        self.sink = sink
    }

    func start() {
        do throws(WorkerThread.Refusal) {
            thread = try WorkerThread(named: "trace-writer") { self.run() }
        } catch {
            let path = sink?.path ?? ""
            sink = nil
            gate.signal {
                $0.error = .writeFailed(
                    path: path,
                    reason: "cannot start a thread: " + String(cString: strerror(error.code)))
                $0.finished = true
                $0.joined = true
            }
        }
    }

    func add(_ ring: TraceRing) {
        gate.withLock {
            $0.rings.append(ring)
            if $0.finished || $0.stopRequested { ring.close() }
        }
    }

    func beginSession(_ info: SessionInfo) -> SessionID {
        gate.withLock {
            let id = SessionID(rawValue: $0.nextSession)
            $0.nextSession &+= 1
            $0.control.append(.begin(id, info))
            return id
        }
    }

    func enqueue(_ control: Control) { gate.withLock { $0.control.append(control) } }

    func flush() throws(TraceError) {
        var ticket = 0
        gate.signal {
            $0.flushesRequested += 1
            ticket = $0.flushesRequested
        }
        gate.wait { $0.flushesDone >= ticket || $0.finished }
        if let error = gate.withLock({ $0.error }) { throw error }
    }

    func stop() {
        gate.signal { $0.stopRequested = true }
        gate.wait { $0.finished }
        let mustJoin = gate.withLock { state in
            defer { state.joined = true }
            return !state.joined
        }
        if mustJoin { thread?.join() }
    }

    // MARK: The writer's thread

    private func run() {
        guard let sink else { return }
        self.sink = nil
        var failure: TraceError?
        do throws(TraceError) {
            try record(into: sink)
            try sink.finish()
        } catch {
            failure = error
        }
        gate.signal {
            for ring in $0.rings { ring.close() }
            $0.error = failure
            $0.statistics = sink.statistics
            $0.statistics.cpuNanoseconds = nanoseconds(of: CLOCK_THREAD_CPUTIME_ID)
            $0.finished = true
        }
    }

    /// The work of one visit.
    private struct Visit {
        var rings: [TraceRing]
        var heads: [Int]
        var control: [Control]
        var isLast: Bool
        var flushes: Int
        var mustCommit: Bool
    }

    private func visit() -> Visit {
        gate.withLock { state in
            let isLast = state.stopRequested
            if isLast { for ring in state.rings { ring.close() } }
            // Positions are read before controls, so that a session reaches the file before its
            // records.
            let heads = state.rings.map { $0.head }
            defer { state.control.removeAll(keepingCapacity: true) }
            return Visit(
                rings: state.rings, heads: heads, control: state.control, isLast: isLast,
                flushes: state.flushesRequested,
                mustCommit: isLast || state.flushesRequested > state.flushesDone)
        }
    }

    private func record(into sink: FrameSink) throws(TraceError) {
        var drops: [TraceRing.Drops] = []
        var lastCheckpoint = nanoseconds(of: CLOCK_MONOTONIC)
        while true {
            let visit = visit()
            for control in visit.control { try sink.write(control) }
            var bytes = 0
            for (ring, head) in zip(visit.rings, visit.heads) {
                repeat {
                    bytes += try ring.drain(
                        upTo: head, limit: WriterCore.drainLimit
                    ) { (kind, session, frame) throws(TraceError) in
                        try sink.write(kind, session: session, frame: frame)
                    }
                    try sink.commit(ifOlderThan: commitInterval)
                } while visit.mustCommit && ring.tail < head
            }
            try noteDrops(of: visit.rings, seen: &drops, into: sink)
            try sink.commit(ifOlderThan: visit.mustCommit ? 0 : commitInterval)
            let now = nanoseconds(of: CLOCK_MONOTONIC)
            if commitInterval == WriterCore.commitInterval,
                now - lastCheckpoint >= WriterCore.checkpointInterval
                    || sink.bytesSinceCheckpoint >= WriterCore.checkpointBytes
            {
                try sink.checkpoint()
                lastCheckpoint = now
            }
            let statistics = sink.statistics
            let learning = sink.learning
            gate.signal {
                $0.learning = learning
                $0.flushesDone = max($0.flushesDone, visit.flushes)
                $0.statistics = statistics
                $0.statistics.cpuNanoseconds = nanoseconds(of: CLOCK_THREAD_CPUTIME_ID)
            }
            if visit.isLast { return }
            var pause =
                bytes > WriterCore.busyBytes ? WriterCore.busyPause : WriterCore.idlePause
            // The pause ends no later than the transaction is due.
            if let due = sink.due(after: commitInterval) {
                pause = min(pause, max(0, due - nanoseconds(of: CLOCK_MONOTONIC)))
            }
            if bytes < WriterCore.drainLimit {
                gate.wait(nanoseconds: pause) {
                    $0.stopRequested || $0.flushesRequested > $0.flushesDone
                }
            }
        }
    }

    private func noteDrops(
        of rings: [TraceRing], seen: inout [TraceRing.Drops], into sink: FrameSink
    ) throws(TraceError) {
        for (index, ring) in rings.enumerated() {
            if index == seen.count { seen.append(TraceRing.Drops()) }
            let now = ring.drops
            guard now != seen[index] else { continue }
            let before = seen[index]
            try sink.write(
                drops: TraceRing.Drops(
                    decisions: now.decisions &- before.decisions,
                    outcomes: now.outcomes &- before.outcomes,
                    samples: now.samples &- before.samples,
                    events: now.events &- before.events), ring: index)
            seen[index] = now
        }
    }
}
