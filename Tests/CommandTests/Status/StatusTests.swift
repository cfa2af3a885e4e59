import Glibc
import PathTelemetry
import PathTransport
import Testing

@testable import Pathwise
@testable import PathwiseCommand

/// `pathwise status`, and the processes that it asks.
struct StatusTests {
    private let runtime = Scratch()

    /// A shell script that runs the program with this test's folder of sockets.
    private var shell: String { "XDG_RUNTIME_DIR='\(runtime.path)' exec \"$@\"" }

    private func run(_ arguments: String...) throws -> Finished {
        try Pathwise(arguments, shell: shell).wait()
    }

    @Test func noProcessRuns() throws {
        let start =
            "start one with 'pathwise forward', 'pathwise serve' or 'pathwise send' "
            + "(in \(runtime.path)/pathwise)"
        for arguments in [
            ["status"], ["status", "--json"], ["status", "--watch"],
            ["status", "--watch", "--json"],
        ] {
            let run = try Pathwise(arguments, shell: shell).wait()
            #expect(run.status == 69)
            // Who reads JSON gets the same document with and without a process.
            #expect(run.output == (arguments.contains("--json") ? "{\"processes\":[]}\n" : ""))
            #expect(
                run.errorLine
                    == "pathwise: no pathwise process of this user is running; \(start)")
        }
        let named = try run("status", "home")
        #expect(named.status == 69)
        #expect(
            named.errorLine == "pathwise: no running pathwise process is 'home'; \(start)")
    }

    @Test func noFolderForSockets() throws {
        let run = try Pathwise.run("status")
        #expect(run.status == 78)
        #expect(
            run.errorLine == "pathwise: neither XDG_RUNTIME_DIR nor HOME names a folder; "
                + "set one, or give --state DIR")
    }

    @Test func wrongArguments() throws {
        let run = try run("status", "one", "two")
        #expect(run.status == 64)
        #expect(
            run.errorLine == "pathwise: Unexpected argument 'two'; see 'pathwise status --help'")
    }

    /// Reports say what copies cost and what they saved.
    @Test func copiesAreTold() {
        var statistics = ConnectionStatistics()
        #expect(SessionSummary.copies(statistics, sent: 1e6) == nil)
        statistics.bytesDuplicated = 50_484
        #expect(
            SessionSummary.copies(statistics, sent: 2e6)
                == "copies: 50.5 kB, 2.5% of what was sent")
        statistics.messagesCopied = 42
        statistics.messagesSaved = 26
        #expect(
            SessionSummary.copies(statistics, sent: 2e6)
                == "copies: 50.5 kB, 2.5% of what was sent; of 42 copied messages, 26 came sooner")
        let unsent = SessionSummary.copies(statistics, sent: 0)
        #expect(unsent?.hasPrefix("copies: 50.5 kB; of") == true)
    }

    /// A sender that waits for a pipe tells its paths and what it sends; after a kill it is gone.
    @Test func aSenderTellsItsPaths() throws {
        let keys = try KeyPairs()
        let receiver = try ListeningReceiver(keys, output: keys.folder.file("out"))
        let pipe = keys.folder.file("pipe")
        try #require(mkfifo(pipe, 0o600) == 0)
        let writer = open(pipe, O_RDWR)
        let bytes = content(400_000)
        let sender = try Pathwise(
            ["send", "-", "--key", keys.clientFile, "--peer", keys.server] + receiver.to
                + ["--path", "dsl=127.0.0.1,price=2.5"],
            inputFile: pipe, shell: shell)
        #expect(write(writer, bytes, 60_000) == 60_000)
        var json: JSONReading?
        let hasSent = eventually {
            guard let found = try? run("status", "--json"), found.status == 0,
                let reading = try? JSONReading(found)
            else { return false }
            json = reading
            let sent = try? reading.number("processes", 0, "flows", 0, "bytes_sent")
            return sent == 60_000
        }
        #expect(hasSent)
        let status = try #require(json)
        #expect(try status.count("processes") == 1)
        #expect(try status.text("processes", 0, "command") == "send")
        #expect(try status.number("processes", 0, "process") == Double(sender.process))
        #expect(try status.text("processes", 0, "flows", 0, "kind") == "files")
        #expect(try status.text("processes", 0, "flows", 0, "target") == "1 item")
        func path(_ member: String) -> [Any] {
            ["processes", 0, "sessions", 0, "paths", 0, member]
        }
        #expect(try status.text("processes", 0, "sessions", 0, "key") == keys.server)
        #expect(try status.text("processes", 0, "sessions", 0, "paths", 0, "name") == "dsl")
        #expect(try status.text("processes", 0, "sessions", 0, "paths", 0, "state") == "active")
        #expect(
            try status.text("processes", 0, "sessions", 0, "paths", 0, "local")
                .hasPrefix("127.0.0.1:"))
        #expect(
            try status.text("processes", 0, "sessions", 0, "paths", 0, "remote")
                == receiver.ports[0])
        #expect(try status.number("processes", 0, "sessions", 0, "paths", 0, "price_per_gb") == 2.5)
        let sent = try status.number("processes", 0, "sessions", 0, "paths", 0, "bytes_sent")
        let payload = try status.number(
            "processes", 0, "sessions", 0, "paths", 0, "payload_bytes_sent")
        let packets = try status.number("processes", 0, "sessions", 0, "paths", 0, "packets_sent")
        #expect(payload > 60_000 && sent == payload + 28 * packets)
        let text = try run("status", "send")
        #expect(text.status == 0)
        let title = "send \(receiver.ports[0]) (process \(sender.process)), running for "
        #expect(text.output.hasPrefix(title))
        #expect(text.output.contains("\npath  state   from "))
        #expect(text.output.contains("\ndsl   active  127.0.0.1:"))
        #expect(text.output.contains("\nfiles  -      1 item  -       -"))
        #expect(try run("status", "\(sender.process)").status == 0)
        #expect(try run("status", "serve").status == 69)
        kill(sender.process, SIGKILL)
        _ = sender.wait()
        close(writer)
        #expect(try run("status").status == 69)
        #expect(Scratch.names(in: runtime.file("pathwise")).count == 1)
        receiver.process.interrupt()
        _ = receiver.process.wait()
    }

    /// `--watch --json` prints a line each second until Ctrl-C.
    @Test func watching() throws {
        let socket = try StatusSocket(
            folder: runtime.file("pathwise"), command: "serve", tick: {},
            answer: { Array("{\"asked\":\"\($0)\"}".utf8) })
        defer { socket.close() }
        let watcher = try Pathwise(["status", "--watch", "--json"], shell: shell)
        #expect(eventually { watcher.output.split(separator: "\n").count >= 2 })
        watcher.interrupt()
        let run = watcher.wait()
        #expect(run.status == 130)
        #expect(run.errors.isEmpty)
        #expect(
            Set(run.output.split(separator: "\n")) == ["{\"processes\":[{\"asked\":\"json\"}]}"])
    }

    @Test func ratesAreOverTwoSeconds() throws {
        var window = RateWindow()
        func at(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1e9)) }
        #expect(window.rates("a", sent: 1, received: 1, at: at(0)) == nil)
        for second in 0...10 {
            let bytes = UInt64(second < 6 ? 0 : (second - 6) * 1000)
            window.add("a", sent: bytes, received: 2 * bytes, at: at(Double(second)))
        }
        #expect(
            window.rates("a", sent: 4500, received: 9000, at: at(10.5))
                == Rates(sent: 1000, received: 2000))
        #expect(window.rates("a", sent: 10, received: 9000, at: at(10.5)) == nil, "began anew")
        #expect(window.rates("a", sent: 4500, received: 9000, at: at(20)) == nil, "too long ago")
        window.keepOnly(addedAt: at(9))
        #expect(window.rates("a", sent: 4500, received: 9000, at: at(10.5)) == nil)
    }

    @Test func capsAsUsersWriteThem() throws {
        #expect(try ByteCap(argument: "50GB/month") == ByteCap(bytes: 50_000_000_000))
        #expect(try ByteCap(argument: "1.5TB") == ByteCap(bytes: 1_500_000_000_000))
        #expect(try ByteCap(argument: "500MB/day") == ByteCap(bytes: 500_000_000, period: .day))
        #expect(try ByteCap(argument: "20kB/week") == ByteCap(bytes: 20_000, period: .week))
        for text in [
            "", "50", "50GB/", "50GB/year", "GB/day", "0GB/day", "-1GB", "50GB/day/day",
            "99999TB", "50XB", "nanGB", "infGB/day",
        ] {
            #expect(throws: SyntaxProblem.self, "\(text)") { try ByteCap(argument: text) }
        }
        let path = try PathArgument(parsing: "lte=wwan0,price=5,cap=50GB/month")
        #expect(path.cap == ByteCap(bytes: 50_000_000_000))
        let hard = try PathArgument(parsing: "lte=wwan0,hard,cap=50GB/week")
        #expect(hard.cap == ByteCap(bytes: 50_000_000_000, period: .week, isHard: true))
        #expect(throws: SyntaxProblem("'hard' needs a cap; write cap=50GB/month,hard")) {
            try PathArgument(parsing: "lte=wwan0,hard")
        }
        #expect(
            throws: SyntaxProblem(
                "cap=5: write a size and day, week or month, as 50GB/month or 500MB/day")
        ) {
            try PathArgument(parsing: "lte=wwan0,cap=5")
        }
    }
}
