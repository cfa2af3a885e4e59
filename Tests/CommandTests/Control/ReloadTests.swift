import Glibc
import Testing

/// `forward` and `serve` whose files change while they run.
@Suite(.timeLimit(.minutes(5))) struct ReloadTests {
    private let scratch = Scratch()

    private func file(_ name: String, _ text: String) -> String {
        write(Array(text.utf8), to: scratch.file(name))
        return scratch.file(name)
    }

    private func reload(_ state: String, _ more: String...) throws -> Finished {
        try Pathwise(["reload", "--state", state] + more).wait()
    }

    /// Whoever edits a file that was not given learns that it is not read.
    @Test func withoutAFileNothingIsRead() throws {
        let server = try RunningServer()
        let run = try reload(server.state)
        #expect(
            run.output
                == "reload: it was started without a configuration file, so none was read\n")
        #expect(run.status == 0)
    }

    /// Forwards and paths of the file come and go; a connection of one that stays lives on.
    @Test func aForwardReadsItsFile() throws {
        let server = try RunningServer.joined()
        let echo = try EchoServer()
        defer { echo.stop() }
        let goal = "127.0.0.1:\(echo.port)"
        let state = server.folder.file("van")
        let start = """
            [forward]
            forwards = ["tcp:0=\(goal)"]
            [[path]]
            name = "a"
            address = "127.0.0.1"

            """
        let path = file("forward.toml", start)
        let client = try server.forward("--config", path)
        let stream = try PlainConnection(to: try port(of: "tcp", in: client.output))
        #expect(stream.exchange([1], half: false) == [1])
        // Nothing is different.
        var run = try reload(state)
        #expect(run.status == 0 && run.output == "reload: nothing has changed\n", "\(run.errors)")
        _ = file(
            "forward.toml",
            start.replacing("forwards = [", with: "forwards = [\"udp:0=\(goal)\", ")
                + """
                price = 5
                [[path]]
                name = "b"
                address = "127.0.0.2"
                limit = "20mbit"

                """)
        run = try reload(state)
        #expect(run.status == 0, "\(run.errors)")
        #expect(
            run.output
                == "reload: path with a=127.0.0.1,price=5 b=127.0.0.2,limit=20mbit, without "
                + "a=127.0.0.1; forward.forwards with udp:0=\(goal)\n")
        #expect(eventually { client.output.contains(run.output) })
        #expect(eventually { client.output.contains("udp: listening on") })
        let datagrams = try PlainDatagrams(to: try port(of: "udp", in: client.output))
        #expect(eventually { datagrams.ask([7, 7]) == [7, 7] })
        #expect(stream.exchange([2], half: false) == [2])
        let status = try Pathwise(["status", "--json", "--state", state]).wait()
        #expect(status.output.contains("\"name\":\"b\""), "\(status.output)")
        #expect(status.output.contains("\"requests\":[{\"time\":"))
        // The signal does the same.
        _ = file("forward.toml", start)
        kill(client.process, SIGHUP)
        #expect(
            eventually {
                client.output.contains(
                    "forward.forwards without udp:0=\(goal)\n")
            }, "\(client.output)")
        #expect(stream.exchange([3], half: false) == [3])
        #expect(!client.hasEnded)
    }

    /// A file with a mistake changes nothing, and says why in the answer and in the log.
    @Test(arguments: [
        ("forwards = [\"tcp:0=127.0.0.1:9\"]\nhold = \"never\"", "hold"),
        ("forwards = []", "nothing to forward"),
        ("forwards = [\"tcp:0=127.0.0.1:9\"]\npolicy = \"/no/such/file.safetensors\"", "no/such"),
        (
            "forwards = [\"tcp:0=127.0.0.1:9\"]\n[[path]]\nname = \"x\"\ninterface = \"nothere0\"",
            "x"
        ),
        ("forwards = [\"tcp:0=127.0.0.1:9\"]\nkey = \"/no/key\"\npeer = \"/no/peer\"", "/no/"),
        ("nonsense", "line"),
    ])
    func aWrongFileChangesNothing(text: String, reason: String) throws {
        let server = try RunningServer.joined()
        let echo = try EchoServer()
        defer { echo.stop() }
        let path = file(
            "forward.toml", "[forward]\nforwards = [\"tcp:0=127.0.0.1:\(echo.port)\"]\n")
        let client = try server.forward("--config", path)
        let local = try port(of: "tcp", in: client.output)
        _ = file("forward.toml", "[forward]\n\(text)\n")
        let run = try reload(server.folder.file("van"))
        if text.contains("/no/key") {
            // Keys cannot change while it runs; they are not even read.
            #expect(run.status == 0 && run.output.contains("not while it runs: "), "\(run)")
            return
        }
        #expect([78, 69].contains(run.status), "\(run)")
        if !text.contains("nothere0") { #expect(run.status == 78) }
        let line = try #require(run.errorLine, "\(run)")
        #expect(line.contains("reload: refused, and nothing has changed: "), "\(line)")
        if text != "nonsense" { #expect(line.contains(reason), "\(line)") }
        #expect(eventually { client.output.contains("reload: refused, and nothing has changed: ") })
        #expect(try PlainConnection(to: local).exchange([5]) == [5])
        unlink(path)
        #expect(try reload(server.folder.file("van")).status == 78)
        #expect(!client.hasEnded)
    }

    /// What needs a restart is named, and the rest is done.
    @Test func whatNeedsARestartIsNamed() throws {
        let server = try RunningServer.joined()
        let echo = try EchoServer()
        defer { echo.stop() }
        let goal = "127.0.0.1:\(echo.port)"
        let path = file("forward.toml", "[forward]\nforwards = [\"tcp:0=\(goal)\"]\n")
        let client = try server.forward("--config", path)
        _ = file(
            "forward.toml",
            """
            log-format = "json"
            [forward]
            server = "other"
            hold = "20min"
            forwards = ["tcp:0=\(goal)", "socks:0"]
            """)
        let run = try reload(server.folder.file("van"), "forward")
        #expect(run.status == 0, "\(run.errors)")
        #expect(
            run.output
                == "reload: forward.forwards with socks:0; forward.hold with 20min (from the next "
                + "session on); not while it runs: forward.server with other; log-format with json "
                + "(restart it, as 'systemctl restart' does)\n")
        #expect(eventually { client.output.contains("socks: listening on") })
    }

    /// Rules and limits of a server change for sessions that there are.
    @Test func aServerReadsItsFile() throws {
        let path = file("serve.toml", "[serve]\n")
        let server = try RunningServer.joined(["--config", path])
        let echo = try EchoServer()
        defer { echo.stop() }
        let client = try server.forward("tcp:0=127.0.0.1:\(echo.port)")
        let local = try port(of: "tcp", in: client.output)
        let stream = try PlainConnection(to: local)
        #expect(stream.exchange([1], half: false) == [1])
        _ = file(
            "serve.toml",
            "[serve]\nforward-allow = [\"192.0.2.1:1\"]\nclient-flows = 9\nlisten = \"127.0.0.1:1\"\n"
                + "record = \"\(scratch.file("traces"))/\"\n")
        let run = try reload(server.state)
        #expect(run.status == 0, "\(run.errors)")
        // Its address is on the command line, which goes before the file.
        let traces = "\(scratch.file("traces"))/"
        #expect(
            run.output
                == "reload: serve.forward-allow with 192.0.2.1:1; serve.client-flows with 9; "
                + "serve.record with \(traces)\n")
        #expect(server.says(run.output))
        #expect(try PlainConnection(to: local).exchange([2]).isEmpty)
        #expect(stream.exchange([3], half: false) == [3])
        let trace = try #require(Scratch.names(in: traces).first { $0.hasSuffix(".trace") })
        // A limit of flows at once.
        _ = file("serve.toml", "[serve]\nclient-flows = 1\n")
        kill(server.process.process, SIGHUP)
        #expect(server.says("serve.client-flows 1 instead of 9"))
        #expect(try PlainConnection(to: local).exchange([4]).isEmpty)
        #expect(stream.exchange([5], half: false) == [5])
        let shown = try Pathwise(["trace", "info", traces + trace]).wait()
        #expect(shown.status == 0, "\(shown.errors)")
        _ = file("serve.toml", "[serve]\nclient-flows = 0\n")
        let bad = try reload(server.state)
        #expect(bad.status == 78 && bad.errors.contains("serve.toml:2: serve.client-flows: "))
        _ = file("serve.toml", "[serve]\n")
        #expect(try reload(server.state).status == 0)
        #expect(try PlainConnection(to: local).exchange([6]) == [6])
        #expect(stream.exchange([7]) == [7])
        #expect(server.end().status == 143)
    }
}
