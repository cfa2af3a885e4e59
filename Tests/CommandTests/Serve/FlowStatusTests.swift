import Glibc
import PathForward
import PathTelemetry
import Testing

@testable import PathwiseCommand

/// What logs and `status` of both sides say of flows that fail, and of paths that do not work.
struct FlowStatusTests {
    private func lines(_ log: String, with text: String) -> Int {
        log.split(separator: "\n").count { $0.contains(text) }
    }

    /// The failures of the flow with this target; nil if status does not show it.
    private func failures(
        of target: String, in status: JSONReading
    ) throws -> (failed: Double, reason: String?)? {
        for index in 0..<(try status.count("processes", 0, "flows")) {
            let text = try status.text("processes", 0, "flows", index, "target")
            guard text == target || text.hasSuffix("=" + target) else { continue }
            let names = ["refused", "denied", "limit_reached"].filter {
                status.optionalNumber("processes", 0, "flows", index, "failures", $0) != nil
            }
            return (
                try status.number("processes", 0, "flows", index, "failed"), names.first
            )
        }
        return nil
    }

    @Test func targetsThatFail() throws {
        let server = try RunningServer.joined()
        let free = try freePort()
        let echo = try EchoServer()
        defer { echo.stop() }
        let (closed, denied) = ("127.0.0.1:\(free)", "192.0.2.1:22")
        let client = try server.forward(
            "tcp:0=\(closed)", "tcp:0=\(denied)", "tcp:0=127.0.0.1:\(echo.port)")
        let log = client.output
        for target in [closed, denied] {
            let port = try port(of: "tcp", in: log, target: " for \(target)")
            for _ in 0..<3 {
                #expect(try PlainConnection(to: port).drain(for: 10).isOver, "\(target)")
            }
        }
        let good = try PlainConnection(
            to: try port(of: "tcp", in: log, target: " for 127.0.0.1:\(echo.port)"))
        #expect(good.exchange([1, 2, 3], half: false) == [1, 2, 3])
        // One line for each reason, at both sides.
        for text in [
            "tcp: no flow to \(closed): \(closed): Connection refused",
            "tcp: no flow to \(denied): the rules do not allow \(denied); to permit it: serve "
                + "--forward-allow \(denied), or allow=\(denied) in the client's line",
        ] {
            #expect(server.says("van  \(text)"))
            #expect(eventually { client.output.contains(text) })
            #expect(lines(server.log, with: text) == 1)
            #expect(lines(client.output, with: text) == 1)
        }
        for host in ["server", "van"] {
            let status = try server.status(of: host)
            let refusals = try #require(try failures(of: closed, in: status), "\(host)")
            #expect(refusals.failed == 3 && refusals.reason == "refused", "\(host)")
            let denials = try #require(try failures(of: denied, in: status), "\(host)")
            #expect(denials.failed == 3 && denials.reason == "denied", "\(host)")
            let success = try #require(
                try failures(of: "127.0.0.1:\(echo.port)", in: status), "\(host)")
            #expect(success.failed == 0)
        }
        // The server names the client of each target.
        let text = try Pathwise(["status", "--state", server.state]).wait().output
        let row = text.split(separator: "\n").first { $0.contains("127.0.0.1:\(echo.port)") }
        #expect(row?.contains("van") == true, "\(text)")
        kill(client.process, SIGTERM)
        _ = client.wait()
    }

    /// Status says that no path works, and for how long flows are held, instead of "connected".
    @Test func noPathWorks() throws {
        let server = try RunningServer.joined(["--hold", "5min"])
        let client = try server.forward("udp:0=127.0.0.1:9")
        let datagrams = try PlainDatagrams(to: try port(of: "udp", in: client.output))
        let before = try server.status(of: "van")
        #expect(try before.text("processes", 0, "connection", "state") == "connected")
        #expect(try before.bool("processes", 0, "sessions", 0, "works"))
        kill(server.process.process, SIGSTOP)
        defer { kill(server.process.process, SIGCONT) }
        var text = ""
        let isTold = eventually(within: 30) {
            _ = datagrams.send([1])
            text =
                (try? Pathwise(["status", "--state", server.folder.file("van")]).wait().output)
                ?? ""
            return text.contains("\nno path works since ")
        }
        #expect(isTold, "\(text)")
        #expect(!text.contains("connected for"))
        #expect(text.contains("; flows are held for 4 min "), "\(text)")
        let during = try server.status(of: "van")
        #expect(try during.text("processes", 0, "connection", "state") == "no_path")
        #expect(try !during.bool("processes", 0, "sessions", 0, "works"))
        kill(server.process.process, SIGCONT)
        #expect(
            eventually(within: 30) {
                let status = try? server.status(of: "van")
                return (try? status?.text("processes", 0, "connection", "state")) == "connected"
            })
        // The paths tell how much was late.
        let after = try server.status(of: "van")
        let outcomes = try after.number("processes", 0, "sessions", 0, "paths", 0, "outcomes")
        let late = try after.number("processes", 0, "sessions", 0, "paths", 0, "late_outcomes")
        #expect(outcomes > 0 && late > 0 && late <= outcomes)
        let share = try after.number("processes", 0, "sessions", 0, "paths", 0, "late_share")
        #expect(abs(share - late / outcomes) < 1e-3)
        kill(client.process, SIGTERM)
        _ = client.wait()
    }

    /// Five targets of a kind are named in a minute; the others, and repetitions, are counted when it
    /// is over.
    @Test func fiveTargetsAMinute() {
        let notes = FailureNotes()
        func at(_ seconds: Int64) -> Instant { .zero + .seconds(seconds) }
        let refused = FailureNotes.Kind(code: "refused")
        let ofVan = FailureNotes.Kind(client: "van", code: "refused")
        for target in 1...5 {
            #expect(notes.note(refused, "t\(target)", now: at(0)))
            #expect(!notes.note(refused, "t\(target)", now: at(1)), "named twice")
        }
        #expect(!notes.note(refused, "t6", now: at(2)))
        #expect(notes.note(FailureNotes.Kind(code: "denied"), "t1", now: at(2)), "another reason")
        #expect(notes.note(ofVan, "t1", now: at(30)), "another client")
        #expect(!notes.note(ofVan, "t1", now: at(31)))
        #expect(notes.rest(now: at(59)).isEmpty)
        #expect(notes.rest(now: at(60)) == [FailureNotes.Rest(kind: refused, count: 6)])
        #expect(notes.rest(now: at(61)).isEmpty, "told twice")
        #expect(notes.note(refused, "t6", now: at(61)), "another minute")
        #expect(notes.rest(now: at(90)) == [FailureNotes.Rest(kind: ofVan, count: 1)])
        #expect(notes.rest(now: at(1000)).isEmpty, "all were named")
        // What comes again after a minute is named again, also before the next look.
        let replaced = FailureNotes.Kind(code: FlowFailure.replacedCode)
        #expect(notes.note(replaced, "a", now: at(2000)))
        #expect(notes.note(replaced, "a", now: at(2060)))
        #expect(!notes.note(replaced, "a", now: at(2061)))
        let rest = notes.rest(now: at(2120))
        #expect(rest == [FailureNotes.Rest(kind: replaced, count: 1)])
        #expect(
            rest.first?.text("flow")
                == "1 more time within the last minute a flow of datagrams made room for another")
    }

    /// Programs that try several targets find each of them in the logs of both sides.
    @Test func severalTargetsAreNamed() throws {
        let server = try RunningServer.joined()
        let ports = try (0..<3).map { _ in try freePort() }
        let client = try Pathwise(
            ["forward", "--state", server.folder.file("van")]
                + ports.map { "tcp:0=127.0.0.1:\($0)" })
        defer { kill(client.process, SIGKILL) }
        #expect(eventually { client.output.contains("connected over") })
        for target in ports {
            let local = try port(of: "tcp", in: client.output, target: "127.0.0.1:\(target)")
            for _ in 0..<2 { _ = try PlainConnection(to: local).drain(for: 5) }
        }
        for target in ports {
            let text = "tcp: no flow to 127.0.0.1:\(target): "
            #expect(eventually { client.output.contains(text) && server.log.contains(text) })
            for log in [client.output, server.log] {
                #expect(log.split(separator: "\n").count { $0.contains(text) } == 1, "\(log)")
            }
        }
    }

    /// A path with a hard cap carries nothing any more, and the log says so in time; the server
    /// counts what arrived.
    @Test func aHardCapOfAForward() throws {
        let server = try RunningServer.joined()
        // Slow enough for many readings of the counters on the way to the cap.
        server.allow("rate=40mbit")
        #expect(server.says("1 client may connect now"))
        let source = try SourceServer()
        defer { source.stop() }
        let client = try server.forward(
            "tcp:0=127.0.0.1:\(source.port)", "--policy", "round-robin",
            "--path", "lte=127.0.0.1,cap=8MB/day,hard", "--path", "dsl=127.0.0.2")
        let local = try port(of: "tcp", in: client.output)
        let stream = try PlainConnection(to: local)
        var got = 0
        #expect(
            eventually(within: 30) {
                got += stream.drain(for: 0.5).bytes
                return client.output.contains("path lte has reached its cap (")
            })
        let log = client.output
        let near = try #require(log.firstRange(of: "path lte has used 80 % of its cap ("))
        let reached = try #require(log.firstRange(of: "it is stopped until"))
        #expect(near.lowerBound < reached.lowerBound)
        #expect(client.errorText.isEmpty, "\(client.errorText)")
        func sent(_ name: String) throws -> Double {
            let status = try server.status(of: "server")
            var bytes = 0.0
            for index in 0..<(try status.count("processes", 0, "sessions", 0, "paths"))
            where try status.text("processes", 0, "sessions", 0, "paths", index, "name") == name {
                bytes += try status.number(
                    "processes", 0, "sessions", 0, "paths", index, "bytes_sent")
            }
            return bytes
        }
        usleep(500_000)
        let before = (try sent("lte"), try sent("dsl"))
        got += stream.drain(for: 1).bytes
        #expect(!stream.drain(for: 0.1).isOver, "it goes on over the other path")
        #expect(try sent("lte") - before.0 == 0)
        #expect(before.0 < 9_500_000, "\(before.0)")
        #expect(try sent("dsl") - before.1 > 100_000)
        kill(client.process, SIGTERM)
        _ = client.wait()
        // With no other path nothing is sent at all.
        let alone = try Pathwise(
            [
                "forward", "--state", server.folder.file("van"), "tcp:0=127.0.0.1:9",
                "--path", "lte=127.0.0.1,cap=8MB/day,hard",
            ])
        #expect(
            eventually { alone.output.contains("no path is left: the caps of lte are reached") })
        #expect(!alone.output.contains("connected over"))
        kill(alone.process, SIGTERM)
        _ = alone.wait()
    }
}
