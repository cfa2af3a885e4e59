import Glibc
import PathTelemetry
import Testing

@testable import Pathwise

/// Caps of paths of real senders, which are counted across processes.
struct CapTests {
    private let home = Scratch()
    private var shell: String { "HOME='\(home.path)' exec \"$@\"" }
    private var folder: String { home.file(".config/pathwise/usage") }

    private func used(_ name: String) throws -> UInt64 {
        let file = "\(folder)/\(name)"
        let content = try #require(bytes(of: file), "no \(file)")
        return try UsageFile.parse(content, path: file).reduce(0) { $0 + $1.count.total }
    }

    /// The bytes of two transfers over one path add up, and what it carried is in the file.
    @Test func transfersAddUp() throws {
        let keys = try KeyPairs()
        let receiver = try ListeningReceiver(keys, output: keys.folder.file("out/"), "--json")
        var sent = 0.0
        for number in 1...2 {
            let file = keys.folder.file("data\(number)")
            write(content(1_000_000), to: file)
            let sender = try Pathwise(
                ["send", file, "--key", keys.clientFile, "--peer", keys.server, "--json"]
                    + receiver.to + ["--path", "dsl=127.0.0.1,cap=1GB/week"],
                shell: shell
            ).wait()
            #expect(sender.status == 0, "\(sender.errors)")
            #expect(sender.errors.isEmpty, "\(sender.errors)")
            let json = try JSONReading(sender)
            sent += try json.number("paths", 0, "bytes_sent")
            sent += try json.number("paths", 0, "bytes_received")
            sent += 28 * (try json.number("paths", 0, "packets_sent"))
            sent += 28 * (try json.number("paths", 0, "packets_received"))
        }
        #expect(sent > 2_000_000)
        let stored = Double(try used("dsl"))
        #expect(abs(stored - sent) < 5_000, "\(stored) of \(sent)")
        receiver.process.interrupt()
        _ = receiver.process.wait()
    }

    /// A path that reaches its cap becomes standby: the rest goes over the other path.
    @Test func theCapStopsAPath() throws {
        let keys = try KeyPairs()
        let receiver = try ListeningReceiver(keys, output: keys.folder.file("out"), "--once")
        let file = keys.folder.file("data")
        write(content(6_000_000), to: file)
        let sender = try Pathwise(
            ["send", file, "--key", keys.clientFile, "--peer", keys.server, "--json"]
                + receiver.to + [
                    "--path", "lte=127.0.0.1>\(receiver.ports[0]),cap=1MB/day,limit=20mbit",
                    "--path", "dsl=127.0.0.2>\(receiver.ports[1]),limit=20mbit", "--policy",
                    "round-robin",
                ],
            shell: shell
        ).wait()
        #expect(sender.status == 0, "\(sender.errors)")
        let lines = sender.errors.split(separator: "\n")
        let line = try #require(lines.last)
        #expect(lines.dropLast().allSatisfy { $0.contains("has used 80 % of its cap") })
        #expect(line.hasPrefix("pathwise: path lte has reached its cap ("), "\(line)")
        #expect(line.contains(" of 1 MB a day): it is standby until "), "\(line)")
        let json = try JSONReading(sender)
        #expect(try json.text("paths", 0, "state") == "standby")
        #expect(try json.number("paths", 0, "bytes_sent") < 2_000_000)
        #expect(try json.number("paths", 1, "bytes_sent") > 4_500_000)
        #expect(receiver.process.wait().status == 0)
        // The next run begins with the path in standby.
        let again = try ListeningReceiver(keys, output: keys.folder.file("again"), "--once")
        let second = try Pathwise(
            ["send", file, "--key", keys.clientFile, "--peer", keys.server, "--json"]
                + again.to + [
                    "--path", "lte=127.0.0.1>\(again.ports[0]),cap=1MB/day",
                    "--path", "dsl=127.0.0.2>\(again.ports[1]),limit=40mbit",
                ],
            shell: shell
        ).wait()
        #expect(second.status == 0, "\(second.errors)")
        #expect(try JSONReading(second).number("paths", 0, "bytes_sent") < 500_000)
        _ = again.process.wait()
    }

    /// A sender that is killed has stored all but the last megabyte.
    @Test func aKilledSenderLosesLittle() throws {
        let keys = try KeyPairs()
        let receiver = try ListeningReceiver(keys, output: keys.folder.file("out/"), "--json")
        let file = keys.folder.file("data")
        write(content(60_000_000), to: file)
        let sender = try Pathwise(
            ["send", file, "--key", keys.clientFile, "--peer", keys.server] + receiver.to
                + ["--path", "dsl=127.0.0.1,cap=1TB,limit=80mbit"],
            shell: shell)
        let arrived = { unfinishedBytes(in: keys.folder.file("out")) }
        #expect(eventually { arrived() > 5_000_000 })
        kill(sender.process, SIGKILL)
        _ = sender.wait()
        receiver.process.interrupt()
        let run = receiver.process.wait()
        let summary = try #require(run.output.split(separator: "\n").last.map(String.init))
        let json = try JSONReading(Finished(output: summary, errors: "", status: 0))
        // Everything that the receiver saw was sent, and its answers arrived but for a few.
        var carried = 0.0
        for direction in ["received", "sent"] {
            carried += try json.number("clients", 0, "paths", 0, "bytes_\(direction)")
            carried += 28 * (try json.number("clients", 0, "paths", 0, "packets_\(direction)"))
        }
        let stored = Double(try used("dsl"))
        #expect(carried > 5_000_000)
        #expect(carried - stored < 1_000_000, "\(stored) of \(carried)")
    }

    @Test func filesAndFoldersThatCannotBeUsed() throws {
        let keys = try KeyPairs()
        let file = keys.folder.file("data")
        write(content(10), to: file)
        let arguments = [
            "send", file, "--key", keys.clientFile, "--peer", keys.server, "--to", "127.0.0.1:9",
            "--path", "dsl=127.0.0.1,cap=1GB",
        ]
        let without = try Pathwise(arguments).wait()
        #expect(without.status == 78)
        #expect(without.errorLine?.contains("counted in XDG_CONFIG_HOME or HOME") == true)
        #expect(StatePath.make(folder) == 0)
        write(Array("pathwise-usage 1\n2026-11-29 one 1\n".utf8), to: "\(folder)/dsl")
        let damaged = try Pathwise(arguments, shell: shell).wait()
        #expect(damaged.status == 65)
        #expect(
            damaged.errorLine == "pathwise: \(folder)/dsl, line 2: write DAY SENT RECEIVED, as "
                + "'2026-11-29 1500000 20000'; correct the line, or remove the file to count from "
                + "zero")
        let wrong = try Pathwise(arguments.dropLast() + ["dsl=127.0.0.1,cap=1GB/year"]).wait()
        #expect(wrong.status == 64)
        #expect(
            wrong.errorLine == "pathwise: --path 'dsl=127.0.0.1,cap=1GB/year': cap=1GB/year: write "
                + "a size and day, week or month, as 50GB/month or 500MB/day")
    }
}
