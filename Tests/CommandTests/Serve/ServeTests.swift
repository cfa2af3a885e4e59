import Glibc
import PathForward
import PathTransport
import Pathwise
import Testing

@testable import PathwiseCommand

/// `serve`, `invite` and `join` as processes over loopback.
struct ServeTests {
    private let scratch = Scratch()

    private func file(_ count: Int, _ name: String = "data") -> String {
        let path = scratch.file(name)
        write(content(count), to: path)
        return path
    }

    @Test func fromFirstStartToAFile() throws {
        let target = scratch.file("in")
        let server = try RunningServer(["--output", target])
        let joined = try server.join(try server.firstToken(), host: "van", "--name", "studio")
        #expect(joined.status == 0, "\(joined.errors)")
        #expect(joined.output.hasPrefix("joined studio as van; the keys are in "))
        #expect(joined.output.contains("pathwise send FILE --server studio"))
        #expect(server.says("van  enrolled with a token from 127.0.0.1:"))
        let source = file(3_000_000)
        let sent = try server.send(source, from: "van", "--server", "studio")
        #expect(sent.status == 0, "\(sent.errors)")
        #expect(server.says("van  joined from 127.0.0.1:"))
        #expect(server.says("van  left after "))
        let isSame = bytes(of: target + "/data") == bytes(of: source)
        #expect(isSame)
        #expect(server.says("  van  stored  file  3"))
        // The only server need not be named, and its address may be given another way.
        let again = try server.send(file(1000, "small"), from: "van", "--to", server.address)
        #expect(again.status == 0, "\(again.errors)")
        #expect(bytes(of: target + "/small")?.count == 1000)
        let end = server.end()
        #expect(end.status == 143)
        #expect(end.errors.isEmpty, "\(end.errors)")
        for name in ["server.key", "clients", "tokens", "addresses"] {
            var status = stat()
            #expect(stat(server.state + "/" + name, &status) == 0, "\(name)")
            #expect(status.st_mode & 0o7777 == 0o600, "\(name)")
        }
    }

    /// After a restart, even a hard one, the same clients come in, and no token is printed.
    @Test func aRestartKeepsEverything() throws {
        let first = try RunningServer()
        #expect(try first.join(try first.firstToken(), host: "van").status == 0)
        let address = first.address
        #expect(first.end(SIGKILL).status == -SIGKILL)
        let second = try RunningServer(
            ["--output", scratch.file("in")], in: first.folder, address: address)
        let sent = try second.send(file(20_000), from: "van")
        #expect(sent.status == 0, "\(sent.errors)")
        #expect(!second.log.contains("pathwise1-"))
        #expect(second.end(SIGINT).status == 130)
    }

    /// A server whose key file is gone says what that means for its clients.
    @Test func aLostKeyIsTold() throws {
        let first = try RunningServer.joined()
        #expect(first.end().status == 128 + SIGTERM)
        #expect(unlink(first.state + "/server.key") == 0)
        let second = try RunningServer(in: first.folder)
        #expect(second.says("the folder has 1 client but had no server.key, so a new key was made"))
        _ = second.end()
        let third = try RunningServer(in: first.folder)
        #expect(third.end().output.contains("listening on"))
        #expect(!third.log.contains("server.key"))
    }

    /// Of several hosts that join with one token at the same moment one gets in, and can connect.
    @Test func oneOfManyJoinsWins() throws {
        let server = try RunningServer(["--output", scratch.file("in")])
        for round in 0..<6 {
            // The winner is told the token's name, also if the first answer was lost.
            let name = round == 0 ? nil : "team\(round)"
            let token = try name.map { try server.invite($0) } ?? (try server.firstToken())
            let hosts = (0..<4).map { "host\(round)x\($0)" }
            let joins = try hosts.map { host in
                try Pathwise(
                    ["join", token, "--state", server.folder.file(host), "--as", host])
            }
            let ends = joins.map { $0.wait() }
            let winners = zip(hosts, ends).filter { $0.1.status == 0 }
            #expect(winners.count == 1, "\(ends.map(\.errors))")
            let losers = ends.filter { $0.status == 77 && $0.errorLine != nil }
            #expect(losers.count == 3, "\(ends.map(\.errors))")
            for (host, end) in winners {
                #expect(end.output.contains(" as \(name ?? host); "), "\(end.output)")
                #expect(try server.send(file(100, "of-\(host)"), from: host).status == 0)
            }
            #expect(server.clients.ranges(of: "\n\(name ?? "host\(round)x")").count == 1)
        }
        #expect(server.end().status == 143)
    }

    /// A client that has joined is told its name again, and nobody else is.
    @Test func aNameIsToldAgain() async throws {
        let server = try RunningServer.joined()
        let folder = try StateFolder(server.folder.file("van"), creates: false)
        let profile = try ClientProfile.load(try server.profile("van"), from: folder)
        let session = try await Session.connect(profile.options(policy: .minRTT))
        let name = try await Enrolment.request(
            session, key: profile.key.publicKey, name: "other")
        #expect(name == "van")
        let stranger = try PrivateKey.generate().publicKey
        await #expect(throws: CommandFailure.self) {
            try await Enrolment.request(session, key: stranger, name: "other")
        }
        await session.close()
        #expect(server.clients.ranges(of: "\nvan ").count == 1)
        #expect(!server.clients.contains("other"))
    }

    /// A session of a client that is killed is cleared when the client returns; its others, which are
    /// idle and answer, are not.
    @Test func aReturningClientKeepsItsOtherSessions() throws {
        let server = try RunningServer.joined()
        let living = try server.forward("tcp:0=127.0.0.1:9")
        let killed = try server.forward("tcp:0=127.0.0.1:10")
        usleep(1_500_000)
        kill(killed.process, SIGKILL)
        _ = killed.wait()
        for port in 11...12 { _ = try server.forward("tcp:0=127.0.0.1:\(port)") }
        let isCleared = eventually {
            server.process.output.contains("this server ended it")
        }
        #expect(isCleared, "\(server.process.output)")
        usleep(1_500_000)
        let ended = server.process.output.ranges(of: "this server ended it").count
        #expect(ended == 1, "\(server.process.output)")
        #expect(!living.output.contains("closed the connection"), "\(living.output)")
        #expect(server.end().status == 143)
    }

    /// A token is not used for a key that could not be stored.
    @Test func aKeyIsStoredBeforeItsTokenIsUsed() throws {
        let server = try RunningServer()
        let token = try server.firstToken()
        let state = server.folder.file("van")
        mkdir(state, 0o700)
        write(Array("in the way".utf8), to: state + "/servers")
        let failed = try server.join(token, host: "van")
        #expect(failed.status != 0 && failed.errorLine?.contains("servers") == true)
        #expect(!server.clients.contains("van"))
        unlink(state + "/servers")
        #expect(try server.join(token, host: "van").status == 0)
        #expect(server.end().status == 143)
    }

    /// Root keeps no keys in a folder whose owner could replace them.
    @Test(.enabled(if: getuid() == 0, "needs root"))
    func aFolderOfSomebodyElseIsRefused() throws {
        let folder = scratch.file("theirs")
        mkdir(folder, 0o700)
        try #require(chown(folder, 65_534, 65_534) == 0)
        let run = try Pathwise.run("serve", "--state", folder, "--listen", "127.0.0.1:0")
        #expect(run.status == 78)
        #expect(run.errorLine?.contains("belongs to the user with the number 65534") == true)
        #expect(Scratch.names(in: folder) == [])
    }

    @Test func aTokenIsGoodOnce() throws {
        let server = try RunningServer()
        let token = try server.firstToken()
        #expect(try server.join(token, host: "van").status == 0)
        let again = try server.join(token, host: "other")
        #expect(again.status == 77)
        #expect(
            again.errorLine
                == "pathwise: the server does not take this token: it was used already, was withdrawn, "
                + "or has expired by the server's clock; make another there with 'pathwise invite'")
        #expect(again.output.isEmpty)
        let left = Scratch.names(in: server.folder.file("other") + "/servers")
        #expect(left.filter { $0 != ".lock" } == [])
        // A withdrawn one is not good at all.
        let withdrawn = try server.invite()
        write(Array("# none\n".utf8), to: server.state + "/tokens")
        usleep(700_000)
        #expect(try server.join(withdrawn, host: "other").status == 77)
    }

    /// `invite` works beside the running server, chooses the client's name, and has the address.
    @Test func aRunningServerTakesMoreTokens() throws {
        let server = try RunningServer()
        #expect(try server.join(try server.firstToken(), host: "van").status == 0)
        let named = try server.invite("studio-2")
        let joined = try server.join(named, host: "home", "--name", "s", "--json")
        #expect(joined.status == 0, "\(joined.errors)")
        #expect(joined.output.contains("\"client\": \"studio-2\""))
        #expect(joined.output.contains("\"\(server.address)\""))
        // A name that is taken gets a number.
        let third = try server.join(try server.invite("van"), host: "third", "--json")
        #expect(third.output.contains("\"client\": \"van-2\""), "\(third.errors)")
        let lines = server.clients.split(separator: "\n").filter { !$0.hasPrefix("#") }
        #expect(lines.map { $0.split(separator: " ")[0] } == ["van", "studio-2", "van-2"])
    }

    @Test func anExpiredTokenIsRefused() throws {
        let server = try RunningServer(["--token-lifetime", "1s"])
        let token = try server.firstToken()
        sleep(2)
        let joined = try server.join(token, host: "van")
        #expect(joined.status == 77)
        let line = try #require(joined.errorLine)
        #expect(line.hasPrefix("pathwise: the token expired "), "\(line)")
        #expect(line.contains(" s ago, at 20"), "\(line)")
        #expect(line.contains("Z (UTC; this host's clock says 20"), "\(line)")
        #expect(
            InviteText.expired(1_700_000_000, now: 1_700_007_320)
                == "the token expired 2 h 2 min ago, at 2023-11-14T22:13:20Z (UTC; this host's clock "
                + "says 2023-11-15T00:15:20Z); make another on the server with 'pathwise invite', or "
                + "set the clock if it is wrong")
        #expect(!server.clients.contains("\nvan "))
    }

    @Test func badTokens() throws {
        let server = try RunningServer()
        let token = try server.firstToken()
        let damaged =
            "pathwise: the token is not complete or was mistyped; copy the whole line that begins "
            + "with pathwise1-, or make another on the server with 'pathwise invite'"
        let cut = try server.join(String(token.dropLast()), host: "van")
        #expect(cut.status == 65)
        #expect(cut.errorLine == damaged)
        let wrong = token.dropFirst(30).first == "A" ? "B" : "A"
        let typed = try server.join(token.prefix(30) + wrong + token.dropFirst(31), host: "van")
        #expect(typed.errorLine == damaged)
        let other = try server.join("hello", host: "van")
        #expect(other.status == 65)
        #expect(
            other.errorLine
                == "pathwise: this is no token; copy the whole line that begins with pathwise1- "
                + "from the server")
        #expect(access(server.folder.file("van"), F_OK) != 0)
        // It is still good, also from standard input, and another one from a file.
        let joined = try Pathwise(
            ["join", "-", "--state", server.folder.file("van")], input: "\n\n \n  \(token)\n"
        ).wait()
        #expect(joined.status == 0, "\(joined.errors)")
        write(Array("\n  \(try server.invite())  \nmore\n".utf8), to: scratch.file("token"))
        let read = try Pathwise(
            ["join", "--file", scratch.file("token"), "--state", server.folder.file("home")]
        ).wait()
        #expect(read.status == 0, "\(read.errors)")
        for (arguments, status, problem) in [
            (["--file", scratch.file("none")], 66, "'\(scratch.file("none"))': No such file"),
            (["--file", scratch.path], 66, "'\(scratch.path)': Is a directory"),
            (["--file", scratch.file("token"), "pathwise1-"], 64, "one of them only"),
            ([], 64, "give the token, - for standard input, or --file FILE"),
        ] as [([String], Int32, String)] {
            let run = try Pathwise(
                ["join", "--state", server.folder.file("x")] + arguments
            ).wait()
            #expect(run.status == status, "\(arguments)")
            #expect(run.errorLine?.contains(problem) == true, "\(run.errors)")
        }
    }

    @Test func tokenOfAnotherServer() throws {
        let server = try RunningServer()
        let other = try RunningServer(["--public", server.address])
        let joined = try server.join(try other.firstToken(), host: "van")
        #expect(joined.status == 77)
        #expect(
            joined.errorLine
                == "pathwise: the token is of another server: the one at \(server.address) has "
                + "another key; make a token there with 'pathwise invite'")
    }

    @Test func nobodyAnswers() throws {
        let server = try RunningServer(["--public", "127.0.0.1:9"])
        let joined = try server.join(try server.firstToken(), host: "van")
        #expect(joined.status == 69)
        #expect(
            joined.errorLine
                == "pathwise: no answer from 127.0.0.1:9; check that 'pathwise serve' runs there, "
                + "and that firewalls let UDP through")
    }

    @Test func aNameThatIsTaken() throws {
        let server = try RunningServer()
        #expect(try server.join(try server.firstToken(), host: "van", "--name", "s").status == 0)
        let token = try server.invite()
        let taken = try server.join(token, host: "van", "--name", "s")
        #expect(taken.status == 73)
        let path = server.folder.file("van") + "/servers/s"
        #expect(
            taken.errorLine
                == "pathwise: a server with the name 's' is known already (\(path)); choose "
                + "another with --name, or replace it with --force")
        let before = text(of: path)
        let forced = try server.join(token, host: "van", "--name", "s", "--force")
        #expect(forced.status == 0, "\(forced.errors)")
        #expect(text(of: path) != before)
        #expect(try server.join(token, host: "van", "--name", "a/b").status == 64)
    }

    @Test func twoServersOfOneFolder() throws {
        let server = try RunningServer()
        let second = try Pathwise.run(
            "serve", "--state", server.state, "--listen", "127.0.0.1:0")
        #expect(second.status == 69)
        #expect(
            second.errorLine
                == "pathwise: another server uses \(server.state); end it, or choose another "
                + "folder with --state")
        #expect(second.output.isEmpty)
    }

    /// A removed client is cut off in the middle of its work, and comes back with its line.
    @Test func clientsChangeWhileItRuns() throws {
        let server = try RunningServer(["--output", scratch.file("in")])
        #expect(try server.join(try server.firstToken(), host: "van").status == 0)
        let good = server.clients
        let pipe = scratch.file("pipe")
        mkfifo(pipe, 0o600)
        let writer = open(pipe, O_RDWR | O_CLOEXEC)
        defer { close(writer) }
        let sender = try Pathwise(["send", pipe, "--state", server.folder.file("van")])
        #expect(server.says("van  joined"))
        write(Array("# nobody\n".utf8), to: server.state + "/clients")
        let ended = sender.wait()
        #expect(ended.status == 77, "\(ended.errors)")
        #expect(
            ended.errors.contains("the server does not allow this client's key any more"),
            "\(ended.errors)")
        #expect(server.says("0 clients may connect now"))
        #expect(server.says("van  left"))
        #expect(
            server.says(
                "this server ended it, as the client's line in the file of clients was removed"))
        #expect(try server.send(file(10), from: "van").status == 77)
        // And back again, by SIGHUP and at once.
        write(Array(good.utf8), to: server.state + "/clients")
        kill(server.process.process, SIGHUP)
        #expect(server.says("1 client may connect now"))
        #expect(try server.send(file(10), from: "van").status == 0)
    }

    /// `doctor` asks a server that was joined by its name, and makes a session with its keys.
    @Test func doctorKnowsTheServer() throws {
        let server = try RunningServer()
        #expect(try server.join(try server.firstToken(), host: "van", "--name", "s").status == 0)
        let state = server.folder.file("van")
        let run = try Pathwise(["doctor", "--server", "s", "--state", state, "--json"]).wait()
        let json = try JSONReading(list: run)
        var levels: [String: String] = [:]
        for index in 0..<200 {
            guard let id = json.optionalText(index, "id") else { break }
            levels[id] = json.optionalText(index, "level")
        }
        #expect(levels["server.answer"] == "ok", "\(run.output)")
        #expect(levels["server.session"] == "ok", "\(run.output)")
        #expect(server.says("van  joined from 127.0.0.1:"))
        let unknown = try Pathwise(["doctor", "--server", "t", "--state", state]).wait()
        #expect(unknown.status == 66)
        #expect(unknown.errorLine?.contains("no server is known as 't'; known are: s") == true)
        let both = try Pathwise(["doctor", "--server", "s", "--to", "x:1", "--state", state]).wait()
        #expect(both.status == 64)
        #expect(both.errorLine?.contains("--server stands for --to, --peer and --key") == true)
    }

    @Test func withoutOutputItTakesNoFiles() throws {
        let server = try RunningServer()
        #expect(try server.join(try server.firstToken(), host: "van").status == 0)
        let sent = try server.send(file(100_000), from: "van")
        #expect(sent.status == 73)
        #expect(sent.errors.contains("this server takes no files; start it with --output FOLDER"))
    }

    @Test func theLogAsJSON() throws {
        let server = try RunningServer(["--json"])
        #expect(server.says("\"event\":\"token\""))
        let token = try #require(
            server.log.split(separator: "\"").first { $0.hasPrefix("pathwise1-") })
        #expect(try server.join(String(token), host: "van").status == 0)
        #expect(try server.send(file(10), from: "van").status == 73)
        for event in ["enrolled", "joined", "left"] {
            #expect(server.says("\"event\":\"\(event)\""), "\(event)")
        }
        let left = try #require(
            server.log.split(separator: "\n").first { $0.contains("\"event\":\"left\"") })
        #expect(left.contains("\"client\":\"van\""))
        #expect(left.contains("\"reason\":\"the client ended it\""))
    }

    /// Killed at any moment, `invite` leaves a list that can be read, and nothing else behind.
    @Test func killedWritersLeaveNoDamage() throws {
        let server = try RunningServer()
        _ = try server.firstToken()
        for round in 0..<25 {
            let invite = try Pathwise(["invite", "--state", server.state])
            usleep(UInt32(2_000 + round * 700))
            kill(invite.process, SIGKILL)
            _ = invite.wait()
        }
        let last = try server.invite("last")
        let lines = text(of: server.state + "/tokens").split(separator: "\n")
        #expect(lines.last?.hasSuffix(" name=last") == true)
        #expect(lines.dropFirst().allSatisfy { $0.split(separator: " ").count >= 2 })
        #expect(!Scratch.names(in: server.state).contains { $0.hasPrefix(".pathwise-") })
        #expect(try server.join(last, host: "van").status == 0)
    }

    @Test(arguments: [
        (["serve", "--listen", "x"], "--listen 'x': "),
        (["serve", "--hold", "1d"], "--hold '1d': "),
        (["serve", "--hold", "2h"], "--hold '2h' is out of range; give 500ms to 1h"),
        (["serve", "--token-lifetime", "0s"], "--token-lifetime '0s': give 1s to 90d, as 30min"),
        (["serve", "--public", "host"], "--public 'host' is not HOST:PORT; "),
        (["serve", "--forward-allow", "x"], "--forward-allow: 'x' is not a rule; "),
        (["serve", "--reverse-allow", "x:y"], "--reverse-allow: 'x:y' is not a rule; "),
        (["serve", "--output", "-"], "--output '-': name a folder"),
        (["invite", "--token-lifetime", "x"], "--token-lifetime 'x': give 1s to 90d"),
        (["join", "pathwise1-", "--name", "x"], "the token is not complete"),
        (["send", "f", "--server", "x", "--peer", "y"], "--server stands for --peer and --key"),
    ])
    func badArguments(arguments: [String], problem: String) throws {
        write([1], to: scratch.file("f"))
        let run = try Pathwise(
            arguments.map { $0 == "f" ? scratch.file("f") : $0 } + ["--state", scratch.file("s")]
        ).wait()
        #expect(run.status == (arguments[0] == "join" ? 65 : 64))
        #expect(run.errorLine?.hasPrefix("pathwise: \(problem)") == true, "\(run.errors)")
        #expect(run.output.isEmpty)
        #expect(access(scratch.file("s"), F_OK) != 0)
    }

    @Test func whatIsMissing() throws {
        let state = scratch.file("none")
        let invite = try Pathwise.run("invite", "--state", state)
        #expect(invite.status == 66)
        #expect(
            invite.errorLine
                == "pathwise: no server has run with the folder \(state) yet; start 'pathwise "
                + "serve' first, or name another folder with --state")
        write([1], to: scratch.file("f"))
        let send = try Pathwise.run("send", scratch.file("f"), "--state", state)
        #expect(send.status == 64)
        #expect(
            send.errorLine
                == "pathwise: no server is known; join one with 'pathwise join TOKEN', or give "
                + "--to, --peer and --key")
        let named = try Pathwise.run(
            "send", scratch.file("f"), "--state", state, "--server", "studio")
        #expect(named.status == 66)
        #expect(access(state, F_OK) != 0)
        let home = try Pathwise(["invite"], shell: "unset HOME; exec \"$@\"").wait()
        #expect(home.status == 78)
        #expect(
            home.errorLine
                == "pathwise: neither XDG_CONFIG_HOME nor HOME names a folder; set HOME, or give "
                + "--state DIR")
    }

    /// Whoever ends a program and its group sends it two signals at once: they are one request, so the
    /// server hears of the end.
    @Test(arguments: [(SIGTERM, SIGTERM), (SIGINT, SIGTERM), (SIGTERM, SIGINT)])
    func twoSignalsAtOnceAreOne(first: Int32, second: Int32) throws {
        let server = try RunningServer.joined()
        for _ in 0..<5 {
            let client = try server.forward("tcp:0=127.0.0.1:9")
            let before = server.log.ranges(of: "van  left").count
            kill(client.process, first)
            kill(client.process, second)
            #expect([130, 143].contains(client.wait().status))
            let hasLeft = { server.log.ranges(of: "van  left").count > before }
            #expect(eventually(hasLeft), "\(server.log)")
        }
    }
}
