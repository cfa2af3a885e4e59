import Glibc
import Testing

@testable import Pathwise

/// Limits of a client's line, measured by a program behind a running `serve`.
struct ClientLimitTests {
    /// A rate holds for all connections of the client together.
    @Test func theRateOfALine() throws {
        let server = try RunningServer.joined()
        server.allow("rate=8mbit")
        #expect(server.says("1 client may connect now"))
        let source = try SourceServer()
        defer { source.stop() }
        let client = try server.forward("tcp:0=127.0.0.1:\(source.port)")
        let port = try port(of: "tcp", in: client.output)
        let start = seconds()
        let streams = try (0..<2).map { _ in try PlainConnection(to: port) }
        // The two are read in turn; what the other one gets meanwhile waits in buffers.
        let first = streams[0].drain(for: 1)
        let second = streams[1].drain(for: 1)
        let passed = seconds() - start
        let bytes = Double(first.bytes + second.bytes)
        // A megabyte a second, and the bucket of a tenth of a second.
        #expect(bytes < 1e6 * passed + 250_000, "\(bytes) in \(passed) s")
        #expect(bytes > 300_000, "\(bytes) in \(passed) s")
        #expect(!first.isOver && !second.isOver)
        kill(client.process, SIGTERM)
        _ = client.wait()
    }

    /// A cap ends the flows at its last byte, and a restart of the server brings nothing new.
    @Test func theCapOfALineSurvivesARestart() throws {
        let server = try RunningServer.joined()
        server.allow("cap=2MB/week")
        #expect(server.says("1 client may connect now"))
        let source = try SourceServer()
        defer { source.stop() }
        let client = try server.forward("tcp:0=127.0.0.1:\(source.port)")
        let local = try port(of: "tcp", in: client.output)
        let first = try PlainConnection(to: local).drain(for: 20)
        #expect(first.isOver)
        #expect(first.bytes > 100_000 && first.bytes <= 2_000_000, "\(first.bytes)")
        #expect(
            server.says("van  has reached its cap (2 MB of 2 MB a week): it may forward nothing"))
        let status = try server.status(of: "server")
        #expect(try status.text("processes", 0, "flows", 0, "kind") == "forwards")
        #expect(try status.number("processes", 0, "flows", 0, "cap", "used_bytes") == 2_000_000)
        #expect(try status.bool("processes", 0, "flows", 0, "cap", "is_reached"))
        let again = try PlainConnection(to: local).drain(for: 20)
        #expect(again.isOver && again.bytes == 0)
        #expect(
            server.says("van  tcp: no flow to 127.0.0.1:\(source.port): this client's cap of"))
        let file = server.state + "/client-usage/van"
        let address = server.address
        #expect(server.end().status == 143)
        let stored = try UsageFile.parse(try #require(bytes(of: file)), path: file)
        #expect(stored.reduce(0) { $0 + $1.count.total } == 2_000_000)
        let second = try RunningServer(in: server.folder, address: address)
        #expect(second.says("van  joined from"))
        let after = try PlainConnection(to: local).drain(for: 20)
        #expect(after.isOver && after.bytes == 0, "\(after.bytes)")
        #expect(
            second.says("van  tcp: no flow to 127.0.0.1:\(source.port): this client's cap of"))
        // A higher cap lets it go on from there.
        let text = second.clients.replacing(" cap=2MB/week", with: " cap=3MB/week")
        write(Array(text.utf8), to: second.state + "/clients")
        #expect(second.says("1 client may connect now"))
        var more = 0
        #expect(
            eventually(within: 30) {
                more += (try? PlainConnection(to: local).drain(for: 5).bytes) ?? 0
                return more > 0
            })
        #expect(more <= 1_000_000, "\(more)")
        kill(client.process, SIGTERM)
        _ = client.wait()
    }

    /// A cap is told at 80 % by a line of the log, before it is reached.
    @Test func theLogTellsInTime() throws {
        let server = try RunningServer.joined()
        server.allow("cap=2MB rate=8mbit")
        #expect(server.says("1 client may connect now"))
        let source = try SourceServer()
        defer { source.stop() }
        let client = try server.forward("tcp:0=127.0.0.1:\(source.port)")
        let end = try PlainConnection(to: try port(of: "tcp", in: client.output)).drain(for: 20)
        #expect(end.isOver)
        #expect(server.says("van  has reached its cap ("))
        let log = server.log
        let near = try #require(log.firstRange(of: "van  has used 80 % of its cap (1."))
        let reached = try #require(log.firstRange(of: "van  has reached its cap ("))
        #expect(near.lowerBound < reached.lowerBound)
        kill(client.process, SIGTERM)
        _ = client.wait()
    }

    /// A server that is killed has stored all but the last megabyte of what a client with a cap moved.
    @Test func aKilledServerLosesLittle() throws {
        let server = try RunningServer.joined()
        server.allow("cap=1TB rate=400mbit")
        #expect(server.says("1 client may connect now"))
        let source = try SourceServer()
        defer { source.stop() }
        let client = try server.forward("tcp:0=127.0.0.1:\(source.port)")
        let moved = try PlainConnection(to: try port(of: "tcp", in: client.output)).drain(for: 2)
        kill(server.process.process, SIGKILL)
        let file = server.state + "/client-usage/van"
        let stored = try UsageFile.parse(try #require(bytes(of: file)), path: file)
            .reduce(0) { $0 + $1.count.total }
        #expect(moved.bytes > 5_000_000)
        #expect(Int(stored) > moved.bytes - 1_000_000, "\(stored) of \(moved.bytes)")
    }
}
