import Testing

@testable import PathLearning
@testable import PathSimulation
@testable import PathTelemetry
@testable import PathTransport

/// Hooks by which a scenario influences a transfer.
struct Script {
    /// Runs on the client, or on the server, once at its time.
    struct Step {
        var at: TimeDelta
        var act: (inout Connection, Instant) -> Void
    }

    var clientSteps: [Step] = []
    var serverSteps: [Step] = []
    /// When the transfer begins; before it only the steps send.
    var begins = TimeDelta.zero
    /// False drops the datagram: path, direction, time since the start, length.
    var passes: ((Int, LinkDirection, TimeDelta, Int) -> Bool)?
    /// The apparent source address of a path's packets.
    var clientAddress: ((Int, SocketAddress, TimeDelta) -> SocketAddress)?
    /// Datagrams of these directions are kept for later.
    var recordsForward = false
    var recordsBackward = false
}

/// A bulk transfer under a script, with what its connections reported.
struct ScriptedTransfer: WorldApplication {
    var bulk: BulkTransfer
    var script: Script
    /// Whether the run continues until its time is over, or until both ends are closed.
    var runsOn = false
    var stopsAtClose = false
    private var hasBegun = false
    private(set) var clientRecords: [TransportRecord] = []
    private(set) var clientChanges: [(TimeDelta, ConnectionEvent)] = []
    private(set) var serverChanges: [(TimeDelta, ConnectionEvent)] = []
    private(set) var serverReason: CloseReason?
    private(set) var clientClosedAt: TimeDelta?
    private(set) var serverClosedAt: TimeDelta?
    private(set) var forward: [(path: Int, bytes: [UInt8])] = []
    private(set) var backward: [(path: Int, bytes: [UInt8])] = []
    /// Bytes that arrived at the server on each path, in 100 ms slices.
    private(set) var arrivals: [[Int]] = []
    private(set) var serverStatistics: ConnectionStatistics?
    private let start = Instant(nanoseconds: 1_000_000_000_000)

    init(_ bulk: BulkTransfer, _ script: Script = Script()) {
        self.bulk = bulk
        self.script = script
    }

    var isDone: Bool {
        if stopsAtClose { return clientClosedAt != nil && serverClosedAt != nil }
        return !runsOn && bulk.isDone
    }

    var nextWake: Instant {
        var next = Instant.distantFuture
        for step in script.clientSteps { next = min(next, start + step.at) }
        for step in script.serverSteps { next = min(next, start + step.at) }
        if !hasBegun { next = min(next, start + script.begins) }
        return next
    }

    mutating func handleClient(_ connection: inout Connection, now: Instant) {
        while let first = script.clientSteps.first, start + first.at <= now {
            script.clientSteps.removeFirst()
            first.act(&connection, now)
        }
        guard now - start >= script.begins else { return }
        hasBegun = true
        let before = bulk.clientEvents.count
        bulk.handleClient(&connection, now: now)
        for event in bulk.clientEvents[before...] { clientChanges.append((now - start, event)) }
        if bulk.clientReason != nil { clientClosedAt = clientClosedAt ?? now - start }
        connection.drainRecords { clientRecords.append(copy $0) }
    }

    mutating func handleServer(_ connection: inout Connection, now: Instant) {
        let serverNow = now + .seconds(1234)
        while let first = script.serverSteps.first, start + first.at <= now {
            script.serverSteps.removeFirst()
            first.act(&connection, serverNow)
        }
        while let event = connection.pollEvent() {
            serverChanges.append((now - start, event))
            switch event {
            case .streamReadable(let stream): bulk.read(stream, &connection, now: now)
            case .closed(let reason):
                serverReason = reason
                serverClosedAt = serverClosedAt ?? now - start
            default: break
            }
        }
        serverStatistics = connection.statistics
        connection.drainRecords { _ in }
    }

    mutating func inspect(
        _ datagram: UnsafeMutableRawBufferPointer, path: Int, direction: LinkDirection,
        now: Instant
    ) -> Bool {
        let time = now - start
        if let passes = script.passes, !passes(path, direction, time, datagram.count) {
            return false
        }
        if direction == .forward {
            while arrivals.count <= path { arrivals.append([]) }
            let slice = Int(time.nanoseconds / 100_000_000)
            while arrivals[path].count <= slice { arrivals[path].append(0) }
            arrivals[path][slice] += datagram.count
        }
        if direction == .forward, script.recordsForward {
            forward.append((path, Array(datagram)))
        } else if direction == .backward, script.recordsBackward {
            backward.append((path, Array(datagram)))
        }
        return true
    }

    func clientAddress(path: Int, usual: SocketAddress, now: Instant) -> SocketAddress {
        script.clientAddress?(path, usual, now - start) ?? usual
    }

    /// Bytes on the wire to the server on one path between two times.
    func arrived(_ path: Int, from: Double, to: Double) -> Int {
        guard path < arrivals.count else { return 0 }
        let slices = arrivals[path]
        var sum = 0
        for index in Int(from * 10)..<Int(to * 10) where index < slices.count {
            sum += slices[index]
        }
        return sum
    }

    /// Every change of a path's state on the client, as text, for the messages of a failed test.
    var history: String {
        func lines(_ name: String, _ changes: [(TimeDelta, ConnectionEvent)]) -> [String] {
            changes.compactMap { time, event in
                switch event {
                case .pathChanged(let path, let from, let to, let cause, _):
                    "\(name) \(time.seconds) path \(path.index) \(from.name) -> \(to.name): \(cause.name)"
                case .closed(let reason): "\(name) \(time.seconds) closed: \(reason)"
                case .pathMoved(let path, let to, _):
                    "\(name) \(time.seconds) path \(path.index) moved to \(to)"
                default: nil
                }
            }
        }
        return (lines("client", clientChanges) + lines("server", serverChanges))
            .joined(separator: "\n")
    }
}

/// Makes and runs worlds.
enum Bench {
    static func world(
        _ paths: [String], total: Int? = nil, policy: PolicySpecification = .earliest,
        seed: UInt64 = 1, script: Script = Script(), traits: [PathTraits] = [],
        _ change: (inout WorldSettings) -> Void = { _ in }
    ) throws -> World<ScriptedTransfer> {
        var settings = WorldSettings()
        settings.policy = policy
        change(&settings)
        return try World(
            links: try paths.map { try LinkSpecification(parsing: $0) }, traits: traits,
            settings: settings,
            application: ScriptedTransfer(BulkTransfer(total: total, seed: seed), script),
            seed: seed)
    }

    static let equal = ["rate=20,rtt=20", "rate=20,rtt=20"]

    /// The same run, and its checks that hold for every run.
    static func expectSound(
        _ world: borrowing World<ScriptedTransfer>, finished: Bool = true,
        _ location: SourceLocation = #_sourceLocation
    ) {
        #expect(world.stall == nil, sourceLocation: location)
        #expect(!world.application.bulk.isCorrupt, sourceLocation: location)
        if finished {
            #expect(
                world.application.bulk.finishedAt != nil, "\(world.application.history)",
                sourceLocation: location)
        }
    }
}
