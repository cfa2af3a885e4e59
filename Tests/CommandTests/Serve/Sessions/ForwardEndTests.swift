import PathTransport
import Testing

@testable import Pathwise
@testable import PathwiseCommand

/// When `forward` ends by itself.
struct ForwardEndTests {
    private func status(
        _ error: SessionError, sessions: Int, refusals: Int
    ) -> PersistentStatus {
        var status = PersistentStatus()
        status.phase = .waiting(.seconds(1))
        status.sessions = sessions
        status.refusals = refusals
        status.lastError = error
        return status
    }

    /// A withdrawal is authenticated, so it counts at once.
    ///
    /// A refusal counts at the first attempt, and later only if it lasts. Anything else never ends
    /// it.
    @Test func refusalsThatLast() {
        let withdrawn = SessionError.ended(
            .peer(code: CloseNotice.withdrawn.code, reason: CloseNotice.withdrawn.text))
        #expect(ForwardJob.lastError(of: status(withdrawn, sessions: 1, refusals: 1)) != nil)
        for reason in [RefusalReason.unknownClient, .presharedKey] {
            let refused = SessionError.ended(.refused(reason))
            #expect(ForwardJob.lastError(of: status(refused, sessions: 0, refusals: 1)) != nil)
            #expect(ForwardJob.lastError(of: status(refused, sessions: 1, refusals: 9)) == nil)
            #expect(ForwardJob.lastError(of: status(refused, sessions: 1, refusals: 10)) != nil)
        }
        let others: [CloseReason] = [
            .refused(.busy), .refused(.version), .handshakeTimeout, .idleTimeout, .forgotten,
            .peer(code: 0, reason: ""), .peer(code: 3, reason: "full"),
        ]
        for reason in others {
            let error = SessionError.ended(reason)
            #expect(
                ForwardJob.lastError(of: status(error, sessions: 0, refusals: 20)) == nil,
                "\(reason)")
        }
    }

    /// Interfaces that do not exist are named, with those that do; `send` says the same.
    @Test func unknownInterfaces() throws {
        let server = try RunningServer.joined()
        let state = server.folder.file("van")
        write([1], to: server.folder.file("data"))
        for command in [["forward", "tcp:0=127.0.0.1:9"], ["send", server.folder.file("data")]] {
            let run = try Pathwise(
                command + ["--state", state, "--path", "x=nosuch"]
            ).wait()
            #expect(run.status == 69, "\(run.errors)")
            #expect(
                run.errorLine?.hasPrefix(
                    "pathwise: none of the paths can be used now: x (there is no interface 'nosuch'; "
                        + "this host has lo") == true, "\(run.errors)")
        }
    }

    /// `serve` stores into folders only, and says what else there is.
    @Test func anOutputThatIsAFile() throws {
        let scratch = Scratch()
        write([1], to: scratch.file("file"))
        let run = try Pathwise.run(
            "serve", "--state", scratch.file("s"), "--output", scratch.file("file"))
        #expect(run.status == 64)
        #expect(
            run.errorLine
                == "pathwise: --output '\(scratch.file("file"))' is no folder, and 'serve' stores the "
                + "files of its clients in one; name a folder, or use 'receive' for a single file")
    }
}
