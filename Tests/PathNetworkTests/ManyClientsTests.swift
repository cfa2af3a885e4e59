import PathLearning
import PathNetwork
import PathTelemetry
import PathTransport
import Testing

/// 200 clients of one host at once, with one key, over real sockets: each gets in within its time.
///
/// They share this host's processors with other tests, so some clients would exceed the default of
/// five seconds. Each has a minute here: the test checks that no client is finally refused, not how
/// long it takes.
@Suite(.serialized) struct ManyClientsTests {
    private static let clientCount = 200
    private static let timeout = TimeDelta.seconds(60)

    /// There is room for all.
    @Test func allGetInTogether() async throws {
        let result = try await connect(limit: 256, closes: false)
        #expect(result.connected == ManyClientsTests.clientCount, "\(result)")
        #expect(result.statistics.retries > 0, "addresses were asked for: \(result)")
    }

    /// There is room for a few at a time: the others are told so, wait, and connect when others
    /// have left.
    @Test func allGetInOneAfterTheOther() async throws {
        let result = try await connect(limit: 48, closes: true)
        #expect(result.connected == ManyClientsTests.clientCount, "\(result)")
        #expect(result.statistics.refusedBusy > 0, "some had to wait: \(result)")
    }

    private func connect(
        limit: Int, closes: Bool
    ) async throws -> (connected: Int, reasons: [CloseReason], statistics: ServerStatistics) {
        let serverKey = try PrivateKey.generate()
        let clientKey = try PrivateKey.generate()
        var configuration = ServerConfiguration(
            key: serverKey, clients: [clientKey.publicKey: nil], policy: .minRTT)
        configuration.connectionLimit = limit
        let server = try ServerDriver(
            configuration: configuration, listen: [.loopback(port: 0)], onEvent: { _, _ in },
            onRecord: { _, _ in })
        defer { server.stop() }
        let remote = try #require(server.localAddresses.first)
        var waiting: [ClientDriver] = []
        for number in 0..<ManyClientsTests.clientCount {
            var setup = ConnectionConfiguration()
            setup.seed = UInt64(number)
            setup.handshakeTimeout = ManyClientsTests.timeout
            waiting.append(
                try ClientDriver(
                    connection: try Connection(
                        client: ClientIdentity(key: clientKey, peer: serverKey.publicKey),
                        configuration: setup, selector: try PathSelector(.minRTT, seed: 1),
                        stamp: StampClock.now(), now: MonotonicClock.now()),
                    plans: [PathPlan(name: "\(number)", remote: remote)], onEvent: { _ in },
                    onRecord: { _ in }))
        }
        var connected: [ClientDriver] = []
        var reasons: [CloseReason] = []
        // Each client ends by itself: with a connection, or with a reason when its time is over.
        while !waiting.isEmpty {
            waiting.removeAll { client in
                let (isEstablished, reason) = client.read { connection, _ in
                    (connection.isEstablished, connection.reason)
                }
                if let reason { reasons.append(reason) }
                if isEstablished {
                    connected.append(client)
                    if closes { client.with { connection, now in connection.close(now: now) } }
                }
                return isEstablished || reason != nil
            }
            try await Task.sleep(for: .milliseconds(10))
        }
        let statistics = server.statistics
        for client in connected { client.stop() }
        return (connected.count, reasons, statistics)
    }
}
