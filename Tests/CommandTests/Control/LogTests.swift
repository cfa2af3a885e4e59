import Glibc
import PathTelemetry
import Testing

@testable import PathwiseCommand

/// The logs of runs that last for months: levels, forms, the journal, and lines that come again.
struct LogTests {
    private let scratch = Scratch()

    @Test func levelsAreOrdered() throws {
        #expect(LogLevel.error > .warning && LogLevel.warning > .info && LogLevel.info > .debug)
        #expect(LogLevel.allCases.map(\.rawValue) == [3, 4, 6, 7])
        for level in LogLevel.allCases { #expect(LogLevel(level.name) == level) }
        #expect(LogLevel("notice") == nil)
        let log = EventLog(json: false, least: .warning, isForJournal: false)
        #expect(log.shows(.error) && log.shows(.warning) && !log.shows(.info))
        let events = ["problem", "flow_failed", "joined", "path"]
        #expect(events.map { LogLevel(ofEvent: $0) } == [.error, .warning, .info, .debug])
    }

    /// The same line is printed once a minute, and the others are counted.
    @Test func repeatedLinesAreCounted() {
        var lines = RepeatedLines()
        /// Whether a line is printed so many seconds after the start.
        func isNew(_ event: String, _ text: String, at second: Int64) -> Bool {
            lines.isNew(event, text, now: .zero + .seconds(second))
        }
        func rest(at second: Int64, isLast: Bool = false) -> [RepeatedLines.Rest] {
            lines.rest(now: .zero + .seconds(second), isLast: isLast)
        }
        let first = (0..<59).filter { isNew("problem", "full", at: Int64($0)) }
        #expect(first == [0])
        let others = [isNew("problem", "other", at: 59), isNew("refused", "full", at: 59)]
        #expect(others == [true, true])
        let rests = [rest(at: 59), rest(at: 60), rest(at: 61)]
        #expect(
            rests == [[], [RepeatedLines.Rest(event: "problem", text: "full", count: 58)], []])
        let again = [isNew("problem", "full", at: 62), isNew("problem", "full", at: 63)]
        #expect(again == [true, false])
        let last = rest(at: 63, isLast: true).map(\.count)
        #expect(last == [1])
        // Very many different lines take no more room, and are all printed.
        let many = (0..<1000).count { isNew("problem", "\($0)", at: 64) }
        let ends = [isNew("problem", "999", at: 64), isNew("problem", "0", at: 64)]
        #expect(many == 1000 && ends == [true, false])
    }

    /// A path that has worked is said to fall once, and to return; those that are not wanted any more
    /// and those that never worked are not.
    @Test func pathsFallAndReturn() {
        var falls = PathFalls()
        func look(
            _ states: [(String, PathState)], absent: [(String, String)] = [], at second: Int64
        ) -> [String] {
            falls.look(
                states.map { (name: $0.0, state: $0.1) },
                absent: absent.map { (name: $0.0, reason: $0.1) }, now: .zero + .seconds(second)
            ).map(\.text)
        }
        #expect(look([("dsl", .validating), ("lte", .active)], at: 0).isEmpty)
        #expect(look([("dsl", .failed), ("lte", .suspect)], at: 1).isEmpty)
        #expect(look([("dsl", .active), ("lte", .active)], at: 2).isEmpty)
        #expect(
            look([("dsl", .active), ("lte", .failed)], at: 3)
                == ["path lte does not work: it does not answer"])
        #expect(look([("dsl", .standby), ("lte", .probing)], at: 4).isEmpty)
        #expect(look([("dsl", .active)], absent: [("lte", "wwan0 is missing")], at: 5).isEmpty)
        #expect(
            look([("dsl", .active), ("lte", .active)], at: 8) == [
                "path lte works again after 5.0 s"
            ])
        #expect(
            look([("dsl", .active)], absent: [("lte", "wwan0 is missing")], at: 9)
                == ["path lte does not work: wwan0 is missing"])
        // It was taken away, and comes back as a new one.
        #expect(look([("dsl", .active)], at: 10).isEmpty)
        #expect(look([("dsl", .active), ("lte", .active)], at: 11).isEmpty)
        let events = PathFalls.Change.fell(name: "a", reason: "b").event
        #expect(events == "path_down" && LogLevel(ofEvent: events) == .info)
    }

    /// Interfaces are looked at only when a path has gone: that holds up the session's packets.
    @Test func pathsThatWorkAskForNoInterfaces() {
        var falls = PathFalls()
        var asked = 0
        func absent() -> [(name: String, reason: String)] {
            asked += 1
            return [(name: "lte", reason: "wwan0 is missing")]
        }
        let both = [(name: "dsl", state: PathState.active), (name: "lte", state: .suspect)]
        for second in 0..<100 {
            let now = Instant.zero + .seconds(Int64(second))
            #expect(falls.look(both, absent: absent(), now: now).isEmpty)
        }
        #expect(asked == 0)
        let works = both.map { (name: $0.name, state: PathState.active) }
        _ = falls.look(works, absent: absent(), now: .zero + .seconds(100))
        #expect(asked == 0)
        let left = Array(works.prefix(1))
        #expect(falls.look(left, absent: absent(), now: .zero + .seconds(101)).count == 1)
        #expect(asked == 1)
    }

    @Test func theJournalIsKnownByItsFile() throws {
        let path = scratch.file("journal")
        write([], to: path)
        let file = open(path, O_WRONLY | O_CLOEXEC)
        defer { close(file) }
        var information = stat()
        try #require(fstat(file, &information) == 0)
        let (device, number) = (information.st_dev, information.st_ino)
        #expect(JournalStream.isNamed(by: "\(device):\(number)", file))
        for wrong in [
            "", ":", "\(device)", "\(device):\(number + 1)", "\(device + 1):\(number)",
            "\(device):\(number):", "-1:\(number)", "x:y", "99999999999999999999:1",
        ] {
            #expect(!JournalStream.isNamed(by: wrong, file), "\(wrong)")
        }
    }

    /// A server under systemd: each line has its level, and its text no time.
    @Test func linesForTheJournal() throws {
        let state = scratch.file("s")
        // The shell knows the file only after it was opened.
        let server = try Pathwise(
            ["serve", "--state", state, "--listen", "127.0.0.1:0"],
            shell: "export JOURNAL_STREAM=$(stat -L -c %d:%i /proc/$$/fd/1); exec \"$@\"")
        #expect(eventually { server.output.contains("pathwise join") }, "\(server.errorText)")
        kill(server.process, SIGTERM)
        #expect(server.wait().status == 143)
        let lines = server.output.split(separator: "\n")
        #expect(lines.first?.hasPrefix("<6>listening on 127.0.0.1:") == true, "\(lines)")
        #expect(lines.dropFirst().allSatisfy { $0.hasPrefix("<4>") }, "\(lines)")
        #expect(lines.contains { $0.hasPrefix("<4>  pathwise join pathwise1-") })
    }

    @Test(arguments: [[], ["-v"]])
    func detailsAreOnRequest(options: [String]) throws {
        let server = try RunningServer.joined(options)
        let client = try server.forward("tcp:0=127.0.0.1:9", "-v", "--path", "a=127.0.0.1")
        _ = try PlainConnection(to: try port(of: "tcp", in: client.output)).exchange([1])
        #expect(server.says("tcp: no flow to 127.0.0.1:9: "))
        kill(client.process, SIGTERM)
        #expect(client.wait().status == 143)
        #expect(client.output.contains("  path 0 validating -> active: validated\n"))
        #expect(server.says("  van  left after "))
        #expect(server.log.contains("  van  path 0 ") == !options.isEmpty, "\(server.log)")
    }

    /// With -q only what somebody has to do is left: the token is among it.
    @Test func quietIsQuiet() throws {
        let server = try Pathwise([
            "serve", "--state", scratch.file("s"), "--listen", "127.0.0.1:0", "-q",
            "--log-format", "json",
        ])
        #expect(eventually { server.output.contains("pathwise1-") }, "\(server.errorText)")
        kill(server.process, SIGHUP)
        usleep(600_000)
        kill(server.process, SIGTERM)
        #expect(server.wait().status == 143)
        let lines = server.output.split(separator: "\n")
        #expect(lines.count == 1 && lines[0].contains("\"event\":\"token\""), "\(lines)")
        #expect(lines.first?.hasSuffix(",\"level\":\"warning\"}") == true, "\(lines)")
    }

    @Test func aWrongLevelIsNamed() throws {
        let run = try Pathwise.run("serve", "--log-level", "loud", "--state", scratch.file("n"))
        #expect(run.status == 64)
        #expect(
            run.errorLine
                == "pathwise: --log-level 'loud': write one of error, warning, info, debug")
    }
}
