import PathNetwork
import PathTelemetry
import PathTransport
import Pathwise
import Testing

@testable import PathForward

/// Flows and the sessions under them: several in turn, reverse forwards, SOCKS, what gets lost.
struct DatagramSessionTests {
    private static let patient = FlowOptions(deadline: .seconds(30))

    /// A flow goes on in the next session, on the same local sockets.
    @Test func flowsSurviveTheirSession() async throws {
        let pair = try await DatagramPair()
        let echo = try Echo()
        let listener = try pair.listener(
            .target(echo.target), options: DatagramSessionTests.patient)
        let program = try Program()
        #expect(try await program.ask([1], listener.localAddress)?.bytes == [1])
        let since = listener.flows().first?.since
        let (first, served) = (pair.client, pair.remote)
        await first.session.close()
        #expect(await soon { first.flowCount == 0 && served.flowCount == 0 })
        listener.detach()
        #expect(program.send([2], to: listener.localAddress))
        #expect(await soon { listener.counters.dropped == 1 })
        try await pair.connect()
        listener.attach(pair.client)
        #expect(try await program.ask([3], listener.localAddress)?.bytes == [3])
        let flows = listener.flows()
        #expect(flows.count == 1 && flows.first?.since == since)
        #expect(flows.first?.datagrams?.datagramsSent == 2)
        #expect(flows.first?.datagrams?.datagramsReceived == 2)
        listener.close()
        echo.stop()
        await pair.close()
    }

    /// The server listens; the client's side has the target, and chose it.
    @Test func reverseFlows() async throws {
        let pair = try await DatagramPair()
        let echo = try Echo()
        pair.serveClient(to: echo.target)
        let listener = try DatagramListener(
            listen: .loopback(port: 0), destination: .lease(44),
            options: DatagramSessionTests.patient)
        listener.attach(pair.remote)
        let programs = try (0..<3).map { _ in try Program() }
        for (index, program) in programs.enumerated() {
            let bytes = [UInt8](repeating: UInt8(index), count: 3000)
            #expect(try await program.ask(bytes, listener.localAddress)?.bytes == bytes)
        }
        #expect(echo.askers.count == 3 && pair.client.flowCount == 3)
        listener.close()
        #expect(await soon { pair.client.flowCount == 0 })
        echo.stop()
        await pair.close()
    }

    /// What waits for its opening is handed over with it; other strangers are counted.
    @Test func earlyDatagramsAreHandedOver() async throws {
        let pair = try await DatagramPair()
        let echo = try Echo()
        let router = pair.remote
        for number in 0..<3 as Range<UInt8> {
            // Flow 9000: two bytes of number, the traffic class, the datagram.
            try pair.client.session.sendMessage([0x63, 0x28, 0, number], deadline: .seconds(30))
        }
        try pair.client.session.sendMessage([0xc0], deadline: .seconds(30))
        #expect(await soon { router.malformed == 1 })
        let socket = try TargetSocket(
            echo.program.address, options: DatagramSessionTests.patient, router: router,
            limits: DatagramLimits())
        #expect(
            router.adopt(
                9000, socket.flow, limit: 1, countedIn: FlowLedger(), now: MonotonicClock.now()))
        #expect(await soon { echo.seenClasses.count == 3 })
        #expect(socket.flow.counters.datagramsReceived == 3 && router.unclaimed == 0)
        #expect(
            !router.adopt(
                9001, socket.flow, limit: 1, countedIn: FlowLedger(), now: MonotonicClock.now()))
        for _ in 0..<68 {
            try pair.client.session.sendMessage([0x63, 0x29, 0, 1], deadline: .seconds(30))
        }
        #expect(await soon { router.unclaimed == 4 })
        socket.close()
        echo.stop()
        await pair.close()
    }

    /// Datagrams whose deadline passes are counted at their flow.
    @Test func expiredDatagramsAreCounted() async throws {
        let pair = try await DatagramPair()
        let echo = try Echo()
        let listener = try pair.listener(
            .target(echo.target), options: FlowOptions(deadline: .microseconds(1)))
        let program = try Program()
        for _ in 0..<20 { #expect(program.send([1], to: listener.localAddress)) }
        #expect(await soon { listener.counters.expired > 0 })
        #expect(listener.counters.expired <= listener.counters.datagramsSent)
        listener.close()
        echo.stop()
        await pair.close()
    }

    // MARK: SOCKS

    private func datagram(_ host: [UInt8], _ content: [UInt8], fragment: UInt8 = 0) -> [UInt8] {
        [0, 0, fragment] + host + content
    }

    private func host(_ address: SocketAddress) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: DatagramHost.length(address))
        bytes.withUnsafeMutableBytes { DatagramHost.write(address, into: $0) }
        return bytes
    }

    @Test func socksRelay() async throws {
        let pair = try await DatagramPair()
        let (first, second) = (try Echo(), try Echo())
        let program = try Program()
        let relay = try pair.listener(
            .socks(client: .loopback(port: 0)), options: DatagramSessionTests.patient)
        let entry = relay.localAddress
        // Two targets by address, one by name; each answer names its origin.
        for (echo, content) in [(first, [1, 2, 3]), (second, []), (first, [4])] as [(Echo, [UInt8])]
        {
            let host = host(echo.program.address)
            let answer = try await program.ask(datagram(host, content), entry)
            #expect(answer?.bytes == datagram(host, content) && answer?.remote == entry)
        }
        let port = first.program.address.port
        let name =
            [3, 9] + Array("localhost".utf8) + [UInt8(port >> 8), UInt8(port & 255)] as [UInt8]
        let answer = try await program.ask(datagram(name, [7, 7]), entry)
        #expect(answer?.bytes == datagram(host(first.program.address), [7, 7]))
        #expect(pair.remote.flowCount == 1 && relay.flows().map(\.target) == ["any"])
        // Fragments, malformed headers and other programs get nothing through.
        let sent = relay.counters.datagramsSent
        let fair = host(first.program.address)
        _ = program.send(datagram(fair, [1], fragment: 1), to: entry)
        _ = program.send([0, 0, 0, 9, 1, 2, 3], to: entry)
        _ = program.send([], to: entry)
        _ = try Program().send(datagram(fair, [1]), to: entry)
        #expect(await soon { relay.counters.dropped == 4 })
        #expect(relay.counters.datagramsSent == sent)
        relay.close()
        #expect(await soon { pair.remote.flowCount == 0 })
        first.stop()
        second.stop()
        await pair.close()
    }

    /// The rules hold for each target of a relay, and nobody else may send to its client.
    @Test func socksRelayKeepsToTheRules() async throws {
        let (allowed, denied) = (try Echo(), try Echo())
        let rule = try AllowRule(parsing: "\(allowed.program.address)")
        let pair = try await DatagramPair(rules: ForwardRules(connecting: [rule], listening: []))
        let program = try Program()
        let relay = try pair.listener(
            .socks(client: program.address), options: DatagramSessionTests.patient)
        let entry = relay.localAddress
        _ = program.send(datagram(host(denied.program.address), [1]), to: entry)
        let fair = datagram(host(allowed.program.address), [2])
        #expect(try await program.ask(fair, entry)?.bytes == fair)
        #expect(denied.askers.isEmpty)
        // A stranger writes to the socket from which the allowed target was asked.
        let open = try #require(allowed.askers.first)
        _ = try Program().send([6, 6, 6], to: .loopback(port: open.port))
        let next = datagram(host(allowed.program.address), [3])
        #expect(try await program.ask(next, entry)?.bytes == next)
        relay.close()
        allowed.stop()
        denied.stop()
        await pair.close()
    }
}
