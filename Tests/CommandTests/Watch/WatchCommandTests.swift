import Glibc
import PathWatch
import Testing

@testable import PathwiseCommand

/// A process that is watched at an address.
struct Watched {
    let port: UInt16

    /// Reads where the process says that it can be watched.
    init(_ process: Pathwise) throws {
        try self.init(process, behind: "watch this process at http://127.0.0.1:")
    }

    /// The same for a process whose log is JSON.
    init(json process: Pathwise) throws {
        try self.init(process, behind: "\"address\":\"127.0.0.1:")
    }

    private init(_ process: Pathwise, behind mark: String) throws {
        #expect(eventually { process.output.contains(mark) || process.hasEnded })
        let start = try #require(process.output.firstRange(of: mark), "\(process.errorText)")
        port = try #require(UInt16(process.output[start.upperBound...].prefix { $0.isNumber }))
    }

    /// The answer to one request, with its head.
    func ask(_ path: String, _ headers: String...) throws -> String {
        let lines = headers.map { $0 + "\r\n" }.joined()
        let request =
            "GET \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\(lines)\r\n"
        // The server ends the connection after its answer.
        return try PlainConnection(to: port).listen(to: request, for: 20)
    }

    func body(_ path: String) throws -> String {
        let answer = try ask(path)
        #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"), "\(path): \(answer.prefix(200))")
        let end = try #require(answer.firstRange(of: "\r\n\r\n"))
        return String(answer[end.upperBound...])
    }

    func metrics() throws -> MetricsReading {
        let reading = MetricsReading(try body("/metrics"))
        #expect(reading.problems == [])
        return reading
    }

    /// What follows the events within a time.
    func events(seconds: Double) throws -> String {
        try PlainConnection(to: port).listen(
            to: "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n", for: seconds)
    }
}

/// `--http` of `serve` and `forward`.
@Suite(.serialized) struct WatchCommandTests {
    /// A page that asks for no token is for users of the server's host, not for its clients.
    @Test func clientsDoNotReachThePage() throws {
        let server = try RunningServer.joined(["--http", "127.0.0.1:0"])
        let page = try Watched(server.process)
        #expect(try page.body("/status").contains("serve"))
        let client = try server.forward("tcp:0=localhost:\(page.port)", "http:0")
        let direct = try PlainConnection(to: try port(of: "tcp", in: client.output))
        let request = "GET /status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        #expect(direct.exchange(Array(request.utf8)).isEmpty)
        let proxy = try PlainConnection(to: try port(of: "http", in: client.output))
        let connect = Array("CONNECT 127.0.0.1:\(page.port) HTTP/1.1\r\n\r\n".utf8)
        let answer = String(decoding: proxy.exchange(connect, half: false), as: UTF8.self)
        #expect(answer.hasPrefix("HTTP/1.1 403 "), "\(answer)")
        let reason = "127.0.0.1:\(page.port) is this server's page, which clients reach only with"
        #expect(eventually { client.output.contains(reason) })
        #expect(server.says(reason))
    }

    @Test func clientsReachAPageWithAToken() throws {
        let token = Scratch()
        write(Array("a-token-of-thirty-two-characters-\n".utf8), to: token.file("token"))
        #expect(chmod(token.file("token"), 0o600) == 0)
        let server = try RunningServer.joined(
            ["--http", "127.0.0.1:0", "--http-token", token.file("token")])
        let page = try Watched(server.process)
        let client = try server.forward("tcp:0=localhost:\(page.port)")
        let direct = try PlainConnection(to: try port(of: "tcp", in: client.output))
        let request = "GET /status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        let answer = String(decoding: direct.exchange(Array(request.utf8)), as: UTF8.self)
        #expect(answer.hasPrefix("HTTP/1.1 401 "), "\(answer)")
    }

    @Test func bothSidesAreWatched() throws {
        let server = try RunningServer.joined(["--http", "127.0.0.1:0"])
        let echo = try EchoServer()
        defer { echo.stop() }
        let client = try server.forward("tcp:0=127.0.0.1:\(echo.port)", "--http", "127.0.0.1:0")
        let ends = (client: try Watched(client), server: try Watched(server.process))
        let local = try port(of: "tcp", in: client.output)
        let bytes = [UInt8](repeating: 9, count: 300_000)
        #expect(try PlainConnection(to: local).exchange(bytes).count == bytes.count)

        // Sums of paths are taken once a second.
        #expect(
            try eventually {
                try ends.client.metrics().sum("pathwise_path_sent_bytes_total") > 300_000
                    && ends.server.metrics().sum("pathwise_path_received_bytes_total") > 300_000
            })
        let mine = try ends.client.metrics()
        #expect(mine["pathwise_connected"] == 1)
        #expect(mine["pathwise_connections_total"] == 1)
        // The only server that was joined needs not be named, and has its name.
        let name = try server.profile("van")
        #expect(mine["pathwise_peer_works", "peer=\"\(name)\""] == 1)
        #expect(mine.sum("pathwise_path_up") == Double(mine.count("pathwise_path_up")))
        #expect(mine.sum("pathwise_forward_sent_bytes_total") == 300_000)
        #expect(mine.sum("pathwise_forward_received_bytes_total") == 300_000)
        #expect(mine.sum("pathwise_forward_flows_total") == 1)
        #expect(mine.sum("pathwise_decisions_total") > 0)
        #expect((mine["process_resident_memory_bytes"] ?? 0) > 1_000_000)
        let rtt = mine.values.first { $0.key.hasPrefix("pathwise_path_round_trip_seconds{") }
        #expect((1e-6...1).contains(try #require(rtt).value))
        let its = try ends.server.metrics()
        #expect(its["pathwise_peer_sessions", "peer=\"van\""] == 1)
        #expect(its["pathwise_peer_works", "peer=\"van\""] == 1)
        let forwards = "peer=\"van\",kind=\"\",target=\"\""
        #expect(its["pathwise_forward_received_bytes_total", forwards] == 300_000)
        #expect(its["pathwise_policy_info", "peer=\"van\",policy=\"min-rtt\",model=\"\""] == 1)

        // docs/watch.md has every metric, and the dashboard asks for none that does not exist.
        let names = Set(mine.kinds.keys).union(its.kinds.keys)
        let described = WatchCommandTests.names(in: "docs/watch.md")
        #expect(described == names.filter { $0.hasPrefix("pathwise_") })
        let asked = WatchCommandTests.names(in: "docs/grafana-dashboard.json")
        #expect(asked.count > 15 && asked.isSubset(of: names))

        // The same document as that of `status --json`, for this process alone.
        let told = try JSONReading(text: try ends.client.body("/status"))
        #expect(try told.text("processes", 0, "command") == "forward")
        #expect(try told.number("processes", 0, "flows", 0, "bytes_sent") == 300_000)
        #expect(try told.number("processes", 0, "sessions", 0, "guard", "demotions") == 0)
        #expect(try told.count("processes", 0, "sessions", 0, "paths") > 0)

        // A client that leaves takes nothing from the sums; one that returns adds to them.
        kill(client.process, SIGTERM)
        _ = client.wait()
        #expect(try eventually { try ends.server.metrics()["pathwise_sessions"] == 0 })
        let after = try ends.server.metrics()
        for name in [
            "pathwise_path_received_bytes_total", "pathwise_path_received_packets_total",
            "pathwise_forward_received_bytes_total", "pathwise_forward_flows_total",
            "pathwise_decisions_total",
        ] { #expect(after.sum(name) >= its.sum(name), "\(name)") }
        #expect(after["pathwise_forward_open_flows", forwards] == 0)
        let again = try server.forward("tcp:0=127.0.0.1:\(echo.port)")
        let other = try port(of: "tcp", in: again.output)
        #expect(try PlainConnection(to: other).exchange(bytes).count == bytes.count)
        #expect(
            try eventually {
                try ends.server.metrics()["pathwise_forward_received_bytes_total", forwards]
                    == 600_000
            })
        #expect(try ends.server.metrics()["pathwise_peer_sessions", "peer=\"van\""] == 1)
    }

    /// The names of metrics in a file of the repository.
    private static func names(in file: String) -> Set<String> {
        let root = #filePath.split(separator: "/").dropLast(4).reduce("") { $0 + "/" + $1 }
        let words = text(of: root + "/" + file).split {
            !($0.isLetter || $0.isNumber || $0 == "_")
        }
        return Set(words.filter { $0.hasPrefix("pathwise_") }.map(String.init))
    }

    /// The history has what was carried, also after a restart.
    @Test func theHistorySurvivesARestart() throws {
        let server = try RunningServer.joined(["--http", "127.0.0.1:0"])
        let echo = try EchoServer()
        defer { echo.stop() }
        let client = try server.forward("tcp:0=127.0.0.1:\(echo.port)")
        let bytes = [UInt8](repeating: 9, count: 200_000)
        let local = try port(of: "tcp", in: client.output)
        #expect(try PlainConnection(to: local).exchange(bytes).count == bytes.count)
        func received(_ watched: Watched) throws -> Double {
            let history = try JSONReading(text: try watched.body("/history?minutes=10&points=1"))
            guard try history.count("paths") > 0 else { return 0 }
            return try (0..<history.count("paths")).reduce(0.0) {
                $0 + (history.optionalNumber("paths", $1, "bytes_received", 0) ?? 0)
                    + (history.optionalNumber("paths", $1, "bytes_received", 1) ?? 0)
            }
        }
        let first = try Watched(server.process)
        #expect(try eventually { try received(first) > 200_000 })
        kill(client.process, SIGTERM)
        _ = client.wait()
        let before = try received(first)
        _ = server.end()
        let next = try RunningServer(
            ["--http", "127.0.0.1:0"], in: server.folder, address: server.address)
        #expect(try received(Watched(next.process)) >= before)
    }

    /// The token with which a client joins is in the log, and nowhere else.
    @Test func tokensAreNotShown() throws {
        let server = try RunningServer(["--http", "127.0.0.1:0", "--json"])
        #expect(server.says("pathwise1-"))
        let watched = try Watched(json: server.process)
        let events = try watched.events(seconds: 1.5)
        #expect(events.contains("event: events\n") && events.contains("event: state\n"))
        #expect(events.contains("listening on"))
        for text in [events] + (try ["/", "/metrics", "/status", "/history"].map(watched.body)) {
            #expect(!text.contains("pathwise1-") && !text.contains("pathwise join p"))
        }
    }

    @Test func aTokenIsAskedFor() throws {
        let folder = Scratch()
        let token = folder.file("token")
        let server = try RunningServer(["--http", "127.0.0.1:0", "--http-token", token])
        let watched = try Watched(server.process)
        for route in ["/metrics", "/status", "/history", "/events", "/none"] {
            #expect(try watched.ask(route).hasPrefix("HTTP/1.1 401 "), "\(route)")
            #expect(
                try watched.ask(route, "Authorization: Bearer x").hasPrefix("HTTP/1.1 401 "))
        }
        let secret = text(of: token).split(separator: "\n")[0]
        #expect(
            try watched.ask("/metrics", "Authorization: Bearer \(secret)")
                .contains("pathwise_build_info"))
        #expect(!server.log.contains(secret) && !server.process.errorText.contains(secret))
    }

    @Test func mistakesAreNamed() throws {
        let folder = Scratch()
        func run(_ arguments: String...) throws -> Finished {
            try Pathwise(
                ["serve", "--state", folder.file("state"), "--listen", "127.0.0.1:0"] + arguments
            ).wait()
        }
        var end = try run("--http", "0.0.0.0:9470")
        #expect(end.status == 64 && end.errorLine?.contains("http-token") == true)
        end = try run("--http", "9470")
        #expect(end.status == 64 && end.errorLine?.contains("127.0.0.1:PORT") == true)
        end = try run("--http-token", folder.file("token"))
        #expect(end.status == 64 && end.errorLine?.contains("--http too") == true)
        write(Array("0123456789012345678901234\n".utf8), to: folder.file("open"))
        chmod(folder.file("open"), 0o644)
        end = try run("--http", "127.0.0.1:0", "--http-token", folder.file("open"))
        #expect(end.status == 78 && end.errorLine?.contains("chmod 600") == true)
        let echo = try EchoServer()
        defer { echo.stop() }
        end = try run("--http", "127.0.0.1:\(echo.port)")
        #expect(end.status == 69 && end.errorLine?.contains("another process listens") == true)
    }

    @Test func theFileSaysTheSame() throws {
        func problems(_ text: String) -> [String] {
            ConfigFile(Array(text.utf8), path: "f").problems.map(\.description)
        }
        #expect(problems("[serve]\nhttp = \"127.0.0.1:9470\"\n") == [])
        #expect(
            problems("[forward]\nforwards = \"udp:5\"\nhttp = \"[::]:9470\"\nhttp-token = \"/t\"\n")
                == [])
        let open = problems("[serve]\nhttp = \"0.0.0.0:9470\"\n")
        #expect(open.count == 1 && open[0].hasPrefix("f:2: serve.http: others can reach"))
        #expect(problems("[serve]\nhttp-token = \"/t\"\n").count == 1)
        #expect(problems("[serve]\nhttp = \"here\"\n").count == 1)
        let file = ConfigFile(Array("[serve]\nhttp = \"unix:/run/w\"\n".utf8), path: "f")
        #expect(Configured(try ServeCommand.line(), file: file).command.watch.http == "unix:/run/w")
    }
}
