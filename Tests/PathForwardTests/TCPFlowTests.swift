import Glibc
import PathTelemetry
import PathTransport
import Pathwise
import Testing

@testable import PathForward

/// TCP flows between real sockets, over two real sessions.
@Suite(.serialized, .timeLimit(.minutes(1))) struct TCPFlowTests {
    static func content(_ count: Int, seed: UInt64) -> [UInt8] {
        var generator = SeededGenerator(seed: seed)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 8)
        while bytes.count < count {
            withUnsafeBytes(of: generator.next()) { bytes += $0 }
        }
        bytes.removeLast(bytes.count - count)
        return bytes
    }

    @Test func twentyMegabytesBothWaysAreTheSame() async throws {
        let (there, back) = (
            TCPFlowTests.content(20 << 20, seed: 1), TCPFlowTests.content(20 << 20, seed: 2)
        )
        let target = try PlainServer { socket in
            let bytes = socket.read(exactly: there.count)
            if bytes == there { socket.write(back) }
            socket.finish()
            _ = socket.readAll()
        }
        let pair = try await ForwardPair(["tcp:0=127.0.0.1:\(target.port)"])
        let port = try pair.port()
        let received = try await blocking {
            let socket = try #require(PlainSocket.connect(port))
            #expect(socket.write(there))
            socket.finish()
            return socket.readAll()
        }
        #expect(received.bytes == back && received.end == .end)
        #expect(await eventually { pair.forwarder.flows().isEmpty && pair.service.flows().isEmpty })
        let totals = pair.forwarder.forwards[0].totals
        #expect(
            totals
                == FlowTotals(
                    open: 0, flows: 1, failed: 0, sentBytes: 20 << 20, receivedBytes: 20 << 20))
        #expect(pair.service.totals.sentBytes == 20 << 20)
        await pair.close()
    }

    /// A request, the end of its half, and the answer after that: as HTTP/1.0 and rsh do.
    @Test func halvesEndOneByOne() async throws {
        let target = try PlainServer { socket in
            let request = socket.readAll()
            socket.write(Array("got \(request.bytes.count), ".utf8))
            socket.write("\(request.end)")
            socket.finish()
            _ = socket.readAll()
        }
        let pair = try await ForwardPair(["tcp:0=127.0.0.1:\(target.port)"])
        let port = try pair.port()
        let answer = try await blocking {
            let socket = try #require(PlainSocket.connect(port))
            socket.write("hello")
            socket.finish()
            return socket.readAll()
        }
        #expect(String(decoding: answer.bytes, as: UTF8.self) == "got 5, end")
        #expect(answer.end == .end)
        await pair.close()
    }

    /// The target may end its half first, and the application goes on sending.
    @Test func theTargetMayEndItsHalfFirst() async throws {
        let target = try PlainServer { socket in
            socket.write("first")
            socket.finish()
            let rest = socket.readAll()
            if rest.bytes == Array("later".utf8) { PlainNotes.shared.note("later") }
        }
        let pair = try await ForwardPair(["tcp:0=127.0.0.1:\(target.port)"])
        let port = try pair.port()
        try await blocking {
            let socket = try #require(PlainSocket.connect(port))
            let first = socket.readAll()
            #expect(first.bytes == Array("first".utf8) && first.end == .end)
            socket.write("later")
            socket.finish()
        }
        #expect(await eventually { PlainNotes.shared.has("later") })
        #expect(await eventually { pair.service.flows().isEmpty })
        await pair.close()
    }

    @Test func aResetOfTheApplicationReachesTheTarget() async throws {
        let target = try PlainServer { socket in
            socket.write("x")
            PlainNotes.shared.note("reset of application: \(socket.readAll().end)")
        }
        let pair = try await ForwardPair(["tcp:0=127.0.0.1:\(target.port)"])
        let port = try pair.port()
        try await blocking {
            let socket = try #require(PlainSocket.connect(port))
            #expect(socket.read() == .bytes([120]))
            socket.resetOnClose()
        }
        let text = "reset of application: \(PlainSocket.Arrival.failed(ECONNRESET))"
        #expect(await eventually { PlainNotes.shared.has(text) }, "\(PlainNotes.shared.all)")
        #expect(await eventually { pair.service.flows().isEmpty && pair.forwarder.flows().isEmpty })
        await pair.close()
    }

    @Test func aResetOfTheTargetReachesTheApplication() async throws {
        let target = try PlainServer { socket in
            _ = socket.read()
            socket.resetOnClose()
        }
        let pair = try await ForwardPair(["tcp:0=127.0.0.1:\(target.port)"])
        let port = try pair.port()
        let end = try await blocking {
            let socket = try #require(PlainSocket.connect(port))
            socket.write("x")
            return socket.readAll().end
        }
        #expect(end == .failed(ECONNRESET))
        await pair.close()
    }

    /// Nobody listens there: the application's connection is accepted and then reset.
    @Test func aRefusedTargetResetsTheApplication() async throws {
        let unused = try PlainServer { _ in }.port
        let pair = try await ForwardPair(["tcp:0=127.0.0.1:\(unused)"])
        let port = try pair.port()
        let end = try await blocking { try #require(PlainSocket.connect(port)).readAll().end }
        #expect(end == .failed(ECONNRESET))
        #expect(await eventually { pair.service.totals.failed == 1 })
        #expect(pair.forwarder.forwards[0].totals.failed == 1)
        await pair.close()
    }

    /// The rules are checked before anything is connected.
    @Test func aDeniedTargetIsNotConnected() async throws {
        let target = try PlainServer.echo()
        let rules = ForwardRules(
            connecting: [try AllowRule(parsing: "127.0.0.1:1-1023")], listening: [])
        let pair = try await ForwardPair(
            ["tcp:0=127.0.0.1:\(target.port)", "tcp:0=localhost:\(target.port)"], rules: rules)
        for index in 0..<2 {
            let port = try pair.port(index)
            let end = try await blocking { try #require(PlainSocket.connect(port)).readAll().end }
            #expect(end == .failed(ECONNRESET))
        }
        #expect(await eventually { pair.service.totals.failed == 2 })
        #expect(target.accepted == 0)
        await pair.close()
    }

    /// A name with several addresses: the one where somebody listens is found.
    @Test func allAddressesOfANameAreTried() async throws {
        let target = try PlainServer.echo()
        let pair = try await ForwardPair(["tcp:0=localhost:\(target.port)"])
        let port = try pair.port()
        let bytes = try await blocking {
            let socket = try #require(PlainSocket.connect(port))
            socket.write("ping")
            socket.finish()
            return socket.readAll().bytes
        }
        #expect(bytes == Array("ping".utf8))
        await pair.close()
    }

    @Test func threeHundredConnectionsAtOnce() async throws {
        try await connections(300)
    }

    func connections(_ count: Int) async throws {
        let target = try PlainServer.echo()
        let pair = try await ForwardPair(["tcp:0=127.0.0.1:\(target.port)"])
        let port = try pair.port()
        let before = ResidentMemory.bytes
        let correct = try await blocking {
            let sockets = (0..<count).compactMap { _ in PlainSocket.connect(port) }
            for (index, socket) in sockets.enumerated() { socket.write("flow \(index)") }
            var correct = 0
            for (index, socket) in sockets.enumerated() {
                let wanted = Array("flow \(index)".utf8)
                if socket.read(exactly: wanted.count) == wanted { correct += 1 }
            }
            #expect(pair.forwarder.flows().count == count && pair.service.flows().count == count)
            if getenv("PATHWISE_BENCH") != nil {
                let each = (ResidentMemory.bytes - before) / count
                print("resident memory: \(each) bytes a flow, both sides and the target's thread")
            }
            for socket in sockets { socket.finish() }
            for socket in sockets where socket.readAll().end != .end { correct -= 1 }
            return correct
        }
        #expect(correct == count)
        #expect(await eventually { pair.forwarder.flows().isEmpty && pair.service.flows().isEmpty })
        await pair.close()
    }

    /// Listeners outlive a session: a connection made in between waits for the next one.
    @Test func connectionsWaitForTheNextSession() async throws {
        let target = try PlainServer.echo()
        let pair = try await ForwardPair(["tcp:0=127.0.0.1:\(target.port)"])
        let port = try pair.port()
        let first = try await blocking {
            let socket = try #require(PlainSocket.connect(port))
            socket.write("one")
            #expect(socket.read(exactly: 3) == Array("one".utf8))
            return socket
        }
        pair.forwarder.detach()
        await pair.session.close()
        let (lost, waiting) = try await blocking {
            let waiting = try #require(PlainSocket.connect(port))
            waiting.write("two")
            waiting.finish()
            return (first.readAll().end, waiting)
        }
        #expect(lost == .failed(ECONNRESET) && target.accepted == 1)
        let next = try await pair.connect()
        pair.forwarder.attach(next)
        let answer = try await blocking { waiting.readAll() }
        #expect(answer.bytes == Array("two".utf8) && answer.end == .end)
        await next.close()
        await pair.close()
    }

    /// A target that does not read stops the application, and only so much is buffered between.
    @Test func aStuckTargetStopsTheSender() async throws {
        let target = try PlainServer { socket in
            while !PlainNotes.shared.has("read on") { usleep(5000) }
            PlainNotes.shared.note("read \(socket.readAll().bytes.count)")
        }
        let pair = try await ForwardPair(["tcp:0=127.0.0.1:\(target.port)"])
        let port = try pair.port()
        let before = ResidentMemory.bytes
        let taken = try await blocking {
            let socket = try #require(PlainSocket.connect(port))
            _ = fcntl(socket.descriptor, F_SETFL, O_NONBLOCK)
            let piece = [UInt8](repeating: 7, count: 65_536)
            var taken = 0
            var stuck = 0
            // The sender counts as stopped after 300 ms without progress.
            while stuck < 60, taken < 200 << 20 {
                let count = send(
                    socket.descriptor, piece, piece.count, Int32(MSG_NOSIGNAL))
                if count > 0 {
                    taken += count
                    stuck = 0
                } else {
                    stuck += 1
                    usleep(5000)
                }
            }
            #expect(ResidentMemory.bytes - before < 40 << 20)
            PlainNotes.shared.note("read on")
            return taken
        }
        // Kernel buffers of two connections, the stream's window and what the sender holds.
        #expect(taken < 40 << 20)
        #expect(await eventually { PlainNotes.shared.has("read \(taken)") })
        await pair.close()
    }

    /// Forty downloads that nobody reads, far more than a stream's window each: others go on.
    @Test func stuckConnectionsDoNotStopOthers() async throws {
        let flood = try PlainServer { socket in
            let piece = [UInt8](repeating: 1, count: 1 << 20)
            for _ in 0..<8 where !socket.write(piece) { return }
        }
        let echo = try PlainServer.echo()
        let pair = try await ForwardPair(
            ["tcp:0=127.0.0.1:\(flood.port)", "tcp:0=127.0.0.1:\(echo.port)"])
        let (port, other) = (try pair.port(0), try pair.port(1))
        let stuck = try await blocking { (0..<40).compactMap { _ in PlainSocket.connect(port) } }
        #expect(stuck.count == 40)
        #expect(await eventually { flood.accepted == 40 })
        // All windows are full now, or will be while the other connection runs.
        let content = TCPFlowTests.content(1 << 20, seed: 4)
        let received = try await blocking {
            let socket = try #require(PlainSocket.connect(other))
            try WorkerThread(named: "test-sender") {
                socket.write(content)
                socket.finish()
            }.detach()
            return socket.readAll()
        }
        #expect(received.bytes == content && received.end == .end)
        for socket in stuck { socket.resetOnClose() }
        await pair.close()
    }

    /// With its session a connection ends at both ends, by a reset.
    @Test func theEndOfTheSessionResetsItsConnections() async throws {
        let target = try PlainServer { socket in
            socket.write("x")
            PlainNotes.shared.note("session: \(socket.readAll().end)")
        }
        let pair = try await ForwardPair(["tcp:0=127.0.0.1:\(target.port)"])
        let port = try pair.port()
        let socket = try await blocking {
            let socket = try #require(PlainSocket.connect(port))
            #expect(socket.read() == .bytes([120]))
            return socket
        }
        await pair.session.close()
        let end = try await blocking { socket.readAll().end }
        #expect(end == .failed(ECONNRESET))
        let text = "session: \(PlainSocket.Arrival.failed(ECONNRESET))"
        #expect(await eventually { PlainNotes.shared.has(text) })
        await pair.close()
    }
}
