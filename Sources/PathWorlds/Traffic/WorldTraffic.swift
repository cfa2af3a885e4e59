import PathLearning
import PathSimulation
import PathTelemetry
import PathTransport
import Pathwise

/// The applications of a run: what the workloads of a world send and receive, and when.
///
/// The times and sizes of messages are drawn from the seed alone, so that every policy is offered
/// the same. Transfers begin after the one before them has ended.
struct WorldTraffic: WorldApplication {
    private var messages: [MessageFeed] = []
    private var streams: [StreamFeed] = []
    /// The feed that each open stream belongs to; the ends number streams differently.
    private var owners: [StreamID: Int] = [:]
    /// The server's clock minus the client's.
    private let serverOffset: TimeDelta
    private let tape: WorldTape?
    private var buffer: [UInt8]
    /// Why the client's connection has ended, if it did: what is offered later is lost.
    private(set) var closeReason: CloseReason?
    /// Whether the connection was established; before that nothing is offered.
    private var isOpen = false
    /// When each end was last called.
    private var latest: Instant
    private var latestAtServer: Instant
    private var failovers = 0
    private var demotions = 0
    private var decisionsUntilDemotion: UInt64?

    init(
        _ world: WorldSpecification, seed: UInt64, start: Instant, serverOffset: TimeDelta,
        tape: WorldTape?
    ) {
        self.tape = tape
        latest = start
        latestAtServer = start
        self.serverOffset = serverOffset
        buffer = [UInt8](repeating: 0, count: 65_536)
        for (index, workload) in world.workloads.enumerated() {
            switch workload.kind {
            case .messages(let load):
                messages.append(
                    MessageFeed(
                        load, of: workload, index, seed: seed, start: start,
                        duration: world.duration))
            case .bulk, .transfers:
                var transfers: TransferLoad?
                if case .transfers(let load) = workload.kind { transfers = load }
                streams.append(
                    StreamFeed(
                        transfers, of: workload, index, seed: seed, start: start,
                        duration: world.duration))
            }
        }
    }

    var nextWake: Instant {
        // After the end the client alone is called, and counts what is lost.
        closeReason == nil
            ? nextWake(of: .forward, after: latest)
            : min(nextWake(of: .forward, after: latest), nextWake(of: .backward, after: latest))
    }

    var nextServerWake: Instant { nextWake(of: .backward, after: latestAtServer) }

    /// When the end that sends in this direction has the next message, report or transfer.
    private func nextWake(of direction: LinkDirection, after latest: Instant) -> Instant {
        // What was due already waits for the other end or for room, which are events themselves.
        var next = Instant.distantFuture
        for index in messages.indices {
            let due =
                messages[index].direction == direction
                ? messages[index].nextAt : messages[index].nextReportAt
            if due > latest { next = min(next, due) }
        }
        for index in streams.indices
        where streams[index].direction == direction && streams[index].nextAt > latest {
            next = min(next, streams[index].nextAt)
        }
        return next
    }

    var isDone: Bool { false }

    mutating func handleClient(_ connection: inout Connection, now: Instant) {
        latest = now
        while let event = connection.pollEvent() {
            tape?.client.record(event, now: now)
            switch event {
            case .closed(let reason): closeReason = reason
            case .pathChanged(_, _, let to, _, _) where to == .suspect: failovers += 1
            case .policyGuard(let event):
                if case .demoted = event {
                    demotions += 1
                    decisionsUntilDemotion =
                        decisionsUntilDemotion ?? connection.statistics.decisions
                }
            default: handle(event, &connection, now: now)
            }
        }
        receiveMessages(&connection, from: .backward, now: now)
        if let tape { connection.drainRecords { tape.client.record($0) } }
        isOpen = isOpen || connection.isEstablished
        send(into: &connection, .forward, now: now, clock: .zero)
        guard closeReason != nil else { return }
        for index in messages.indices { messages[index].lose(now: now) }
    }

    mutating func handleServer(_ connection: inout Connection, now: Instant) {
        latestAtServer = now
        while let event = connection.pollEvent() {
            tape?.server.record(event, now: now + serverOffset)
            handle(event, &connection, now: now)
        }
        if let tape { connection.drainRecords { tape.server.record($0) } }
        receiveMessages(&connection, from: .forward, now: now)
        send(into: &connection, .backward, now: now, clock: serverOffset)
    }

    private mutating func handle(
        _ event: ConnectionEvent, _ connection: inout Connection, now: Instant
    ) {
        switch event {
        case .streamReadable(let stream): read(stream, &connection, now: now)
        case .streamWritable(let stream):
            if let owner = owners[stream] { streams[owner].isBlocked = false }
        default: break
        }
    }

    private mutating func send(
        into connection: inout Connection, _ direction: LinkDirection, now: Instant,
        clock: TimeDelta
    ) {
        for index in messages.indices where messages[index].direction == direction {
            messages[index].send(into: &connection, isOpen: isOpen, now: now, clock: clock)
        }
        guard connection.isEstablished else { return }
        for index in messages.indices where messages[index].direction != direction {
            messages[index].report(over: &connection, now: now, clock: clock)
        }
        for index in streams.indices where streams[index].direction == direction {
            if let opened = streams[index].send(into: &connection, zeros: buffer, now: now) {
                owners[opened] = index
            }
        }
    }

    private mutating func receiveMessages(
        _ connection: inout Connection, from direction: LinkDirection, now: Instant
    ) {
        while let message = connection.receiveMessage() {
            for index in messages.indices {
                let isMine =
                    messages[index].direction == direction
                    ? messages[index].take(message.number, now: now)
                    : messages[index].takeReport(message.number, now: now)
                if isMine { break }
            }
        }
    }

    private mutating func read(
        _ stream: StreamID, _ connection: inout Connection, now: Instant
    ) {
        while true {
            let result = buffer.withUnsafeMutableBytes { try? connection.read(stream, into: $0) }
            guard let result, let owner = owners[stream] else { return }
            if result.count > 0 { streams[owner].noteArrival(result.count, now: now) }
            if result.isFinished {
                streams[owner].noteEnd(now: now)
                owners[stream] = nil
                return
            }
            if result.count == 0 { return }
        }
    }

    // MARK: results

    /// What each workload experienced, in the order of the world.
    func logs() -> [WorkloadLog] {
        let logs =
            messages.map { ($0.workload, WorkloadLog.messages($0.log)) }
            + streams.map { ($0.workload, WorkloadLog.stream($0.log)) }
        return logs.sorted { $0.0 < $1.0 }.map(\.1)
    }

    /// How often a path became suspect, and the guard demoted the learned policy, at the client.
    var changes: (failovers: Int, demotions: Int) { (failovers, demotions) }
    /// Decisions before the guard first demoted the learned policy; nil if it never did.
    var firstDemotion: UInt64? { decisionsUntilDemotion }
}
