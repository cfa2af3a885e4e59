import Testing

@testable import PathwiseCommand

/// `pathwise config`, and commands that read files.
struct ConfigCommandTests {
    private let scratch = Scratch()

    private func file(_ text: String, _ name: String = "f.toml") -> String {
        write(Array(text.utf8), to: scratch.file(name))
        return scratch.file(name)
    }

    @Test func checkNamesEveryProblem() throws {
        let path = file("[serve]\nhodl = \"1h\"\nhold = \"1d\"\n")
        let run = try Pathwise.run("config", "check", path)
        #expect(run.status == 78)
        #expect(run.output.split(separator: "\n").count == 2)
        #expect(run.output.hasPrefix("\(path):2: serve.hodl: no such key; did you mean 'hold'?"))
        #expect(run.errors == "pathwise: \(path) has 2 problems\n")
        let json = try JSONReading(try Pathwise.run("config", "check", path, "--json"))
        #expect(try json.number("problems", 1, "line") == 3)
        #expect(try json.text("problems", 1, "key") == "serve.hold")
        let good = try Pathwise.run("config", "check", file("[serve]\nhold = \"1h\"\n"))
        #expect(good.status == 0)
        #expect(good.output == "\(path) is valid: 1 key in [serve]\n")
        #expect(try Pathwise.run("config", "check", path + "x").status == 66)
    }

    /// What is wrong with forwards together is told at the key that has them.
    @Test func theRightListIsNamed() throws {
        let two = "[\"udp:7=a:7\", \"udp:7=a:7\"]"
        for (text, place) in [
            ("forwards = [\"udp:1\"]\nreverse = \(two)", "3: forward.reverse"),
            ("forwards = \(two)\nreverse = [\"udp:1\"]", "2: forward.forwards"),
        ] {
            let path = file("[forward]\n\(text)\n")
            let run = try Pathwise.run("config", "check", path)
            #expect(run.status == 78)
            #expect(
                run.output.hasPrefix("\(path):\(place): 'udp:7=a:7' is given twice, UDP 7"),
                "\(run.output)")
        }
    }

    @Test func showTellsWhereValuesComeFrom() throws {
        let path = file("[forward]\n\nforwards = [\"udp:1\", \"udp:2\"]\nhold = \"1h\"\n")
        let run = try Pathwise.run("config", "show", path)
        #expect(run.status == 0, "\(run.errors)")
        let lines = run.output.split(separator: "\n").map {
            $0.split(separator: " ").joined(separator: " ")
        }
        #expect(lines.contains("forward.forwards udp:1 f.toml:3"))
        #expect(lines.contains("forward.hold 1h f.toml:4"))
        #expect(lines.contains("forward.policy learned default"))
        #expect(!lines.contains { $0.hasPrefix("serve") })
        let json = try JSONReading(try Pathwise.run("config", "show", path, "--json"))
        #expect(try json.text("commands", 0, "command") == "forward")
        #expect(try json.text("commands", 0, "settings", 0, "from") == "default")
        let printed = try Pathwise.run(
            "forward", "--config", path, "--hold", "2s", "--print-config")
        #expect(printed.output.contains("2s"))
        #expect(printed.output.contains("option"))
        #expect(!printed.output.contains("1h"))
    }

    @Test func aBadFileStartsNothing() throws {
        let path = file("[serve]\nhold = \"1d\"\nlisten = [\"7\"]\n")
        for name in ["serve", "forward"] {
            let run = try Pathwise.run(name, "--config", path)
            #expect(run.status == 78)
            #expect(run.output.isEmpty)
            #expect(run.errorLine?.hasPrefix("pathwise: \(path):2: serve.hold: '1d'") == true)
            #expect(run.errorLine?.hasSuffix("shows 1 more") == true)
        }
        let other = try Pathwise.run("forward", "--config", file("[serve]\nhold = \"1h\"\n"))
        #expect(other.status == 78)
        #expect(other.errorLine?.contains("has [serve] and no [forward]") == true)
        #expect(try Pathwise.run("serve", "--config", scratch.file("none")).status == 66)
    }

    /// The file of the user is found, and `--config none` leaves it out.
    @Test func files() throws {
        let folder = scratch.path
        _ = file("x", "y")
        let setting = "mkdir -p \(folder)/pathwise; echo '[serve]\nhold = \"7min\"' "
        let script =
            setting + "> \(folder)/pathwise/serve.toml; XDG_CONFIG_HOME=\(folder) exec \"$@\""
        let run = try Pathwise(["config", "show", "--json"], shell: script).wait()
        let json = try JSONReading(run)
        #expect(try json.text("commands", 0, "file") == "\(folder)/pathwise/serve.toml")
        #expect(json.optionalText("commands", 1, "file") == nil)
        let used = try Pathwise(["serve", "--print-config"], shell: script).wait()
        #expect(used.output.contains("7min"))
        let without = try Pathwise(
            ["serve", "--print-config", "--config", "none"], shell: script
        ).wait()
        #expect(!without.output.contains("7min"))
    }

    /// A server and a client from files alone: bytes go through a forward.
    @Test func serverAndClientFromFiles() throws {
        let echo = try EchoServer()
        defer { echo.stop() }
        let state = scratch.file("server")
        let server = file(
            """
            state = "\(state)"
            [serve]
            listen = ["127.0.0.1:0"]
            forward-allow = ["127.0.0.1:\(echo.port)"]
            record = "\(scratch.file("traces"))/"
            """, "serve.toml")
        let serve = try Pathwise(["serve", "--config", server])
        defer {
            serve.interrupt()
            _ = serve.wait()
        }
        #expect(eventually { serve.output.contains("pathwise1-") || serve.hasEnded })
        let token = try #require(
            RunningServer.token(in: serve.output), "\(serve.output) \(serve.errorText)")
        let join = try Pathwise.run("join", token, "--state", scratch.file("client"))
        #expect(join.status == 0, "\(join.errors)")
        let client = file(
            """
            state = "\(scratch.file("client"))"
            [forward]
            forwards = ["tcp:0=127.0.0.1:\(echo.port)"]
            """, "forward.toml")
        let forward = try Pathwise(["forward", "--config", client])
        defer {
            forward.interrupt()
            _ = forward.wait()
        }
        #expect(eventually { forward.output.contains("connected over") || forward.hasEnded })
        let port = try port(of: "tcp", in: forward.output)
        let bytes = Array("configured".utf8)
        #expect(try PlainConnection(to: port).exchange(bytes) == bytes)
        #expect(Scratch.names(in: scratch.file("traces")).contains { $0.hasSuffix(".trace") })
    }
}
