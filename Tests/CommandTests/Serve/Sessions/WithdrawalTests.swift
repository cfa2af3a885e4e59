import Glibc
import Testing

/// Clients that the server does not allow any more, and what both sides say of it.
struct WithdrawalTests {
    private let scratch = Scratch()

    /// `forward` ends when its line is removed, says why, and does not begin again; `doctor` names
    /// what brings it back.
    @Test func aWithdrawnClientEnds() throws {
        let server = try RunningServer.joined()
        let client = try server.forward("tcp:0=127.0.0.1:9")
        write(Array("# nobody\n".utf8), to: server.state + "/clients")
        let end = client.wait()
        #expect(end.status == 77, "\(end.output)")
        #expect(
            end.errorLine
                == "pathwise: the server does not allow this client's key any more; to come back, its "
                + "public key has to be among the clients there again (the file 'clients' of "
                + "'serve'), or 'join' with a token of 'invite'", "\(end.errors)")
        #expect(!end.output.contains("the next attempt"), "\(end.output)")
        let again = try Pathwise(
            ["forward", "--state", server.folder.file("van"), "tcp:0=127.0.0.1:9"]
        ).wait()
        #expect(again.status == 77, "\(again.output)")
        #expect(
            again.errors.contains("the server does not allow this client's key"),
            "\(again.errors)")
        let doctor = try Pathwise(
            ["doctor", "--server", try server.profile("van"), "--state", server.folder.file("van")]
        ).wait()
        #expect(doctor.status == 69)
        #expect(doctor.output.contains("into the file 'clients' of 'pathwise"), "\(doctor.output)")
        #expect(doctor.output.contains("pathwise invite"), "\(doctor.output)")
        #expect(!doctor.output.contains("--allow"), "\(doctor.output)")
    }

    /// A mistake in its line is not meant for good: the client is cut off, and tries until the line is
    /// right again.
    @Test func aMistakeIsNoWithdrawal() throws {
        let server = try RunningServer.joined()
        let client = try server.forward("tcp:0=127.0.0.1:9")
        let good = server.clients
        server.allow("allow=nonsense")
        #expect(server.says("this line admits nobody"))
        #expect(eventually { client.output.contains("the next attempt is in") })
        #expect(server.says(" refused: its line in the file of clients has a mistake"))
        write(Array(good.utf8), to: server.state + "/clients")
        #expect(eventually { client.output.ranges(of: "connected over").count == 2 })
        client.interrupt()
        #expect(client.wait().status == 130)
    }

    /// Both sides say that a session ended because the client's line has changed.
    @Test func aChangedLineIsTheReason() throws {
        let server = try RunningServer.joined()
        let client = try server.forward("tcp:0=127.0.0.1:9")
        server.allow("rate=10mbit")
        let reason = "the client's line in the file of clients has changed"
        #expect(server.says("this server ended it, as \(reason)"))
        #expect(
            eventually {
                client.output.contains(
                    "the peer closed the connection: \(reason); the next attempt")
            }, "\(client.output)")
        #expect(eventually { client.output.ranges(of: "connected over").count == 2 })
        client.interrupt()
        #expect(client.wait().status == 130)
    }

    /// A token that was made a moment before is not in the log as refused.
    @Test func aJoinAtOnceIsNoRefusal() throws {
        let server = try RunningServer.joined()
        for round in 0..<4 {
            let invited = try Pathwise(["invite", "--state", server.state]).wait()
            let token = try #require(RunningServer.token(in: invited.output))
            let joined = try server.join(token, host: "host\(round)")
            #expect(joined.status == 0, "\(joined.errors)")
            #expect(joined.errors.isEmpty, "\(joined.errors)")
        }
        // The log names a refusal after two seconds.
        usleep(2_500_000)
        #expect(!server.log.contains("refused"), "\(server.log)")
        #expect(server.log.ranges(of: "enrolled with a token").count == 5)
    }
}
