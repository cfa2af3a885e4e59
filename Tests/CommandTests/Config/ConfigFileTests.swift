import Glibc
import PathForward
import Pathwise
import Testing

@testable import PathwiseCommand

/// Configuration files: values, refusals, and what goes before what.
struct ConfigFileTests {
    private func read(_ text: String) -> ConfigFile { ConfigFile(Array(text.utf8), path: "f") }

    private func problems(_ text: String) -> [String] { read(text).problems.map(\.description) }

    @Test func valuesReachTheCommand() throws {
        let file = read(
            """
            state = "/var/lib/pathwise"
            log-format = "json"
            [forward]
            server = "studio"
            forwards = ["udp:51820", "tcp:8443=web:443"]
            reverse = "tcp:2222=localhost:22"
            hold = "1h"
            [[path]]
            name = "dsl"
            interface = "eth0"
            weight = 2
            [[path]]
            name = "lte"
            address = "192.0.2.7"
            remote = "198.51.100.1:7000"
            price = 4.5
            limit = "20mbit"
            cap = "50GB/month"
            hard = true
            kind = "cellular"
            backup = true
            """)
        #expect(file.problems == [])
        let command = Configured(try ForwardCommand.line(), file: file).command
        #expect(command.server.state.state == "/var/lib/pathwise")
        #expect(command.format.printsJSON)
        #expect(command.server.server == "studio")
        #expect(command.forwards == ["udp:51820", "tcp:8443=web:443"])
        #expect(command.reverseForward == ["tcp:2222=localhost:22"])
        #expect(command.hold == "1h")
        #expect(
            command.path == [
                "dsl=eth0,weight=2",
                "lte=192.0.2.7>198.51.100.1:7000,price=4.5,limit=20mbit,cap=50GB/month,"
                    + "kind=cellular,hard,backup",
            ])
        let specs = try ForwardSetup.specs(command)
        #expect(specs.map(\.isReverse) == [false, false, true])
    }

    @Test func optionsGoBeforeTheFile() throws {
        let file = read(
            """
            [forward]
            peer = "server.pub"
            key = "client.key"
            to = ["a:1", "b:2"]
            forwards = ["udp:1", "udp:2"]
            reverse = ["tcp:3=a:3"]
            hold = "1h"
            policy = "steady"
            """)
        let command = try ForwardCommand.line(["udp:9", "--hold", "15min", "--server", "studio"])
        let result = Configured(command, file: file)
        // 15min is the default, and it was given.
        #expect(result.command.hold == "15min")
        #expect(result.command.policy == "steady")
        #expect(result.command.forwards == ["udp:9"])
        #expect(result.command.reverseForward == [])
        // A server that is named stands for the keys and addresses of the file.
        #expect(result.command.server.peer == nil)
        #expect(result.command.server.key == nil)
        #expect(result.command.server.to == [])
        let origins = Dictionary(
            uniqueKeysWithValues: result.settings.map { ($0.key, $0.origin) })
        #expect(origins["forward.hold"] == .option)
        #expect(origins["forward.policy"] == .file("f", line: 8))
        #expect(origins["forward.record"] == .standard)
        #expect(origins["forward.peer"] == .standard)
    }

    @Test func serverKeys() throws {
        let file = read(
            """
            [serve]
            client-flows = 16
            client-rate = "8mbit"
            client-cap = "1GB/day"
            on-conflict = "refuse"
            sync = false
            """)
        #expect(file.problems == [])
        let command = Configured(try ServeCommand.line(), file: file).command
        let limits = try command.limits.limits()
        #expect(limits == UsualLimits(rate: 1e6, cap: try ByteCap(argument: "1GB/day"), flows: 16))
        #expect(command.onConflict == .refuse)
        #expect(command.noSync)
        #expect(
            !Configured(try ServeCommand.line(), file: read("[serve]\nsync = true")).command
                .noSync)
    }

    @Test func refusals() {
        #expect(
            problems("[serve]\n\nhodl = \"1h\"").first?
                .hasPrefix(
                    "f:3: serve.hodl: no such key; did you mean 'hold'? the keys of [serve] are")
                == true)
        #expect(
            problems("[serv]\nhold = \"1h\"") == [
                "f:1: serv: no such table; did you mean 'serve'? the tables are [serve], [forward], "
                    + "[send], [[path]]"
            ])
        #expect(
            problems("forwards = [\"udp:1\"]") == [
                "f:1: forwards: no such key here; it belongs below [forward]"
            ])
        #expect(
            problems("[serve]\nhold = \"2\"") == [
                "f:2: serve.hold: '2': write a time as 150ms, 2s, 1.5min or 1h (allowed: 500ms to 1h)"
            ])
        #expect(
            problems("[serve]\nhold = 2") == [
                "f:2: serve.hold: write a text in quotes, not a whole number; allowed: 500ms to 1h"
            ])
        #expect(
            problems("[serve]\nsync = \"yes\"") == [
                "f:2: serve.sync: write true or false, not a text; allowed: true, false"
            ])
        #expect(
            problems("[serve]\non-conflict = \"renam\"") == [
                "f:2: serve.on-conflict: 'renam': write one of rename, refuse, replace; did you mean "
                    + "'rename'? (allowed: rename, refuse, replace)"
            ])
        #expect(
            problems("[serve]\npolicy = \"lin-ubc\"") == [
                "f:2: serve.policy: there is no policy \"lin-ubc\": did you mean \"lin-ucb\"? "
                    + "(allowed: a name of `pathwise policies`, or a model file)"
            ])
        #expect(
            problems("[[path]]\nname = \"a\"") == [
                "f:1: path[1]: write either interface = \"eth0\" or address = \"192.0.2.7\""
            ])
        #expect(
            problems("[[path]]\nname = \"a\"\ninterface = \"eth0,backup\"").first?
                .contains("no comma") == true)
        #expect(
            problems(
                "[[path]]\nname = \"a\"\ninterface = \"x\"\n[[path]]\nname = \"a\"\ninterface = \"y\""
            ) == ["f:4: path[2]: two paths are called 'a'; give each its own name"])
        #expect(
            problems("[forward]\nserver = \"a\"\nkey = \"b\"").first?.contains(
                "'server' stands for") == true)
        #expect(
            problems("[forward]\nforwards = [\"tcp:80\"]\ndeadline = \"1s\"").first?.hasPrefix(
                "f:2: forward.forwards: deadline= is for datagrams") == true)
        #expect(
            problems("[serve\n").first?.hasPrefix("f:1: a header ends with ]") == true)
        #expect(
            ConfigFile([91, 10, 0xff], path: "f").problems.map(\.description) == [
                "f:2: the line is not UTF-8; save the file as UTF-8"
            ])
    }

    @Test func allProblemsAreNamedByLine() {
        let found = read("[serve]\nhold = \"x\"\nlisten = \"7000\"\nfoo = 1\n[send]\nto = [1]")
        #expect(found.problems.map(\.line) == [2, 3, 4, 6])
        let many = read("[serve]\n" + (0..<100).map { "k\($0) = 1\n" }.joined())
        #expect(many.problems.count == ConfigFile.problemLimit)
    }

    /// Every key has a command that takes it, and each example is valid.
    @Test func schema() throws {
        let bound = Set(
            ServeCommand.bindings.map(\.key) + ForwardCommand.bindings.map(\.key)
                + SendCommand.bindings.map(\.key))
        for section in ConfigSchema.sections where !section.isRepeated {
            for key in section.keys {
                #expect(bound.contains(section.fullName(key.name)), "\(key.name)")
            }
        }
        for key in bound where key != "path" {
            #expect(ConfigSchema.key(key) != nil, "\(key)")
        }
        let help = try ["serve", "forward", "send"].map { try Pathwise.run($0, "--help").output }
        for section in ConfigSchema.sections {
            for key in section.keys {
                #expect(throws: Never.self, "\(section.header) \(key.name)") {
                    try key.check(key.sample)
                }
                guard let option = key.option else { continue }
                #expect(help.contains { $0.contains(option) }, "\(key.name): \(option)")
            }
        }
    }

    @Test(arguments: ["serve", "forward", "send"])
    func example(command: String) throws {
        let run = try Pathwise.run("config", "example", command)
        #expect(run.status == 0)
        #expect(problems(run.output) == [])
        #expect(run.output.split(separator: "\n").allSatisfy { $0.count <= 80 })
        // Each key alone, as somebody would who takes the sign of the comment away.
        let lines = run.output.split(separator: "\n", omittingEmptySubsequences: false)
        var count = 0
        for (index, line) in lines.enumerated()
        where line.first == "#" && !line.hasPrefix("# ") && !line.hasPrefix("#[") {
            count += 1
            var changed = lines.map(String.init)
            changed[index].removeFirst()
            let isPath = lines[..<index].contains { $0 == "#[[path]]" }
            if isPath { continue }
            let found = problems(changed.joined(separator: "\n"))
            let needsMore = ["peer", "key", "http-token"].contains {
                line.hasPrefix("#\($0) ")
            }
            #expect(found.isEmpty != needsMore, "\(line): \(found)")
        }
        #expect(count >= 13, "\(command): \(count) keys")
    }

    /// docs/configuration.md has the tables of the schema; PATHWISE_UPDATE_GOLDEN=1 writes them.
    @Test func documentation() throws {
        let path =
            #filePath.split(separator: "/").dropLast(4).reduce("") { $0 + "/" + $1 }
            + "/docs/configuration.md"
        let tables = ConfigText.documentation()
        if getenv("PATHWISE_UPDATE_GOLDEN") != nil {
            let document = text(of: path)
            let start = document.firstRange(of: "\n### ")?.lowerBound ?? document.endIndex
            write(Array((document[..<start] + tables).utf8), to: path)
        }
        #expect(text(of: path).hasSuffix(tables))
    }

    /// A named pipe is read if somebody writes into it, and waited for no longer than a moment if not.
    @Test func namedPipes() throws {
        let scratch = Scratch()
        let pipe = scratch.file("pipe")
        try #require(mkfifo(pipe, 0o600) == 0)
        let error = #expect(throws: ConfigProblem.self) { try ConfigFile(reading: pipe) }
        #expect(
            error.map { "\($0)" }?.contains("it is a pipe into which nobody writes") == true,
            "\(String(describing: error))")
        let text = "[forward]\nforwards = [\"udp:9\"]\n"
        let check = try Pathwise(
            ["config", "check", pipe], shell: "(sleep 0.3; printf '\(text)' >\(pipe)) & exec \"$@\""
        ).wait()
        #expect(check.status == 0, "\(check)")
    }
}
