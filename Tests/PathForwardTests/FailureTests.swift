import Glibc
import PathNetwork
import PathTelemetry
import PathTransport
import Pathwise
import Testing

@testable import PathForward

/// Flows that fail are told and counted at both sides, with their targets and reasons.
@Suite(.serialized, .timeLimit(.minutes(1))) struct FailureTests {
    /// A port of loopback on which nobody listens.
    private static func free() throws -> UInt16 {
        let socket = try TCPSocket.listen(on: .loopback(port: 0))
        let address = socket.localAddress
        return try #require(address).port
    }

    /// A client with as many flows as it may have is told which option gives more, also at a listener of
    /// the server.
    @Test func theLimitOfFlowsIsNamed() async throws {
        let target = try PlainServer.echo()
        let goal = "127.0.0.1:\(target.port)"
        let pair = try await ForwardPair(
            ["http:0"], reverse: ["tcp:0=\(goal)"], limits: ClientLimits(flows: 1))
        let (proxy, reverse) = (try pair.port(0), try await pair.reversePort(1))
        let text =
            "this client has 1 connection open, the limit; to have more: serve --client-flows"
        try await blocking {
            let first = try #require(PlainSocket.connect(reverse))
            first.write("a")
            #expect(first.read(exactly: 1) == [97])
            #expect(try #require(PlainSocket.connect(reverse)).readAll().end == .failed(ECONNRESET))
            let second = try #require(PlainSocket.connect(proxy))
            second.write("CONNECT \(goal) HTTP/1.1\r\n\r\n")
            let answer = String(decoding: second.readAll().bytes, as: UTF8.self)
            #expect(answer.hasPrefix("HTTP/1.1 503 ") && answer.hasSuffix("\r\n\r\n\(text)\n"))
            first.write("b")
            #expect(first.read(exactly: 1) == [98])
        }
        #expect(
            pair.failures.all == [
                "tcp peer of 127.0.0.1:\(reverse) limit_reached", "tcp \(goal) limit_reached",
            ])
        await pair.close()
    }

    /// A connection that waits for its target when the session ends is not blamed on the peer.
    @Test func aSessionThatEndsIsTheReason() async throws {
        // Its queue is full with one connection, which nobody accepts, so the next one gets no answer.
        let listener = PlainSocket(socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
        let descriptor = listener.descriptor
        try #require(PlainSocket.withAddress(0) { bind(descriptor, $0, $1) } == 0)
        try #require(listen(descriptor, 0) == 0)
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = getsockname(descriptor, $0, &length)
            }
        }
        let port = UInt16(bigEndian: address.sin_port)
        let waiting = try #require(PlainSocket.connect(port))
        let pair = try await ForwardPair(["tcp:0=127.0.0.1:\(port)"])
        let entry = try pair.port()
        let connection = try await blocking { try #require(PlainSocket.connect(entry)) }
        #expect(await eventually { pair.service.flows().count == 1 })
        await pair.session.close()
        #expect(await eventually { !pair.clientFailures.all.isEmpty })
        #expect(pair.clientFailures.all == ["tcp 127.0.0.1:\(port) unreachable"])
        let end = try await blocking { connection.readAll().end }
        #expect(end == .failed(ECONNRESET))
        withExtendedLifetime((listener, waiting)) {}
        await pair.close()
    }

    @Test func deniedAndRefusedTargets() async throws {
        let free = try FailureTests.free()
        let rules = ForwardRules(
            connecting: [try AllowRule(parsing: "127.0.0.1:\(free)")], listening: [])
        let pair = try await ForwardPair(
            ["tcp:0=127.0.0.1:\(free)", "tcp:0=192.0.2.1:22", "http:0"], rules: rules)
        let ports = try (0..<3).map { try pair.port($0) }
        try await blocking {
            for port in ports.prefix(2) {
                let end = try #require(PlainSocket.connect(port)).readAll().end
                #expect(end == .failed(ECONNRESET))
            }
            let proxy = try #require(PlainSocket.connect(ports[2]))
            proxy.write("CONNECT nothing.invalid:80 HTTP/1.1\r\n\r\n")
            #expect(!proxy.readAll().bytes.isEmpty)
        }
        let targets = [
            "tcp 127.0.0.1:\(free) refused", "tcp 192.0.2.1:22 denied",
            "tcp nothing.invalid:80 name_not_found",
        ]
        #expect(pair.failures.all == targets)
        #expect(
            pair.clientFailures.all
                == targets.dropLast() + ["http nothing.invalid:80 name_not_found"])
        let counts: [ForwardResult.Code: UInt64] = [.refused: 1, .denied: 1, .nameNotFound: 1]
        let totals = pair.service.totals
        #expect(totals.flows == 3 && totals.failed == 3 && totals.open == 0)
        #expect(totals.failures == counts)
        #expect(
            pair.forwarder.forwards.map(\.totals.failures) == [
                [.refused: 1], [.denied: 1], [.nameNotFound: 1],
            ])
        await pair.close()
    }

    /// The reason arrives also where the application writes at once, as HTTP clients do: the peer's
    /// wish to get no more may come before its answer.
    @Test func theApplicationWritesAtOnce() async throws {
        let pair = try await ForwardPair(["tcp:0=192.0.2.1:22"])
        let port = try pair.port()
        try await blocking {
            for _ in 0..<60 {
                let socket = try #require(PlainSocket.connect(port))
                socket.write([UInt8](repeating: 1, count: 100_000))
                // The write may have met the reset already, and then the read only finds the end.
                #expect(socket.readAll().bytes.isEmpty)
            }
        }
        let all = [String](repeating: "tcp 192.0.2.1:22 denied", count: 60)
        #expect(await eventually { pair.clientFailures.all.count == 60 })
        #expect(pair.clientFailures.all == all)
        #expect(pair.forwarder.forwards[0].totals.failures == [.denied: 60])
        #expect(pair.failures.all == all)
        await pair.close()
    }

    @Test func datagramsThatAreDenied() async throws {
        let pair = try await ForwardPair(["udp:0=192.0.2.1:53", "udp:0=127.0.0.1:9"])
        let port = try pair.port()
        let address = SocketAddress.loopback(port: port)
        let socket = try DatagramSocket(local: .loopback(port: 0))
        for byte in UInt8(0)..<3 {
            _ = [byte].withUnsafeBytes {
                socket.send($0, to: address, from: nil, trafficClass: 0)
            }
        }
        #expect(await eventually { pair.clientFailures.all == ["udp 192.0.2.1:53 denied"] })
        #expect(pair.failures.all == ["udp 192.0.2.1:53 denied"])
        #expect(pair.service.totals.failures == [.denied: 1])
        #expect(pair.forwarder.forwards[0].totals.failures == [.denied: 1])
        #expect(pair.forwarder.forwards[1].totals.failed == 0)
        await pair.close()
    }

    /// A service sums its flows up by target, open and ended ones, and those that failed.
    @Test func targetsOfAService() async throws {
        let echo = try PlainServer.echo()
        let free = try FailureTests.free()
        let pair = try await ForwardPair(
            ["tcp:0=127.0.0.1:\(echo.port)", "tcp:0=127.0.0.1:\(free)"])
        let (good, bad) = (try pair.port(0), try pair.port(1))
        let held = try await blocking {
            for text in ["abc", "defg"] {
                let socket = try #require(PlainSocket.connect(good))
                socket.write(text)
                socket.finish()
                #expect(socket.readAll().bytes == Array(text.utf8))
            }
            #expect(try #require(PlainSocket.connect(bad)).readAll().end == .failed(ECONNRESET))
            let open = try #require(PlainSocket.connect(good))
            open.write("x")
            #expect(open.read() == .bytes([120]))
            return open
        }
        // Bytes are counted after they have left.
        #expect(
            await eventually {
                let totals = pair.service.totals
                return totals.open == 1 && totals.sentBytes == 8 && totals.receivedBytes == 8
            })
        let targets = pair.service.targets()
        #expect(targets.map(\.target) == ["127.0.0.1:\(echo.port)", "127.0.0.1:\(free)"])
        let first = try #require(targets.first).totals
        #expect(first.open == 1 && first.flows == 3 && first.failed == 0)
        #expect(first.sentBytes == 8 && first.receivedBytes == 8)
        #expect(targets[1].totals.failures == [.refused: 1])
        held.finish()
        await pair.close()
    }

    /// However many targets there are, a bounded number is remembered, and totals stay right.
    @Test func manyTargets() {
        let ledger = FlowLedger()
        for number in 0..<1000 {
            let record = FlowRecord(.tcp, source: "a", target: "t\(number)", flowClass: .bulk)
            ledger.begin(record)
            ledger.end(record)
            // A second end does nothing.
            ledger.end(record, failure: ForwardResult(.refused))
        }
        #expect(ledger.targets.count == FlowLedger.goalLimit)
        #expect(ledger.totals.flows == 1000 && ledger.totals.failed == 0)
    }

    /// Bytes that were counted elsewhere stay counted, and a new period frees the allowance.
    @Test func confirmedBytes() {
        let allowance = Allowance(ClientLimits(byteCap: 1000), used: 300, now: .zero)
        #expect(allowance.used == 300 && allowance.fresh == 0)
        #expect(allowance.grant(5000, now: .zero) == 700)
        allowance.spend(500)
        #expect(allowance.fresh == 500 && allowance.used == 800)
        // 200 more came while 500 were stored.
        allowance.spend(200)
        allowance.confirm(500, stored: 800)
        #expect(allowance.fresh == 200 && allowance.used == 1000 && allowance.isExhausted)
        allowance.confirm(200, stored: 200)
        #expect(allowance.used == 200 && !allowance.isExhausted)
        allowance.confirm(9, stored: .max)
        allowance.spend(9)
        #expect(allowance.used == .max && allowance.grant(1, now: .zero) == 0)
    }
}
