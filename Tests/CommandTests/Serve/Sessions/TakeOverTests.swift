import Glibc
import Testing

/// Listeners at the server whose client was killed and comes back, and those of a client that lives.
struct TakeOverTests {
    @Test func aKilledClientGetsItsListenersAgain() throws {
        let server = try RunningServer.joined()
        let echo = try EchoServer()
        defer { echo.stop() }
        let (tcp, udp) = (try freePort(), try freePort())
        let goal = "127.0.0.1:\(echo.port)"
        for round in 0..<3 {
            let client = try server.forward("--reverse", "tcp:\(tcp)=\(goal)", "udp:\(udp)=\(goal)")
            #expect(
                eventually { client.output.ranges(of: "the server listens on").count == 2 },
                "round \(round): \(client.output)")
            #expect(!client.output.contains("does not listen"), "\(client.output)")
            #expect(try PlainConnection(to: tcp).exchange([1, 2]) == [1, 2])
            #expect(try PlainDatagrams(to: udp).ask([3]) == [3])
            kill(client.process, SIGKILL)
            _ = client.wait()
        }
    }

    /// The second client with the same key is told that the port is taken, and the first keeps it.
    @Test func aLivingClientKeepsItsListeners() throws {
        let server = try RunningServer.joined()
        let echo = try EchoServer()
        defer { echo.stop() }
        let (tcp, udp) = (try freePort(), try freePort())
        let goal = "127.0.0.1:\(echo.port)"
        let first = try server.forward("--reverse", "tcp:\(tcp)=\(goal)", "udp:\(udp)=\(goal)")
        #expect(eventually { first.output.ranges(of: "the server listens on").count == 2 })
        let second = try server.forward("--reverse", "tcp:\(tcp)=\(goal)", "udp:\(udp)=\(goal)")
        #expect(
            eventually { second.output.ranges(of: "Address already in use").count == 2 },
            "\(second.output)")
        #expect(try PlainConnection(to: tcp).exchange([1, 2]) == [1, 2])
        #expect(try PlainDatagrams(to: udp).ask([3]) == [3])
        #expect(!first.output.contains("stopped listening"), "\(first.output)")
        first.interrupt()
        #expect(first.wait().status == 130)
        #expect(
            eventually(within: 20) {
                second.output.ranges(of: "the server listens on").count == 2
            }, "\(second.output)")
    }
}
