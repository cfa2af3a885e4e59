import PathTransport
import Synchronization
import Testing

@testable import PathLearning
@testable import PathNetwork
@testable import PathTelemetry

/// Counts the events of one side, and lets a test wait for one.
private final class Watch: Sendable {
    private let events = Mutex<[String]>([])

    func note(_ event: ConnectionEvent) {
        let text = "\(event)"
        events.withLock { $0.append(text) }
    }

    func has(_ prefix: String) -> Bool {
        events.withLock { $0.contains { $0.hasPrefix(prefix) } }
    }

    /// Waits for an event; false when it has not come within ten seconds.
    func saw(_ prefix: String) async throws -> Bool {
        for _ in 0..<1000 {
            if has(prefix) { return true }
            try await Task.sleep(for: .milliseconds(10))
        }
        return false
    }
}

@Suite struct DriverTests {
    /// A server on a wildcard address answers from the address to which the client sent; clients
    /// and firewalls reject another one.
    @Test func answersLeaveFromTheAddressAsked() async throws {
        let serverKey = try PrivateKey.generate()
        let clientKey = try PrivateKey.generate()
        let server = try ServerDriver(
            configuration: ServerConfiguration(
                key: serverKey, clients: [clientKey.publicKey: nil], policy: .minRTT),
            listen: [.any(.ipv4, port: 0)], onEvent: { _, _ in }, onRecord: { _, _ in })
        defer { server.stop() }
        let port = try #require(server.localAddresses.first).port
        // Any address of 127.0.0.0/8 is this host; the system would answer from 127.0.0.1.
        let remotes = [
            SocketAddress(ipv4: 0x7f00_0005, port: port),
            SocketAddress(ipv4: 0x7f00_0009, port: port),
        ]
        let watch = Watch()
        let client = try ClientDriver(
            connection: try Connection(
                client: ClientIdentity(key: clientKey, peer: serverKey.publicKey),
                configuration: ConnectionConfiguration(),
                selector: try PathSelector(.minRTT, seed: 1), stamp: StampClock.now(),
                now: MonotonicClock.now()),
            plans: remotes.map { PathPlan(name: "\($0)", remote: $0) },
            onEvent: { watch.note($0) }, onRecord: { _ in })
        defer { client.stop() }
        #expect(try await watch.saw("established"))
        for _ in 0..<1000 {
            let active = client.read { connection, now in
                connection.pathIDs.filter {
                    connection.snapshot(of: $0, now: now)?.state == .active
                }.count
            }
            if active == 2 { break }
            try await Task.sleep(for: .milliseconds(10))
        }
        client.read { connection, now in
            for path in connection.pathIDs {
                #expect(connection.snapshot(of: path, now: now)?.state == .active)
            }
            #expect(connection.pathIDs.count == 2)
        }
    }

    /// A path leaves a server address without a listener for one that answers; it keeps its number,
    /// and the transfer works.
    @Test(arguments: [true, false])
    func aPathTriesEachAddressOfTheServer(isDeadFirst: Bool) async throws {
        let serverKey = try PrivateKey.generate()
        let clientKey = try PrivateKey.generate()
        let served = Watch()
        let server = try ServerDriver(
            configuration: ServerConfiguration(
                key: serverKey, clients: [clientKey.publicKey: nil], policy: .minRTT),
            listen: [.loopback(port: 0)], onEvent: { served.note($1) }, onRecord: { _, _ in })
        defer { server.stop() }
        let port = try #require(server.localAddresses.first).port
        // No server has this port of this address.
        let dead = SocketAddress(ipv4: 0x7f00_0063, port: port)
        let ways = [dead, .loopback(port: port)].map { PathPlan.Way(remote: $0) }
        let watch = Watch()
        let client = try ClientDriver(
            connection: try Connection(
                client: ClientIdentity(key: clientKey, peer: serverKey.publicKey),
                configuration: ConnectionConfiguration(),
                selector: try PathSelector(.minRTT, seed: 1), stamp: StampClock.now(),
                now: MonotonicClock.now()),
            plans: [PathPlan(name: "a", ways: isDeadFirst ? ways : ways.reversed())],
            onEvent: { watch.note($0) }, onRecord: { _ in })
        defer { client.stop() }
        #expect(try await watch.saw("established"))
        try client.with { (connection, _) throws(StreamError) in
            let id = try connection.openStream()
            try connection.finish(id)
        }
        #expect(try await served.saw("streamReadable"))
        #expect(try await watch.saw("streamDelivered"))
        client.read { connection, _ in
            #expect(connection.pathIDs == [PathID(0)])
            #expect(connection.endpoint(of: PathID(0))?.remote == .loopback(port: port))
        }
    }
}
