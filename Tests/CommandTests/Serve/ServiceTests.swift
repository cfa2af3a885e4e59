import Glibc
import PathForward
import PathNetwork
import PathTransport
import Pathwise
import Testing

@testable import PathwiseCommand

/// What programs need that run as services of a user of their own.
struct ServiceTests {
    private let scratch = Scratch()

    /// Limits of the command or its file are for clients whose lines say nothing else.
    @Test func limitsOfAllClients() throws {
        let usual = UsualLimits(rate: 1000, cap: try ByteCap(argument: "1MB/day"), flows: 7)
        let table = AllowanceTable(state: scratch.path, usual: usual)
        var client = ServedClient(name: "van", key: try PrivateKey.generate().publicKey, words: [])
        #expect(
            try table.allowance(of: client).limits
                == ClientLimits(flows: 7, bytesPerSecond: 1000, byteCap: 1_000_000))
        #expect(table.use(of: client.key)?.cap.bytes == 1_000_000)
        client.rate = 5
        client.cap = try ByteCap(argument: "2MB/day")
        #expect(
            try table.allowance(of: client).limits
                == ClientLimits(flows: 7, bytesPerSecond: 5, byteCap: 2_000_000))
        let plain = AllowanceTable(state: scratch.file("other"))
        client = ServedClient(name: "van", key: client.key, words: [])
        #expect(try plain.allowance(of: client).limits == ClientLimits())
    }

    /// SIGHUP is how systemd reloads a service; without a model there is nothing to load.
    @Test func forwardOutlivesHangUp() throws {
        let echo = try EchoServer()
        defer { echo.stop() }
        let server = try RunningServer.joined()
        let client = try server.forward("tcp:0=127.0.0.1:\(echo.port)")
        kill(client.process, SIGHUP)
        usleep(100_000)
        let local = try port(of: "tcp", in: client.output)
        let bytes = Array("after SIGHUP".utf8)
        #expect(try PlainConnection(to: local).exchange(bytes) == bytes)
        #expect(!client.hasEnded)
    }

    /// A host that starts without a network goes on trying to find its server's address.
    @Test func forwardWaitsForNames() throws {
        let server = try RunningServer.joined()
        let state = server.folder.file("van")
        let folder = state + "/servers/"
        let name = try #require(Scratch.names(in: folder).first { !$0.hasPrefix(".") })
        let profile = text(of: folder + name)
        let other = profile.replacing(/127\.0\.0\.1:[0-9]+/, with: "nosuch.invalid:7000")
        #expect(other != profile)
        write(Array(other.utf8), to: folder + name)
        let client = try Pathwise(["forward", "--state", state, "udp:0=127.0.0.1:9"])
        #expect(eventually { client.output.contains("the next attempt is in") }, "\(client.output)")
        #expect(client.output.contains("cannot find an address for nosuch.invalid"))
        #expect(!client.hasEnded)
        write(Array(profile.utf8), to: folder + name)
        #expect(eventually(within: 10) { client.output.contains("connected over") })
        kill(client.process, SIGTERM)
        #expect(client.wait().status == 143)
    }

    /// A service of another user reads what root writes into its folder.
    @Test(.enabled(if: geteuid() == 0, "only root can act as another user"))
    func rootInvitesAsTheOwner() throws {
        let owner: uid_t = 65_534
        let server = try RunningServer()
        _ = try server.firstToken()
        _ = server.end()
        chmod(scratch.path, 0o755)
        chmod(server.folder.path, 0o755)
        chown(server.state, owner, owner)
        for name in Scratch.names(in: server.state) {
            chown(server.state + "/" + name, owner, owner)
        }
        let run = try Pathwise.run("invite", "van", "--state", server.state)
        #expect(run.status == 0, "\(run.errors)")
        var file = stat()
        #expect(stat(server.state + "/tokens", &file) == 0)
        #expect(file.st_uid == owner)
        #expect(file.st_mode & 0o777 == 0o600)
    }
}
