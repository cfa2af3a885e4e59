import Glibc
import PathNetwork
import PathTelemetry
import PathTransport
import Pathwise
import Synchronization

@testable import PathForward

/// One datagram as a program sees it.
struct Received: Hashable, Sendable {
    var bytes: [UInt8]
    var remote: SocketAddress
    var trafficClass: UInt8
}

/// A local program with a UDP socket.
final class Program: Sendable {
    let socket: DatagramSocket

    init(_ local: SocketAddress = .loopback(port: 0)) throws {
        socket = try DatagramSocket(local: local)
    }

    var address: SocketAddress { socket.localAddress }

    func send(_ bytes: [UInt8], to remote: SocketAddress, trafficClass: UInt8 = 0) -> Bool {
        bytes.withUnsafeBytes { socket.send($0, to: remote, trafficClass: trafficClass) } == nil
    }

    /// Blocks until `count` datagrams came, or none for `patience`.
    func receive(_ count: Int, patience: TimeDelta = .seconds(8)) throws -> [Received] {
        let poller = try Poller()
        try poller.add(socket.descriptor, token: 1)
        var events = Poller.Events()
        var batch = try ReceiveBatch()
        var found: [Received] = []
        while found.count < count {
            let deadline = MonotonicClock.now() + patience
            try poller.wait(until: deadline, into: &events)
            if events.count == 0, MonotonicClock.now() >= deadline { break }
            while case .received(let number) = socket.receive(into: &batch) {
                for index in 0..<number {
                    let message = batch.message(index)
                    found.append(
                        Received(
                            bytes: Array(message.bytes), remote: message.remote,
                            trafficClass: message.trafficClass))
                }
            }
            _ = socket.drainFaults()
        }
        return found
    }

    /// Sends a datagram and waits for one answer, on a thread of its own.
    func ask(
        _ bytes: [UInt8], _ remote: SocketAddress, trafficClass: UInt8 = 0,
        patience: TimeDelta = .seconds(150)
    ) async throws -> Received? {
        try await blocking { [self] in
            _ = send(bytes, to: remote, trafficClass: trafficClass)
            return try receive(1, patience: patience).first
        }
    }
}

/// A program that sends every datagram back, with another traffic class if it is told one.
final class Echo: Sendable {
    let program: Program
    private let sources = Mutex<Set<SocketAddress>>([])
    private let classes = Mutex<[UInt8]>([])
    private let isOver = Atomic<Bool>(false)

    init(_ local: SocketAddress = .loopback(port: 0), answeringWith trafficClass: UInt8 = 0) throws
    {
        let program = try Program(local)
        self.program = program
        try WorkerThread(named: "echo") { [self] in
            while !isOver.load(ordering: .acquiring) {
                for datagram in (try? program.receive(1, patience: .milliseconds(50))) ?? [] {
                    sources.withLock { _ = $0.insert(datagram.remote) }
                    classes.withLock { $0.append(datagram.trafficClass) }
                    _ = program.send(
                        datagram.bytes, to: datagram.remote, trafficClass: trafficClass)
                }
            }
        }.detach()
    }

    func stop() { isOver.store(true, ordering: .releasing) }

    var target: ForwardTarget { ForwardTarget(program.address) }
    /// The addresses from which datagrams came.
    var askers: Set<SocketAddress> { sources.withLock { $0 } }
    /// The traffic classes of what came, in order.
    var seenClasses: [UInt8] { classes.withLock { $0 } }
}

/// Two sessions over loopback, each with a router, and a server that serves what the client opens.
final class DatagramPair: Sendable {
    let server: Server
    let options: ClientOptions
    let rules: ForwardRules
    let limits: DatagramLimits
    private let routers = Mutex<[(client: DatagramRouter, server: DatagramRouter)]>([])
    private let serving = Mutex<[Task<Void, Never>]>([])

    init(
        rules: ForwardRules = ForwardRules(), limits: DatagramLimits = DatagramLimits()
    ) async throws {
        let key = try PrivateKey.generate()
        let clientKey = try PrivateKey.generate()
        var configuration = ServerConfiguration(
            key: key, clients: [clientKey.publicKey: PresharedKey?.none], policy: .minRTT)
        configuration.connection.parameters.maximumStreams = 2048
        let server = try Server(configuration, listen: [.loopback(port: 0)])
        self.server = server
        self.rules = rules
        self.limits = limits
        var options = ClientOptions(
            identity: ClientIdentity(key: clientKey, peer: key.publicKey),
            plans: [PathPlan(name: "lo", remote: server.localAddresses[0])], policy: .minRTT)
        options.connection.parameters.maximumStreams = 2048
        self.options = options
        try await connect()
    }

    /// The routers of the newest session.
    var client: DatagramRouter { routers.withLock { $0[$0.count - 1].client } }
    var remote: DatagramRouter { routers.withLock { $0[$0.count - 1].server } }

    /// Makes another session.
    func connect() async throws {
        let session = try await Session.connect(options)
        // The server sees the session when the client's first data packet arrives.
        var iterator = server.sessions.makeAsyncIterator()
        guard let other = await iterator.next() else { throw CancellationError() }
        // A busy machine may serve the stream of an opening long after its first datagram came.
        let patience = TimeDelta.seconds(240)
        let pair = (
            client: DatagramRouter(session, patience: patience),
            server: DatagramRouter(other, patience: patience)
        )
        routers.withLock { $0.append(pair) }
        let (rules, limits) = (rules, limits)
        let task = Task {
            await withDiscardingTaskGroup { group in
                while let stream = await other.acceptStream() {
                    group.addTask {
                        await DatagramPair.serve(stream, pair.server, rules, limits)
                    }
                }
            }
        }
        serving.withLock { $0.append(task) }
    }

    /// Serves what the server opens, all to one target: a reverse forward.
    func serveClient(to target: ForwardTarget) {
        let (router, limits) = (client, limits)
        let task = Task {
            await withDiscardingTaskGroup { group in
                while let stream = await router.session.acceptStream() {
                    group.addTask {
                        guard
                            case .datagrams(.lease, let options) =
                                await DatagramPair.opening(of: stream)
                        else { return }
                        await router.serve(
                            stream, to: target, options: options, rules: nil, limits: limits,
                            countedIn: FlowLedger())
                    }
                }
            }
        }
        serving.withLock { $0.append(task) }
    }

    private static func opening(of stream: SessionStream) async -> Opening? {
        var bytes: [UInt8] = []
        while let more = try? await stream.read(), !more.isEmpty {
            bytes += more
            if let (opening, _) = try? Opening.read(bytes) { return opening }
        }
        return nil
    }

    private static func serve(
        _ stream: SessionStream, _ router: DatagramRouter, _ rules: ForwardRules,
        _ limits: DatagramLimits
    ) async {
        switch await opening(of: stream) {
        case .datagrams(.target(let target), let options):
            await router.serve(
                stream, to: target, options: options, rules: { rules }, limits: limits,
                countedIn: FlowLedger())
        case .datagrams(.any, let options):
            await router.serve(
                stream, to: nil, options: options, rules: { rules }, limits: limits,
                countedIn: FlowLedger())
        default: stream.cancel(code: 1)
        }
    }

    /// A listener on loopback, attached to the newest session.
    func listener(
        _ destination: DatagramListener.Destination, options: FlowOptions = FlowOptions(),
        at address: SocketAddress = .loopback(port: 0)
    ) throws -> DatagramListener {
        let listener = try DatagramListener(
            listen: address, destination: destination, options: options, limits: limits)
        listener.attach(client)
        return listener
    }

    func close() async {
        for pair in routers.withLock({ $0 }) { await pair.client.session.close() }
        await server.close()
        for task in serving.withLock({ $0 }) { await task.value }
    }
}

/// Waits up to two minutes until a condition holds.
func soon(_ condition: () -> Bool) async -> Bool {
    for _ in 0..<30_000 {
        if condition() { return true }
        try? await Task.sleep(for: .milliseconds(4))
    }
    return condition()
}
