import Glibc
import PathNetwork
import PathTelemetry
import PathTransport
import Pathwise
import Synchronization
import Testing

@testable import PathForward

/// A client with forwards and a server that serves them, over loopback.
final class ForwardPair: Sendable {
    let server: Server
    let session: Session
    let forwarder: Forwarder
    let serverLoop: FlowLoop
    private let serving: Task<Void, Never>
    private let services = Mutex<[ForwardService]>([])
    /// The failures of flows that each side was told.
    let failures: FailureList
    let clientFailures: FailureList
    private let options: ClientOptions
    let key: PrivateKey
    let clientKey: PrivateKey

    init(
        _ forwards: [String], reverse: [String] = [], rules: ForwardRules = ForwardRules(),
        limits: ClientLimits = ClientLimits(), store: ItemStore? = nil,
        configure: (inout ConnectionConfiguration) -> Void = { _ in }
    ) async throws {
        key = try PrivateKey.generate()
        clientKey = try PrivateKey.generate()
        var configuration = ServerConfiguration(
            key: key, clients: [clientKey.publicKey: PresharedKey?.none], policy: .minRTT)
        configuration.connection.prepareForForwards()
        configure(&configuration.connection)
        let server = try Server(configuration, listen: [.loopback(port: 0)])
        let serverLoop = try FlowLoop()
        self.server = server
        self.serverLoop = serverLoop
        let specs =
            try forwards.map { try ForwardSpec(parsing: $0) }
            + reverse.map { try ForwardSpec(parsing: $0, isReverse: true) }
        let (failures, clientFailures) = (FailureList(), FailureList())
        self.failures = failures
        self.clientFailures = clientFailures
        forwarder = try Forwarder(specs) { clientFailures.add($0) }
        let allowance = Allowance(limits, now: MonotonicClock.now())
        let (begun, continuation) = AsyncStream<ForwardService>.makeStream()
        serving = Task {
            await withDiscardingTaskGroup { group in
                for await session in server.sessions {
                    let service = ForwardService(
                        session, on: serverLoop, rules: rules, allowance: allowance,
                        onFailure: { failures.add($0) })
                    continuation.yield(service)
                    group.addTask {
                        await service.run { stream, bytes in
                            if let store {
                                _ = await store.receive(
                                    stream, prefix: bytes, from: session.peerKey,
                                    turn: store.nextTurn())
                                return
                            }
                            try? await stream.write(Array("other:".utf8) + bytes)
                            try? stream.finish()
                            try? await stream.waitUntilDelivered()
                        }
                    }
                }
            }
        }
        var options = ClientOptions(
            identity: ClientIdentity(key: clientKey, peer: key.publicKey),
            plans: [PathPlan(name: "lo", remote: server.localAddresses[0])], policy: .minRTT)
        options.connection.prepareForForwards()
        configure(&options.connection)
        self.options = options
        session = try await Session.connect(options)
        forwarder.attach(session)
        var iterator = begun.makeAsyncIterator()
        if let service = await iterator.next() { services.withLock { $0.append(service) } }
    }

    /// Another session of the same client.
    func connect() async throws -> Session { try await Session.connect(options) }

    /// The service of the first session.
    var service: ForwardService { services.withLock { $0[0] } }

    /// The port of a forward on this side.
    func port(_ index: Int = 0) throws -> UInt16 {
        guard case .listening(let text) = forwarder.forwards[index].state,
            let address = SocketAddress(parsing: text)
        else { throw ForwardError.malformedTarget("forward \(index) does not listen") }
        return address.port
    }

    /// The port of a reverse forward at the peer, once it listens there.
    func reversePort(_ index: Int = 0) async throws -> UInt16 {
        for _ in 0..<2500 {
            if let port = try? port(index) { return port }
            try await Task.sleep(for: .milliseconds(4))
        }
        return try port(index)
    }

    func close() async {
        forwarder.close()
        await session.close()
        await server.close()
        serverLoop.stop()
        await serving.value
    }
}

/// Failures of flows, as `KIND TARGET CODE`, with `replaced` behind those that made room.
final class FailureList: Sendable {
    private let list = Mutex<[String]>([])

    func add(_ failure: FlowFailure) {
        let text =
            "\(failure.kind.rawValue) \(failure.target) \(failure.result.code.name)"
            + (failure.wasReplaced ? " replaced" : "")
        list.withLock { $0.append(text) }
    }

    var all: [String] { list.withLock { $0 } }
}

/// Waits up to ten seconds until a condition holds.
func eventually(_ condition: () -> Bool) async -> Bool {
    for _ in 0..<2500 {
        if condition() { return true }
        try? await Task.sleep(for: .milliseconds(4))
    }
    return condition()
}
