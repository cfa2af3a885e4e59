import Glibc
import Testing

/// SIGHUP, and terminals that close.
struct HangUpTests {
    private let scratch = Scratch()

    /// The controlling side of a new terminal, and the path of the other one.
    private func terminal() throws -> (control: Int32, path: String) {
        let control = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        var (number, locked): (Int32, Int32) = (0, 0)
        // TIOCSPTLCK and TIOCGPTN.
        try #require(control >= 0 && ioctl(control, 0x4004_5431, &locked) == 0)
        try #require(ioctl(control, 0x8004_5430, &number) == 0)
        return (control, "/dev/pts/\(number)")
    }

    /// A client whose terminal closes says goodbye, so that its listener is free at once.
    @Test func aReverseForwardSaysGoodbye() throws {
        let server = try RunningServer.joined()
        let port = try freePort()
        let (control, path) = try terminal()
        let client = try Pathwise(
            [
                "forward", "--state", server.folder.file("van"), "--reverse",
                "tcp:\(port)=127.0.0.1:9",
            ],
            shell: "exec setsid -c \"$@\" <\(path)")
        #expect(eventually { client.output.contains("the server listens on") }, "\(client.output)")
        close(control)
        #expect(client.wait().status == 129)
        let next = try server.forward("--reverse", "tcp:\(port)=127.0.0.1:9")
        #expect(eventually { next.output.contains("the server listens on") })
        #expect(!next.output.contains("in use"), "\(next.output)")
        #expect(server.says("the client ended it"))
        #expect(server.end(SIGTERM).status == 143)
    }

    /// A server takes the signal as a request while its terminal is there, and ends with it.
    @Test func aServerEndsWithItsTerminal() throws {
        let (control, path) = try terminal()
        let server = try Pathwise(
            ["serve", "--state", scratch.file("s"), "--listen", "127.0.0.1:0"],
            shell: "exec setsid -c \"$@\" <\(path)")
        #expect(eventually { server.output.contains("pathwise1-") }, "\(server.errorText)")
        kill(server.process, SIGHUP)
        #expect(eventually { server.output.contains("0 clients may connect now") })
        close(control)
        #expect(server.wait().status == 129)
    }

    /// Whoever has read a line of the log may send the signal at once, and finds it answered.
    @Test func aRequestWhileAServerStartsIsKept() throws {
        for number in 0..<5 {
            let server = try Pathwise([
                "serve", "--state", scratch.file("\(number)"), "--listen", "127.0.0.1:0",
            ])
            let end = seconds() + 10
            while server.output.isEmpty, seconds() < end {}
            kill(server.process, SIGHUP)
            #expect(eventually { server.output.contains("0 clients may connect now") })
            kill(server.process, SIGTERM)
            #expect(server.wait().status == 143)
        }
    }

    /// Nothing ends a program that was started with the signal ignored.
    @Test func nohupIsRespected() throws {
        let receiver = try KeyPairs()
        let run = try Pathwise(
            [
                "receive", "--listen", "127.0.0.1:0", "--key", receiver.serverFile, "--allow",
                receiver.client, "--output", scratch.path,
            ], shell: "trap '' HUP; exec \"$@\"")
        #expect(eventually { run.errorText.contains("listening") }, "\(run.errorText)")
        kill(run.process, SIGHUP)
        usleep(500_000)
        #expect(!run.hasEnded)
        kill(run.process, SIGTERM)
        #expect(run.wait().status == 143)
        let plain = try Pathwise([
            "receive", "--listen", "127.0.0.1:0", "--key", receiver.serverFile, "--allow",
            receiver.client, "--output", scratch.path,
        ])
        #expect(eventually { plain.errorText.contains("listening") }, "\(plain.errorText)")
        kill(plain.process, SIGHUP)
        #expect(plain.wait().status == 129)
    }
}
