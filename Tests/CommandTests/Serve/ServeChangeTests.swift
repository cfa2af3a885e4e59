import Glibc
import Testing

/// A running `serve` whose clients change, and what its log says.
struct ServeChangeTests {
    private let scratch = Scratch()

    private func lines(_ log: String, with text: String) -> Int {
        log.split(separator: "\n").count { $0.contains(text) }
    }

    /// One bad line does not keep a client in that was removed, nor another one out; the server
    /// starts with it, and says once what to correct.
    @Test func aBadLineStopsNoOther() throws {
        let server = try RunningServer.joined(["--output", scratch.file("in")])
        #expect(try server.join(try server.invite(), host: "home").status == 0)
        write([1, 2, 3], to: scratch.file("data"))
        #expect(try server.send(scratch.file("data"), from: "van").status == 0)
        let home = try #require(
            server.clients.split(separator: "\n").first { $0.hasPrefix("home ") })
        write(Array("van nokey\n\(home)\n".utf8), to: server.state + "/clients")
        let problem =
            "problem: \(server.state)/clients, line 1: 'nokey' is not a public key; write the 44 "
            + "characters that 'pathwise pubkey' prints; this line admits nobody"
        #expect(server.says(problem))
        #expect(server.says("1 client may connect now"))
        #expect(try server.send(scratch.file("data"), from: "van").status == 77)
        #expect(try server.send(scratch.file("data"), from: "home").status == 0)
        // Another change says nothing new about that line, and counts.
        write(
            Array("van nokey\n\(home) rate=1mbit\n# more\n".utf8), to: server.state + "/clients")
        #expect(eventually { lines(server.log, with: "1 client may connect now") == 2 })
        #expect(lines(server.log, with: "nokey") == 1)
        // Tokens are taken beside it, and enrol.
        #expect(try server.join(try server.invite(), host: "third").status == 0)
        #expect(server.clients.hasPrefix("van nokey\n\(home) rate=1mbit\n"))
        let address = server.address
        #expect(server.end().status == 143)
        let again = try RunningServer(
            ["--output", scratch.file("in")], in: server.folder, address: address)
        #expect(again.says(problem))
        #expect(try again.send(scratch.file("data"), from: "home").status == 0)
        #expect(try again.send(scratch.file("data"), from: "van").status == 77)
        #expect(lines(again.log, with: "nokey") == 1)
    }

    /// A bad line of `tokens` does not keep a removed client in.
    @Test func aBadLineOfTokens() throws {
        let server = try RunningServer.joined()
        write(Array("nonsense\n".utf8), to: server.state + "/tokens")
        #expect(server.says("tokens, line 1: 'nonsense' is not a public key; "))
        write(Array("# nobody\n".utf8), to: server.state + "/clients")
        #expect(server.says("0 clients may connect now"))
        write([1], to: scratch.file("data"))
        #expect(try server.send(scratch.file("data"), from: "van").status == 77)
        #expect(try server.join(try server.invite(), host: "home").status == 0)
    }

    /// A client that is removed and put back is admitted after two seconds at the latest.
    @Test func putBack() throws {
        let server = try RunningServer.joined(["--output", scratch.file("in")])
        let good = server.clients
        write([1], to: scratch.file("data"))
        for _ in 0..<2 {
            write(Array("# nobody\n".utf8), to: server.state + "/clients")
            usleep(1_900_000)
            #expect(try server.send(scratch.file("data"), from: "van").status == 77)
            write(Array(good.utf8), to: server.state + "/clients")
            usleep(1_900_000)
            let sent = try server.send(scratch.file("data"), from: "van")
            #expect(sent.status == 0, "\(sent.errors)")
        }
    }

    /// A join is one line of the log; the sessions of `join` itself are not told.
    @Test func aJoinIsOneLine() throws {
        let server = try RunningServer.joined()
        usleep(1_500_000)
        let own = server.log.split(separator: "\n").filter { $0.contains("  van  ") }
        #expect(own.count == 1, "\(own)")
        #expect(own.first?.contains("  van  enrolled with a token from 127.0.0.1:") == true)
    }

    /// A client that is told to end is gone for the server at once, not after `--hold`.
    @Test(arguments: [SIGINT, SIGTERM])
    func aSignalEndsTheSession(signal: Int32) throws {
        let server = try RunningServer.joined(["--output", scratch.file("in")])
        let source = try SourceServer()
        defer { source.stop() }
        let client = try server.forward("tcp:0=127.0.0.1:\(source.port)")
        let stream = try PlainConnection(to: try port(of: "tcp", in: client.output))
        // In the middle of a flood, whose packets wait in front of the last one.
        #expect(stream.drain(for: 0.3).bytes > 0)
        kill(client.process, signal)
        #expect(client.wait().status == 128 + signal)
        var isSeen = false
        for _ in 0..<100 where !isSeen {
            isSeen =
                server.log.contains("paths: the client ended it")
                || server.log.contains("path: the client ended it")
            usleep(20_000)
        }
        #expect(isSeen, "\(server.log)")
        #expect(stream.drain(for: 5).isOver)
        // The same for a transfer.
        let pipe = scratch.file("pipe")
        mkfifo(pipe, 0o600)
        let writer = open(pipe, O_RDWR | O_CLOEXEC)
        defer { close(writer) }
        let sender = try Pathwise(["send", pipe, "--state", server.folder.file("van")])
        #expect(eventually { lines(server.log, with: "  joined") == 2 })
        kill(sender.process, signal)
        #expect(sender.wait().status == 128 + signal)
        for _ in 0..<100 where lines(server.log, with: "the client ended it") < 2 {
            usleep(20_000)
        }
        #expect(lines(server.log, with: "the client ended it") == 2, "\(server.log)")
    }
}
