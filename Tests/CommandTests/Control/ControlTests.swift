import Glibc
import Testing

@testable import PathwiseCommand

/// `pathwise control` of running processes.
@Suite(.timeLimit(.minutes(5))) struct ControlTests {
    private let scratch = Scratch()

    private func control(_ state: String, _ words: String) throws -> Finished {
        try Pathwise(
            ["control", "--state", state] + words.split(separator: " ").map(String.init)
        ).wait()
    }

    @Test func aForwardIsChanged() throws {
        let server = try RunningServer.joined()
        let echo = try EchoServer()
        defer { echo.stop() }
        let state = server.folder.file("van")
        let goal = "127.0.0.1:\(echo.port)"
        let client = try server.forward("tcp:0=\(goal)", "--path", "a=127.0.0.1")
        let stream = try PlainConnection(to: try port(of: "tcp", in: client.output))
        #expect(stream.exchange([1], half: false) == [1])
        for (words, text) in [
            ("path add b=127.0.0.2,limit=5mbit", "path with b=127.0.0.2,limit=5mbit"),
            (
                "path limit b 20mbit",
                "path b=127.0.0.2,limit=20mbit instead of b=127.0.0.2,limit=5mbit"
            ),
            (
                "path weight b 3",
                "path b=127.0.0.2,limit=20mbit,weight=3 instead of b=127.0.0.2,limit=20mbit"
            ),
            (
                "path limit b none",
                "path b=127.0.0.2,weight=3 instead of b=127.0.0.2,limit=20mbit,weight=3"
            ),
            (
                "path cap b 1GB/month,hard",
                "path b=127.0.0.2,weight=3,cap=1GB/month,hard instead of b=127.0.0.2,weight=3"
            ),
            ("path remove b", "path without b=127.0.0.2,weight=3,cap=1GB/month,hard"),
            ("forward add udp:0=\(goal)", "forward.forwards with udp:0=\(goal)"),
            ("forward remove udp:0=\(goal)", "forward.forwards without udp:0=\(goal)"),
            ("policy min-rtt", "forward.policy with min-rtt"),
            ("policy back", "forward.policy without min-rtt"),
            ("policy back", "forward.policy with min-rtt"),
            ("policy steady", "forward.policy steady instead of min-rtt"),
            ("record start \(scratch.path)/t/", "forward.record with \(scratch.path)/t/"),
            ("record stop", "forward.record without \(scratch.path)/t/"),
        ] {
            let run = try control(state, words)
            #expect(run.status == 0, "\(words): \(run.errors)")
            #expect(run.output == "\(words): \(text)\n")
            #expect(eventually { client.output.contains(run.output) }, "\(words)")
            #expect(stream.exchange([2], half: false) == [2], "\(words)")
        }
        let trace = try #require(Scratch.names(in: scratch.file("t")).first)
        #expect(try Pathwise(["trace", "info", scratch.file("t/") + trace]).wait().status == 0)
        for (words, status, text) in [
            ("path remove a", Int32(64), "'a' is the only path"),
            ("path remove c", 64, "no path is called 'c'; there are a"),
            ("path add a=127.0.0.3", 64, "two paths are called 'a'"),
            ("path limit a soon", 64, "limit=soon"),
            ("forward remove tcp:1", 64, "no forward is 'tcp:1'"),
            ("forward add sctp:1", 64, "is not a forward"),
            ("policy fast", 65, "fast"),
            (
                "client revoke van", 64,
                "'forward' does not take 'client revoke', which is for 'serve'"
            ),
            ("path limits a 1", 64, "did you mean 'path limit'?"),
            ("path limit a", 64, "write: pathwise control path limit NAME RATE"),
        ] {
            let run = try control(state, words)
            #expect(run.errors.contains(text), "\(words): \(run)")
            #expect(run.status == status || run.status == 64, "\(words): \(run)")
        }
        let json = try Pathwise(
            ["control", "--json", "--state", state, "path", "price", "a", "7"]
        ).wait()
        #expect(
            json.output
                == "{\"request\":\"path price a 7\",\"by\":\"socket\",\"done\":true,\"changes\":[{"
                + "\"key\":\"path\",\"before\":[\"a=127.0.0.1\"],\"after\":[\"a=127.0.0.1,price=7\"],\"effect\":"
                + "\"at once\"}],\"not_changed\":[],\"notes\":[],\"text\":\"path price a 7: path "
                + "a=127.0.0.1,price=7 instead of a=127.0.0.1\"}\n")
        // The file, or here the command line, is the truth after a reload.
        let back = try Pathwise(["reload", "--state", state]).wait()
        #expect(back.output.contains("path a=127.0.0.1 instead of a=127.0.0.1,price=7"))
        #expect(stream.exchange([3]) == [3])
    }

    /// A recording that was replaced still gets outcomes for ten seconds, and has a ring of 16 MB; only
    /// a few have that.
    @Test func manyRecordingsOneAfterTheOther() throws {
        let server = try RunningServer.joined()
        let client = try server.forward("tcp:0=127.0.0.1:9", "--path", "a=127.0.0.1")
        let state = server.folder.file("van")
        var before = 0.0
        for number in 0..<80 {
            let run = try control(state, "record start \(scratch.file("\(number).trace"))")
            #expect(run.status == 0, "\(run.errors)")
            if number == 15 { before = residentMegabytes(client.process) }
        }
        let grown = residentMegabytes(client.process) - before
        #expect(grown < 20, "\(grown) MB")
    }

    @Test func clientsOfAServer() throws {
        let server = try RunningServer.joined()
        let client = try server.forward("tcp:0=127.0.0.1:9")
        let key = try Pathwise(["keygen", scratch.file("other.key")]).wait()
        let word = try #require(key.output.split(whereSeparator: \.isWhitespace).last)
        var run = try control(server.state, "client allow home \(word) rate=20mbit")
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.output.hasSuffix(": home may connect\n"))
        #expect(server.clients.contains("home \(word) rate=20mbit\n"))
        #expect(server.says("2 clients may connect now"))
        for (words, text) in [
            ("client allow home \(word)", "a client above has the same key"),
            ("client allow x y", "is not a public key"),
            ("client revoke nobody", "no client is called 'nobody'; there are van, home"),
        ] {
            let refused = try control(server.state, words)
            #expect(refused.status == 64 && refused.errors.contains(text), "\(refused)")
        }
        run = try control(server.state, "client revoke van")
        #expect(run.status == 0 && !server.clients.contains("van "), "\(run.errors)")
        #expect(eventually { client.hasEnded })
        #expect(client.wait().status == 77)
    }

    @Test func nobodyToAsk() throws {
        let run = try Pathwise(["reload", "--state", scratch.path]).wait()
        #expect(
            run.status == 69 && run.errors.contains("no pathwise process of this user is running"))
        let bare = try Pathwise(["control", "--state", scratch.path]).wait()
        #expect(bare.status == 64)
    }

    /// Each key says when a change of it takes effect, and only keys that there are do.
    @Test func everyKeyHasAnEffect() {
        for section in ConfigSchema.sections {
            for key in section.keys {
                let name = section.fullName(key.name)
                let effect = ConfigSchema.effect(of: name)
                let mayStay =
                    ["state", "log-level", "log-format"].contains(name)
                    || name.hasPrefix("forward.")
                    || name.hasPrefix("serve.")
                #expect(effect != .restart || mayStay, "\(name)")
                #expect((effect == .never) == name.hasPrefix("send."), "\(name)")
            }
        }
        let restart = ConfigSchema.sections.flatMap { section in
            section.keys.map { section.fullName($0.name) }
        }.filter { ConfigSchema.effect(of: $0) == .restart }
        #expect(
            restart == [
                "state", "log-level", "log-format", "serve.listen", "serve.output",
                "serve.on-conflict",
                "serve.sync", "serve.http", "serve.http-token", "forward.server", "forward.to",
                "forward.peer", "forward.key", "forward.psk", "forward.http", "forward.http-token",
            ], "\(restart)")
    }

    /// What a process answers is read with any text in it.
    @Test func answersAreRead() throws {
        for text in [
            "plain", "\"text\":\"", "\"exit_code\":0,", "a\\n\u{1}\u{e9}\u{1F600}\t\"", "\\u0041",
        ] {
            var answer = ControlAnswer(request: "path add \(text)", notes: [text])
            var read = try #require(ControlReply(Array((answer.line + "\n").utf8)))
            #expect(read.status == .success && read.text == answer.text)
            answer.failure = CommandFailure(text, .configuration)
            read = try #require(ControlReply(Array((answer.line + "\n").utf8)))
            #expect(read.status == .configuration && read.text == answer.text)
        }
        for line in ["", "{}\n", "{\"text\":\"", "x\"text\":\"\"}\n"] {
            #expect(ControlReply(Array(line.utf8)) == nil)
        }
    }
}
