import Glibc
import Testing

/// `forward` as a process beside `serve`, with programs at both ends.
struct ForwardTests {
    @Test func programsMeetOverIt() throws {
        let server = try RunningServer.joined()
        let echo = try EchoServer()
        defer { echo.stop() }
        let client = try server.forward(
            "tcp:0=127.0.0.1:\(echo.port)", "udp:0=127.0.0.1:\(echo.port)")
        let content = content(300_000)
        let stream = try PlainConnection(to: try port(of: "tcp", in: client.output))
        #expect(stream.exchange(content) == content)
        let datagrams = try PlainDatagrams(to: try port(of: "udp", in: client.output))
        let large = Array(content.prefix(20_000))
        // Datagrams that come before the session are dropped.
        #expect(eventually { datagrams.ask(large) == large })
        // The status of both sides names the flows.
        let status = try Pathwise(
            ["status", "--state", server.folder.file("van")]
        ).wait()
        #expect(status.status == 0, "\(status.errors)")
        #expect(status.output.contains("=127.0.0.1:\(echo.port)"))
        kill(client.process, SIGTERM)
        #expect(client.wait().status == 143)
        #expect(server.says("van  left after "))
    }

    /// A server that was killed and started again is found, and UDP flows go on from the same port.
    @Test func aRestartedServerIsFoundAgain() throws {
        let first = try RunningServer.joined()
        let echo = try EchoServer()
        defer { echo.stop() }
        let client = try first.forward(
            "udp:0=127.0.0.1:\(echo.port)", "tcp:0=127.0.0.1:\(echo.port)")
        let datagrams = try PlainDatagrams(to: try port(of: "udp", in: client.output))
        #expect(eventually { datagrams.ask([1, 2, 3]) == [1, 2, 3] })
        let stream = try PlainConnection(to: try port(of: "tcp", in: client.output))
        #expect(stream.exchange([4], half: false) == [4])
        let address = first.address
        #expect(first.end(SIGKILL).status == -SIGKILL)
        let second = try RunningServer(in: first.folder, address: address)
        #expect(second.says("van  joined from"))
        #expect(eventually { datagrams.ask([5, 6]) == [5, 6] })
        // The old connection was reset, not left hanging.
        #expect(stream.isReset)
        let next = try PlainConnection(to: try port(of: "tcp", in: client.output))
        #expect(next.exchange([7]) == [7])
        kill(client.process, SIGINT)
        #expect(client.wait().status == 130)
    }

    @Test(arguments: [
        (["sctp:1"], 64, "is not a forward; write tcp:PORT"),
        (["tcp:1", "--deadline", "soon"], 64, "--deadline 'soon': write deadline=120ms"),
        (["tcp:1", "--class", "fast"], 64, "class=interactive"),
        (["socks:1=a:2"], 64, "a proxy has no target"),
        (["--reverse", "socks:1"], 64, "--reverse takes tcp: and udp: only"),
        (["tcp:99999"], 64, "a port is a number from 0 to 65535"),
        (["tcp:1"], 64, "no server is known"),
        (["tcp:1,deadline=1s"], 64, "deadline= is for datagrams, and tcp: carries connections"),
        (["tcp:1", "http:2", "--deadline", "1s"], 64, "--deadline: deadline= is for datagrams"),
        (["tcp:1", "--ordered", "20ms"], 64, "--ordered: ordered= is for datagrams, and tcp:"),
        (["udp:1", "--class", "media"], 64, "no server is known"),
        (["udp:1,class=urgent"], 64, "class=interactive"),
        (["tcp:9999", "tcp:9999"], 64, "'tcp:9999' is given twice, TCP 9999; give each its own"),
        (
            ["tcp:9999=a:1", "udp:9999", "socks:0.0.0.0:9999"], 64,
            "'tcp:9999=a:1' and 'socks:0.0.0.0:9999' listen on the same port, TCP 9999"
        ),
        (
            ["--reverse", "udp:9999", "udp:9999=a:1"], 64,
            "'udp:9999' and 'udp:9999=a:1' listen on the same port, UDP 9999"
        ),
        (["tcp:9999", "udp:9999", "tcp:[::]:9999=a:1", "tcp:0=a:1", "tcp:0=a:1"], 64, "no server"),
        (["udp:1", "tcp:2", "--class", "media", "--deadline", "1s"], 64, "no server is known"),
    ])
    func wrongInputIsOneLine(arguments: [String], status: Int32, text: String) throws {
        let scratch = Scratch()
        let run = try Pathwise(
            ["forward", "--state", scratch.file("none")] + arguments
        ).wait()
        #expect(run.status == status, "\(run.errors)")
        #expect(run.errorLine?.contains(text) == true, "\(run.errors)")
        #expect(run.output.isEmpty)
    }

    @Test func aPortInUseIsNamed() throws {
        let server = try RunningServer.joined()
        let echo = try EchoServer()
        defer { echo.stop() }
        let run = try Pathwise(
            ["forward", "--state", server.folder.file("van"), "tcp:\(echo.port)"]
        ).wait()
        #expect(run.status == 69, "\(run.errors)")
        #expect(run.errorLine?.contains("127.0.0.1:\(echo.port)") == true, "\(run.errors)")
    }
}
