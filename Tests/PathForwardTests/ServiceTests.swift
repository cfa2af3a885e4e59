import Glibc
import PathNetwork
import PathTelemetry
import PathTransport
import Pathwise
import Testing

@testable import PathForward

/// What a service refuses, limits and hands on.
@Suite(.serialized, .timeLimit(.minutes(1))) struct ServiceTests {
    private func ask(_ pair: ForwardPair, _ bytes: [UInt8]) async throws -> [UInt8] {
        let stream = try pair.session.openStream()
        try await stream.write(bytes)
        try stream.finish()
        var answer: [UInt8] = []
        while case let more = try await stream.read(), !more.isEmpty { answer += more }
        return answer
    }

    @Test func otherStreamsAreHandedOnWithTheirFirstBytes() async throws {
        let pair = try await ForwardPair([])
        #expect(try await ask(pair, Array("PWT2...".utf8)) == Array("other:PWT2...".utf8))
        #expect(try await ask(pair, Array("PW".utf8)) == Array("other:PW".utf8))
        let enrol = Opening.enrol(key: pair.clientKey.publicKey, name: "van").encoded()
        #expect(try await ask(pair, enrol) == Array("other:".utf8) + enrol)
        await pair.close()
    }

    @Test func brokenOpeningsAreAnswered() async throws {
        let pair = try await ForwardPair([])
        for bytes in [Array("PWF1".utf8) + [9, 0, 0], Array("PWF1".utf8) + [1, 0, 1, 7]] {
            let answer = try await ask(pair, bytes)
            let result = try #require(try ForwardResult.read(answer))
            #expect(result.result.code == .malformed && result.length == answer.count)
        }
        let target = try #require(ForwardTarget(host: "127.0.0.1", port: 1))
        let accepted = Opening.accepted(lease: 0, from: target, FlowOptions())
        let result = try ForwardResult.read(try await ask(pair, accepted.encoded()))
        #expect(result?.result.code == .malformed)
        await pair.close()
    }

    @Test func flowsOfOneClientAreLimited() async throws {
        let target = try PlainServer.echo()
        let pair = try await ForwardPair(
            ["tcp:0=127.0.0.1:\(target.port)"], limits: ClientLimits(flows: 3))
        let port = try pair.port()
        let ends = try await blocking {
            let sockets = try (0..<3).map { _ in try #require(PlainSocket.connect(port)) }
            for socket in sockets {
                socket.write("x")
                #expect(socket.read() == .bytes([120]))
            }
            let fourth = try #require(PlainSocket.connect(port)).readAll().end
            for socket in sockets { socket.finish() }
            for socket in sockets { #expect(socket.readAll().end == .end) }
            return fourth
        }
        #expect(ends == .failed(ECONNRESET))
        await pair.close()
    }

    /// Two megabytes at four megabytes a second take half a second: not less, and not twice that.
    @Test func theRateOfAClientIsLimited() async throws {
        let target = try PlainServer { socket in
            socket.write([UInt8](repeating: 1, count: 2_000_000))
            socket.finish()
            _ = socket.readAll()
        }
        let pair = try await ForwardPair(
            ["tcp:0=127.0.0.1:\(target.port)"], limits: ClientLimits(bytesPerSecond: 4e6))
        let port = try pair.port()
        let start = MonotonicClock.now()
        let count = try await blocking {
            let socket = try #require(PlainSocket.connect(port))
            socket.finish()
            return socket.readAll().bytes.count
        }
        let time = MonotonicClock.now() - start
        #expect(count == 2_000_000)
        #expect(time >= .milliseconds(350), "\(time)")
        await pair.close()
    }

    @Test func theAllowanceOfBytesEnds() async throws {
        let target = try PlainServer { socket in
            socket.write([UInt8](repeating: 1, count: 2_000_000))
            _ = socket.readAll()
        }
        let pair = try await ForwardPair(
            ["tcp:0=127.0.0.1:\(target.port)"], limits: ClientLimits(byteCap: 1_000_000))
        let port = try pair.port()
        let received = try await blocking {
            try #require(PlainSocket.connect(port)).readAll()
        }
        #expect(received.bytes.count <= 1_000_000 && received.end == .failed(ECONNRESET))
        #expect(pair.service.totals.sentBytes == 1_000_000)
        let again = try await blocking { try #require(PlainSocket.connect(port)).readAll() }
        #expect(again.end == .failed(ECONNRESET) && target.accepted == 1)
        await pair.close()
    }

    @Test func tokensFollowTheClock() {
        let start = Instant.zero + .seconds(5)
        let allowance = Allowance(ClientLimits(bytesPerSecond: 1e6), now: start)
        #expect(allowance.grant(1000, now: start) == 0)
        #expect(allowance.grant(65_536, now: start + .milliseconds(10)) == 10_000)
        allowance.spend(10_000)
        #expect(allowance.grant(1000, now: start + .milliseconds(10)) == 0)
        #expect(allowance.grant(1 << 20, now: start + .seconds(60)) == 100_000)
        // A clock that is set back brings nothing, and costs nothing.
        allowance.spend(100_000)
        #expect(allowance.grant(1000, now: start) == 0)
        #expect(allowance.grant(5000, now: start + .seconds(60) + .milliseconds(1)) == 1000)
        #expect(allowance.used == 110_000)
    }

    @Test func aPortInUseIsAnErrorBeforeAnythingElse() throws {
        let taken = try PlainServer { _ in }
        let specs = [
            try ForwardSpec(parsing: "tcp:0=localhost:1"),
            try ForwardSpec(parsing: "socks:\(taken.port)"),
        ]
        let error = #expect(throws: ForwardError.self) { try Forwarder(specs) }
        #expect(
            error.map { "\($0)" }
                == "forward socks:\(taken.port): cannot listen on 127.0.0.1:\(taken.port): "
                + "Address already in use; choose another port, or stop the program that uses it "
                + "('ss -tlpn' names it)")
    }
}
