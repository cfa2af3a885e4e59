import Glibc
import PathNetwork
import PathTelemetry
import PathTransport
import Pathwise
import Synchronization
import Testing

@testable import PathForward

/// Forwards that come and go while others are in use.
@Suite(.serialized, .timeLimit(.minutes(1))) struct ChangeTests {
    private func spec(_ text: String, isReverse: Bool = false) throws -> ForwardSpec {
        try ForwardSpec(parsing: text, isReverse: isReverse)
    }

    private func answers(_ port: UInt16) async throws -> Bool {
        try await blocking {
            guard let socket = PlainSocket.connect(port) else { return false }
            socket.write("ask")
            socket.finish()
            let answer = socket.readAll()
            return answer.bytes == Array("ask".utf8) && answer.end == .end
        }
    }

    /// A port for datagrams that was used is free at once, for a forward with other options and for one
    /// that returns after it was removed: here no other socket of the process has traffic.
    @Test func aUsedPortForDatagramsIsTakenOver() async throws {
        let echo = try Echo()
        let pair = try await ForwardPair(["udp:0=\(echo.target),deadline=30s"])
        let port = try pair.port()
        let entry = SocketAddress.loopback(port: port)
        for options in ["class=interactive", "deadline=20s", "deadline=30s"] {
            #expect(try await Program().ask([1], entry)?.bytes == [1])
            let changed = try spec("udp:\(port)=\(echo.target),\(options)")
            try await pair.forwarder.change(to: [changed])
            #expect(try await Program().ask([2], entry)?.bytes == [2])
            try await pair.forwarder.change(to: [])
            try await pair.forwarder.change(to: [changed])
        }
        #expect(try await Program().ask([3], entry)?.bytes == [3])
        echo.stop()
        await pair.close()
    }

    /// A connection of a forward that stays, and one of a forward that goes, live on; the removed
    /// forward listens no more, and the new one does.
    @Test func connectionsOutliveTheChange() async throws {
        let target = try PlainServer.echo()
        let goal = "127.0.0.1:\(target.port)"
        let pair = try await ForwardPair(["tcp:0=\(goal)", "http:0", "tcp:0=\(goal),class=media"])
        let (kept, gone) = (try pair.port(0), try pair.port(2))
        let specs = pair.forwarder.forwards.map(\.spec)
        let sockets = try await blocking {
            try [kept, gone].map { try #require(PlainSocket.connect($0)) }
        }
        func exchange(_ text: String) async throws {
            for socket in sockets {
                let bytes = try await blocking {
                    socket.write(text)
                    return socket.read(exactly: text.utf8.count)
                }
                #expect(bytes == Array(text.utf8))
            }
        }
        try await exchange("before")
        try await pair.forwarder.change(
            to: [specs[0], try spec("socks:0"), try spec("tcp:0=localhost:\(target.port)")])
        try await exchange("after")
        #expect(try pair.port(0) == kept)
        let kinds = pair.forwarder.forwards.map(\.spec.kind)
        #expect(kinds == [.tcp, .socks, .tcp])
        #expect(try await answers(kept))
        #expect(try await answers(try pair.port(2)))
        let isClosed = try await blocking { PlainSocket.connect(gone) == nil }
        #expect(isClosed)
        #expect(pair.forwarder.forwards[0].totals.flows == 2)
        try await exchange("once more")
        // Status counts the connection of the forward that went until it ends.
        let leaving = pair.forwarder.leavingForwards
        #expect(leaving.map(\.spec) == [specs[2]])
        #expect(leaving.first?.state == .leaving("127.0.0.1:\(gone)"))
        #expect(leaving.first?.totals.open == 1 && leaving.first?.totals.sentBytes == 20)
        #expect(pair.forwarder.flows().count { $0.target == goal } == 2)
        try await blocking {
            for socket in sockets { socket.finish() }
            for socket in sockets { #expect(socket.readAll().end == .end) }
        }
        #expect(await eventually { pair.forwarder.leavingForwards.isEmpty })
        await pair.close()
    }

    /// A forward that changes its options keeps its connections in the counts, also if the change fails.
    @Test func otherOptionsKeepTheCounts() async throws {
        let target = try PlainServer.echo()
        let goal = "127.0.0.1:\(target.port)"
        let pair = try await ForwardPair(["tcp:0=\(goal)"], reverse: ["tcp:0=\(goal)"])
        let ports = [try pair.port(0), try await pair.reversePort(1)]
        func specs(_ options: String) throws -> [ForwardSpec] {
            try [false, true].map {
                try spec("tcp:\(ports[$0 ? 1 : 0])=\(goal)\(options)", isReverse: $0)
            }
        }
        try await pair.forwarder.change(to: try specs(""))
        #expect(try await pair.reversePort(1) == ports[1])
        let sockets = try await blocking {
            try ports.map { try #require(PlainSocket.connect($0)) }
        }
        func exchange() async throws {
            for socket in sockets {
                let bytes = try await blocking {
                    socket.write("ask")
                    return socket.read(exactly: 3)
                }
                #expect(bytes == Array("ask".utf8))
            }
        }
        try await exchange()
        for (round, name) in ["interactive", "media", "bulk"].enumerated() {
            try await pair.forwarder.change(to: try specs(",class=\(name)"))
            try await exchange()
            let bytes = UInt64(3 * (round + 2))
            #expect(
                await eventually {
                    pair.forwarder.forwards.allSatisfy {
                        $0.totals.open == 1 && $0.totals.flows == 1
                            && $0.totals.sentBytes == bytes && $0.totals.receivedBytes == bytes
                    }
                }, "\(pair.forwarder.forwards.map(\.totals))")
            #expect(pair.forwarder.leavingForwards.isEmpty)
        }
        let taken = try PlainServer { _ in }
        let wanted = try specs(",class=media") + [try spec("tcp:\(taken.port)=\(goal)")]
        await #expect(throws: ForwardError.self) { try await pair.forwarder.change(to: wanted) }
        #expect(pair.forwarder.forwards.allSatisfy { $0.totals.open == 1 })
        #expect(pair.forwarder.leavingForwards.isEmpty)
        try await exchange()
        await pair.close()
    }

    /// Connections that come one after another during changes of options are all accepted, and those
    /// that begin later have the new options.
    @Test func otherOptionsRefuseNobody() async throws {
        let target = try PlainServer.echo()
        let goal = "127.0.0.1:\(target.port)"
        let pair = try await ForwardPair(["tcp:0=\(goal)", "http:0"])
        let ports = [try pair.port(0), try pair.port(1)]
        let kept = try await blocking { try #require(PlainSocket.connect(ports[0])) }
        func exchange(_ socket: PlainSocket) async throws {
            let bytes = try await blocking {
                socket.write("ask")
                return socket.read(exactly: 3)
            }
            #expect(bytes == Array("ask".utf8))
        }
        try await exchange(kept)
        let isOver = Stop()
        let connecting = Task {
            try await blocking {
                var (made, refused) = (0, 0)
                while !isOver.value.load(ordering: .acquiring) || made < 200 {
                    // A reset at the close, so that no port of this side is used up.
                    if let socket = PlainSocket.connect(ports[made % 2]) {
                        socket.resetOnClose()
                    } else {
                        refused += 1
                    }
                    made += 1
                }
                return (made, refused)
            }
        }
        let names = ["interactive", "media", "bulk"]
        for round in 0..<60 {
            let options = ",class=\(names[round % 3])"
            try await pair.forwarder.change(to: [
                try spec("tcp:0=\(goal)" + options), try spec("http:0" + options),
            ])
            #expect(
                pair.forwarder.forwards.map(\.spec.options.flowClass.name) == [
                    names[round % 3], names[round % 3],
                ])
        }
        isOver.value.store(true, ordering: .releasing)
        let (made, refused) = try await connecting.value
        #expect(refused == 0, "\(refused) of \(made) were refused")
        #expect(try pair.port(0) == ports[0] && pair.port(1) == ports[1])
        // The last change was to bulk.
        try await pair.forwarder.change(to: [
            try spec("tcp:0=\(goal),class=interactive"), try spec("http:0"),
        ])
        let late = try await blocking { try #require(PlainSocket.connect(ports[0])) }
        for socket in [kept, late] { try await exchange(socket) }
        let classes = pair.forwarder.flows().map(\.flowClass)
        #expect(classes.first == .bulk && classes.last == .interactive)
        let served = pair.service.flows().map(\.flowClass)
        #expect(served.contains(.interactive))
        await pair.close()
    }

    private final class Stop: Sendable {
        let value = Atomic<Bool>(false)
    }

    /// Another option on the same port takes the address over.
    @Test func anAddressIsTakenOver() async throws {
        let target = try PlainServer.echo()
        let pair = try await ForwardPair(["tcp:0=127.0.0.1:\(target.port)", "udp:0=127.0.0.1:9"])
        let (tcp, udp) = (try pair.port(0), try pair.port(1))
        let again = try spec("tcp:\(tcp)=127.0.0.1:\(target.port),class=interactive")
        for text in ["class=interactive", "class=media", "class=bulk"] {
            try await pair.forwarder.change(to: [
                try spec("tcp:\(tcp)=127.0.0.1:\(target.port),\(text)"),
                try spec("udp:\(udp)=127.0.0.1:9,\(text)"),
            ])
            #expect(try pair.port(0) == tcp && pair.port(1) == udp)
            #expect(try await answers(tcp))
        }
        try await pair.forwarder.change(to: [again])
        #expect(pair.forwarder.forwards.count == 1)
        await pair.close()
    }

    /// If one address is in use, all is as before.
    @Test func aChangeThatFailsChangesNothing() async throws {
        let target = try PlainServer.echo()
        let goal = "127.0.0.1:\(target.port)"
        let taken = try PlainServer { _ in }
        let pair = try await ForwardPair(["tcp:0=\(goal)", "udp:0=\(goal)"])
        let specs = pair.forwarder.forwards.map(\.spec)
        let ports = [try pair.port(0), try pair.port(1)]
        let own = try spec("tcp:\(ports[0])=\(goal)")
        try await pair.forwarder.change(to: [own, specs[1]])
        for wanted in [
            [try spec("tcp:0=\(goal)"), try spec("tcp:\(taken.port)=\(goal)")],
            [try spec("tcp:\(ports[0])=\(goal),class=media"), try spec("http:\(taken.port)")],
        ] {
            do {
                try await pair.forwarder.change(to: wanted)
                Issue.record("the address is in use")
            } catch {
                #expect("\(error)".contains("\(taken.port)"), "\(error)")
            }
            #expect(pair.forwarder.forwards.map(\.spec) == [own, specs[1]])
            #expect(try pair.port(0) == ports[0] && pair.port(1) == ports[1])
            #expect(try await answers(ports[0]))
        }
        await pair.close()
    }

    /// The first reverse forward of a session, and its end.
    @Test func aReverseForwardComesAndGoes() async throws {
        let target = try PlainServer.echo()
        let goal = "127.0.0.1:\(target.port)"
        let pair = try await ForwardPair(["tcp:0=\(goal)"])
        let specs = pair.forwarder.forwards.map(\.spec)
        try await pair.forwarder.change(to: specs + [try spec("tcp:0=\(goal)", isReverse: true)])
        let port = try await pair.reversePort(1)
        #expect(try await answers(port))
        try await pair.forwarder.change(to: specs)
        var isClosed = false
        for _ in 0..<200 where !isClosed {
            isClosed = try await blocking { PlainSocket.connect(port) == nil }
        }
        #expect(isClosed)
        #expect(try await answers(try pair.port(0)))
        await pair.close()
    }

    /// Other rules are for flows that begin later.
    @Test func rulesChange() async throws {
        let target = try PlainServer.echo()
        let pair = try await ForwardPair(["tcp:0=127.0.0.1:\(target.port)"])
        let port = try pair.port()
        let open = try await blocking { try #require(PlainSocket.connect(port)) }
        let first = try await blocking {
            open.write("a")
            return open.read(exactly: 1)
        }
        #expect(first == [97])
        pair.service.setRules(
            ForwardRules(connecting: [try AllowRule(parsing: "192.0.2.1:1")], listening: []))
        #expect(try await !answers(port))
        let second = try await blocking {
            open.write("b")
            return open.read(exactly: 1)
        }
        #expect(second == [98])
        pair.service.setRules(ForwardRules())
        #expect(try await answers(port))
        #expect(
            pair.failures.all == ["tcp 127.0.0.1:\(target.port) denied"], "\(pair.failures.all)")
        await pair.close()
    }

    /// Limits change for flows that are open.
    @Test func anAllowanceChanges() {
        let start = Instant.zero
        let allowance = Allowance(ClientLimits(), now: start)
        #expect(allowance.grant(1 << 20, now: start) == 1 << 20)
        allowance.spend(1 << 20)
        allowance.setLimits(ClientLimits(flows: 3, byteCap: 1_500_000))
        #expect(allowance.limits.flows == 3 && !allowance.isExhausted)
        #expect(allowance.grant(1 << 20, now: start) == 1_500_000 - 1 << 20)
        allowance.setLimits(ClientLimits(byteCap: 1000))
        #expect(allowance.isExhausted && allowance.grant(10, now: start) == 0)
        allowance.setLimits(ClientLimits(bytesPerSecond: 1000), stored: 0)
        #expect(!allowance.isExhausted)
        #expect(allowance.grant(5000, now: start + .seconds(2)) == 2000)
    }
}
