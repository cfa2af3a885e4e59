import Glibc
import Testing

/// More sessions of one key than `serve` takes.
struct SessionLimitTests {
    private let limit =
        "it has 2 sessions there, the limit; end one of them, or raise 'serve "
        + "--sessions-per-client'"

    /// The session that is too many is refused with the limit, and the others go on; when one of them
    /// has ended, the next attempt gets its place.
    @Test func oneTooManyIsToldTheLimit() throws {
        let server = try RunningServer.joined(["--sessions-per-client", "2"])
        let echo = try EchoServer()
        defer { echo.stop() }
        let first = try server.forward("tcp:0=127.0.0.1:\(echo.port)")
        let second = try server.forward("tcp:0=127.0.0.1:\(echo.port)")
        let stream = try PlainConnection(to: try port(of: "tcp", in: first.output))
        #expect(stream.exchange([1], half: false) == [1])
        let third = try server.forward("tcp:0=127.0.0.1:\(echo.port)")
        #expect(
            eventually { third.output.contains(limit) }, "\(third.output) \(third.errorText)")
        #expect(
            server.says(
                "was refused: van has 2 sessions, the limit (--sessions-per-client)"))
        #expect(!server.log.contains("van  left"), "\(server.log)")
        #expect(stream.exchange([2], half: false) == [2])
        // A command that does not try again ends with the reason.
        write([1], to: server.folder.file("data"))
        let sent = try server.send(server.folder.file("data"), from: "van")
        #expect(sent.status == 75, "\(sent.errors)")
        #expect(sent.errors.contains(limit), "\(sent.errors)")
        // Figures of paths that carried nothing are not what it is about.
        #expect(sent.output.isEmpty, "\(sent.output)")
        second.interrupt()
        #expect(second.wait().status == 130)
        let after = server.log.ranges(of: "  joined from").count
        #expect(eventually { server.log.ranges(of: "  joined from").count > after })
        let next = try PlainConnection(to: try port(of: "tcp", in: third.output))
        #expect(eventually { next.exchange([3], half: false) == [3] })
    }

    /// A client that was killed gets its own place again, though all are taken.
    @Test func aKilledClientGetsItsPlaceAgain() throws {
        let server = try RunningServer.joined(["--sessions-per-client", "1"])
        for round in 0..<3 {
            let client = try server.forward("--reverse", "tcp:0=127.0.0.1:9")
            #expect(
                eventually { client.output.contains("the server listens on") },
                "round \(round): \(client.output)")
            kill(client.process, SIGKILL)
            _ = client.wait()
        }
        #expect(!server.log.contains("was refused"), "\(server.log)")
        #expect(server.end().status == 143)
    }

    /// When a killed client is back, no line says that there is no path to it.
    @Test func aKilledClientIsNotSaidToBeWithoutPaths() throws {
        let server = try RunningServer.joined()
        let client = try server.forward("tcp:0=127.0.0.1:9")
        #expect(server.says("van  joined from"))
        let before = server.log.ranges(of: "van  joined from").count
        kill(client.process, SIGKILL)
        _ = client.wait()
        _ = try server.forward("tcp:0=127.0.0.1:9")
        #expect(server.says("as it stopped answering, and another session of its client has begun"))
        let starts = server.log.ranges(of: "van  joined from")
        try #require(starts.count == before + 1)
        let after = server.log[starts[before].upperBound...]
        #expect(!after.contains("no path to it works"), "\(server.log)")
    }

    @Test func theLimitIsChecked() throws {
        let scratch = Scratch()
        for text in ["0", "1025"] {
            let run = try Pathwise.run(
                "serve", "--state", scratch.file("s"), "--sessions-per-client", text)
            #expect(run.status == 64)
            #expect(run.errorLine == "pathwise: --sessions-per-client \(text): give 1 to 1024")
        }
    }
}
