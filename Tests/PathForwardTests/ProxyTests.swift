import Glibc
import PathNetwork
import PathTelemetry
import PathTransport
import Pathwise
import Testing

@testable import PathForward

/// SOCKS and HTTP proxies over real sockets and sessions.
@Suite(.serialized, .timeLimit(.minutes(1))) struct ProxyTests {
    private func connect(_ port: UInt16) -> [UInt8] {
        [5, 1, 0, 1, 127, 0, 0, 1, UInt8(port >> 8), UInt8(port & 255)]
    }

    @Test func socksReachesATargetByAddressAndByName() async throws {
        let target = try PlainServer.echo()
        let pair = try await ForwardPair(["socks:0"])
        let (port, aim) = (try pair.port(), target.port)
        let byName =
            [5, 1, 0, 3, 9] + Array("localhost".utf8) + [UInt8(aim >> 8), UInt8(aim & 255)]
        for request in [connect(aim), byName] {
            let (reply, echo) = try await blocking {
                let socket = try #require(PlainSocket.connect(port))
                // One byte at a time, as a slow client sends.
                for byte in [5, 1, 0] + request { socket.write([byte]) }
                let reply = socket.read(exactly: 2 + 10)
                socket.write("ping")
                socket.finish()
                return (reply, socket.readAll())
            }
            #expect(reply.prefix(6) == [5, 0, 5, 0, 0, 1], "\(reply)")
            #expect(reply.suffix(6) == [127, 0, 0, 1, UInt8(aim >> 8), UInt8(aim & 255)])
            #expect(echo.bytes == Array("ping".utf8) && echo.end == .end)
        }
        await pair.close()
    }

    /// Greeting, request and the first bytes in one packet.
    @Test func socksTakesEverythingAtOnce() async throws {
        let target = try PlainServer.echo()
        let pair = try await ForwardPair(["socks:0"])
        let (port, request) = (try pair.port(), connect(target.port))
        let received = try await blocking {
            let socket = try #require(PlainSocket.connect(port))
            socket.write([5, 1, 0] + request + Array("early".utf8))
            socket.finish()
            return socket.readAll()
        }
        #expect(received.bytes.suffix(5) == Array("early".utf8) && received.bytes.count == 17)
        #expect(received.end == .end)
        await pair.close()
    }

    @Test func socksSaysWhyAConnectionFailed() async throws {
        let closed = try PlainServer { _ in }.port
        let rules = ForwardRules(
            connecting: [try AllowRule(parsing: "127.0.0.1:\(closed)")], listening: [])
        let pair = try await ForwardPair(["socks:0"], rules: rules)
        let port = try pair.port()
        let cases: [(request: [UInt8], code: UInt8)] = [
            (connect(closed), 5), (connect(closed ^ 1), 2),
            ([5, 1, 0, 3, 9] + Array("x.invalid".utf8) + [0, 80], 4),
        ]
        for (request, code) in cases {
            let received = try await blocking {
                let socket = try #require(PlainSocket.connect(port))
                socket.write([5, 1, 0] + request)
                return socket.readAll()
            }
            #expect(received.bytes == [5, 0, 5, code, 0, 1, 0, 0, 0, 0, 0, 0])
            #expect(received.end == .end)
        }
        let totals = pair.forwarder.forwards[0].totals
        #expect(totals.flows == 3 && totals.failed == 3 && totals.open == 0)
        await pair.close()
    }

    /// Clients that say nothing, or stop half-way, are dropped; the usual time is 30 seconds.
    @Test func slowClientsOfAProxyAreDropped() async throws {
        let loop = try FlowLoop()
        defer { loop.stop() }
        for (text, first) in [
            ("socks:0", [5, 1]), ("http:0", Array("CONNECT a".utf8)), ("http:0", []),
        ] {
            let forward = try TCPForward(
                try ForwardSpec(parsing: text), seat: SessionSeat(), relays: nil, loop: loop,
                patience: .milliseconds(100))
            forward.attach()
            let (port, start) = (forward.localAddress.port, MonotonicClock.now())
            let end = try await blocking {
                let socket = try #require(PlainSocket.connect(port))
                socket.write(first)
                return socket.readAll()
            }
            #expect(end.bytes == [] && end.end == .end)
            #expect(MonotonicClock.now() - start >= .milliseconds(100))
        }
    }

    /// Without a session a proxy says so; a plain forward resets.
    @Test func aProxyWithoutASessionSaysSo() async throws {
        let loop = try FlowLoop()
        defer { loop.stop() }
        let forward = try TCPForward(
            try ForwardSpec(parsing: "http:0"), seat: SessionSeat(), relays: nil, loop: loop)
        forward.attach()
        let port = forward.localAddress.port
        let answer = try await blocking {
            let socket = try #require(PlainSocket.connect(port))
            socket.write("CONNECT a:1 HTTP/1.1\r\n\r\n")
            return socket.readAll().bytes
        }
        let text = String(decoding: answer, as: UTF8.self)
        #expect(text.hasPrefix("HTTP/1.1 502 ") && text.hasSuffix("there is no session now\n"))
    }

    @Test func httpReachesATarget() async throws {
        let target = try PlainServer.echo()
        let pair = try await ForwardPair(["http:0"])
        let (port, aim) = (try pair.port(), target.port)
        let received = try await blocking {
            let socket = try #require(PlainSocket.connect(port))
            socket.write("CONNECT localhost:\(aim) HTTP/1.1\r\nHost: localhost\r\n\r\nearly")
            socket.finish()
            return socket.readAll()
        }
        let text = String(decoding: received.bytes, as: UTF8.self)
        #expect(text == "HTTP/1.1 200 Connection established\r\n\r\nearly")
        #expect(received.end == .end)
        await pair.close()
    }

    @Test func httpSaysWhyAConnectionFailed() async throws {
        let closed = try PlainServer { _ in }.port
        let rules = ForwardRules(
            connecting: [try AllowRule(parsing: "127.0.0.1:\(closed)")], listening: [])
        let pair = try await ForwardPair(["http:0"], rules: rules)
        let port = try pair.port()
        let cases: [(request: String, start: String)] = [
            ("CONNECT 127.0.0.1:\(closed) HTTP/1.1\r\n\r\nmore", "HTTP/1.1 502 Bad Gateway\r\n"),
            ("CONNECT 127.0.0.1:\(closed ^ 1) HTTP/1.1\r\n\r\n", "HTTP/1.1 403 Forbidden\r\n"),
            ("CONNECT x.invalid:80 HTTP/1.1\r\n\r\n", "HTTP/1.1 502 Bad Gateway\r\n"),
            ("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 405 Method Not Allowed\r\nAllow: CONNECT\r\n"),
        ]
        for (request, start) in cases {
            let received = try await blocking {
                let socket = try #require(PlainSocket.connect(port))
                socket.write(request)
                return socket.readAll()
            }
            let text = String(decoding: received.bytes, as: UTF8.self)
            #expect(text.hasPrefix(start) && received.end == .end, "\(text)")
        }
        await pair.close()
    }
}
