import Glibc
import Testing

@testable import Pathwise
@testable import PathwiseCommand

/// A running `serve` whose file of clients is emptied, removed or replaced by something else; and
/// who is refused.
struct ClientListTests {
    private let scratch = Scratch()

    private func lines(_ log: String, with text: String) -> Int {
        log.split(separator: "\n").count { $0.contains(text) }
    }

    private func sends(_ server: RunningServer) throws -> Int32 {
        write([1, 2, 3], to: scratch.file("data"))
        return try server.send(scratch.file("data"), from: "van").status
    }

    /// An emptied file cuts all off, and the log says how to undo that.
    @Test func anEmptiedFileCutsAllOff() throws {
        let server = try RunningServer.joined(["--output", scratch.file("in")])
        let before = server.clients
        write([], to: server.state + "/clients")
        let file = server.state + "/clients"
        #expect(
            server.says(
                "problem: \(file) names no client any more, so all are cut off (van); to admit them "
                    + "again: cp \(file).last \(file)"))
        #expect(server.says("0 clients may connect now"))
        #expect(try sends(server) == 77)
        #expect(text(of: file + ".last") == before)
        write(Array(text(of: file + ".last").utf8), to: file)
        #expect(server.says("1 client may connect now"))
        #expect(try sends(server) == 0)
        #expect(lines(server.log, with: "names no client any more") == 1)
    }

    /// A missing file, or a pipe or a folder in its place, changes nothing for the clients; nobody can
    /// join meanwhile, and a token is not used up by trying.
    @Test func aFileThatIsNotThereChangesNothing() throws {
        let server = try RunningServer.joined(["--output", scratch.file("in")])
        let token = try server.invite()
        let file = server.state + "/clients"
        let before = server.clients
        let until = "until then the clients stay as they were, and nobody can join"
        unlink(file)
        #expect(server.says("problem: \(file) is missing; put it back; \(until)"))
        #expect(try sends(server) == 0)
        let refused = try server.join(token, host: "home")
        #expect(refused.status == 75)
        #expect(
            refused.errors.contains("the server cannot change its list of clients; see its log"))
        #expect(access(file, F_OK) != 0, "it was made again without the clients")
        try #require(mkfifo(file, 0o600) == 0)
        #expect(
            server.says("problem: \(file) is not a regular file; move it away, and put the file"))
        #expect(try sends(server) == 0)
        unlink(file)
        try #require(mkdir(file, 0o700) == 0)
        usleep(1_000_000)
        #expect(try sends(server) == 0)
        rmdir(file)
        write(Array(before.utf8), to: file)
        #expect(server.says("1 client may connect now"))
        #expect(lines(server.log, with: "is missing") <= 2)
        #expect(try server.join(token, host: "home").status == 0)
        #expect(try sends(server) == 0)
    }

    /// A token that was used or has expired, and a client that was removed, leave a line with their
    /// address and the reason; five of them a minute.
    @Test func whoIsRefusedIsTold() throws {
        let server = try RunningServer.joined(["--output", scratch.file("in")])
        let used = try server.invite()
        #expect(try server.join(used, host: "home").status == 0)
        #expect(try server.join(used, host: "thief").status != 0)
        #expect(server.says("connection from 127.0.0.1:"))
        #expect(server.says(" refused: its token was used or withdrawn"))
        // The same host is named once a minute.
        #expect(try server.join(used, host: "thief").status != 0)
        #expect(lines(server.log, with: " refused: ") == 1)
        let address = server.address
        #expect(server.end().status == 143)
        let again = try RunningServer(
            ["--output", scratch.file("in")], in: server.folder, address: address)
        let expired = try again.invite("--token-lifetime", "1s")
        usleep(1_500_000)
        // The client refuses it by its own clock; a changed clock shows what the server does.
        #expect(try again.join(expired, host: "late").status == 77)
        write(Array("# nobody\n".utf8), to: again.state + "/clients")
        #expect(again.says("0 clients may connect now"))
        #expect(try sends(again) == 77)
        #expect(again.says(" refused: its key is not in the file of clients"))
    }

    /// A client that falls silent, and answers again, leaves a line each.
    @Test func outagesAreTold() throws {
        let server = try RunningServer.joined()
        let source = try SourceServer()
        defer { source.stop() }
        let client = try server.forward("tcp:0=127.0.0.1:\(source.port)")
        let stream = try PlainConnection(to: try port(of: "tcp", in: client.output))
        #expect(stream.drain(for: 0.3).bytes > 0)
        kill(client.process, SIGSTOP)
        #expect(server.says("  van  no path to it works; its flows are held for "))
        kill(client.process, SIGCONT)
        _ = stream.drain(for: 1)
        #expect(server.says("  van  a path works again after "))
        #expect(lines(server.log, with: "no path to it works") == 1)
    }

    /// An outage begins when no path works and nothing came for a second, and ends with a path.
    @Test func lookingForOutages() {
        var watch = OutageWatch()
        func look(_ hasPath: Bool, _ elapsed: Int, _ silence: Int) -> OutageWatch.Change? {
            watch.look(
                SessionHealth(
                    hasPath: hasPath, elapsed: .milliseconds(elapsed),
                    silence: .milliseconds(silence), idleTimeout: .seconds(60)))
        }
        #expect(look(true, 0, 5_000) == nil, "a silent path that works")
        #expect(look(false, 1_000, 900) == nil)
        #expect(look(false, 1_100, 1_000) == .began(rest: .seconds(59)))
        #expect(look(false, 2_000, 1_900) == nil)
        #expect(look(false, 3_000, 10) == nil, "something came, and no path works yet")
        #expect(look(true, 3_100, 10) == .ended(after: .seconds(3)))
        #expect(look(true, 4_000, 10) == nil)
    }

    /// `invite` says that a taken name becomes another one, and limits are those of its help.
    @Test func invitations() throws {
        let server = try RunningServer.joined()
        let taken = try Pathwise(["invite", "van", "--state", server.state]).wait()
        #expect(taken.status == 0)
        #expect(
            taken.output.hasPrefix(
                "a client called van is there already, so the new one will be van-2; to replace it "
                    + "instead, remove its line from 'clients' before the new one joins\none client"
            ))
        usleep(700_000)
        let token = try #require(RunningServer.token(in: taken.output))
        #expect(try server.join(token, host: "second").status == 0)
        #expect(server.clients.contains("\nvan-2 "))
        let json = try Pathwise(["invite", "van", "--state", server.state, "--json"]).wait()
        #expect(try JSONReading(json).text("name") == "van-3")
        let free = try Pathwise(["invite", "home", "--state", server.state, "--json"]).wait()
        #expect(try JSONReading(free).text("name") == "home")
        for text in ["100d", "91d", "2161h", "0s", "0d", "nand", "1y", "5"] {
            for command in ["invite", "serve"] {
                let run = try Pathwise(
                    [command, "--state", server.state, "--token-lifetime", text]
                ).wait()
                #expect(run.status == 64)
                #expect(
                    run.errorLine
                        == "pathwise: --token-lifetime '\(text)': give 1s to 90d, as 30min, 24h or 7d",
                    "\(run.errors)")
            }
        }
        for text in ["90d", "2160h", "1s"] {
            let run = try Pathwise(
                ["invite", "--state", server.state, "--token-lifetime", text]
            ).wait()
            #expect(run.status == 0, "\(text): \(run.errors)")
        }
        let help = try Pathwise.run("invite", "--help")
        #expect(help.output.contains("1s to 90d"))
    }

    @Test func foldersThatAreTooLong() throws {
        let long = String(repeating: "/abcdefghi", count: 400)
        let name = "/tmp/" + String(repeating: "a", count: 256)
        for command in [
            ["serve"], ["invite"], ["status"], ["forward", "tcp:1"], ["doctor", "--server", "a"],
        ] {
            let run = try Pathwise(command + ["--state", long]).wait()
            #expect(run.status == 64)
            #expect(
                run.errorLine
                    == "pathwise: --state has 4000 bytes, and a folder's path at most 3900; "
                    + "name a shorter one", "\(run.errors)")
            let other = try Pathwise(command + ["--state", name]).wait()
            #expect(other.status == 64)
            #expect(
                other.errorLine == "pathwise: --state: a name in its path has more than 255 bytes; "
                    + "name another folder", "\(other.errors)")
        }
    }
}
