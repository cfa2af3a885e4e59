import Glibc
import Testing

/// A server and a client that may open only few files.
struct DescriptorLimitTests {
    private func lines(_ log: String, with text: String) -> Int {
        log.split(separator: "\n").count { $0.contains(text) }
    }

    /// Opens connections until one fails; those before answer, and are kept.
    private func fill(_ port: UInt16) throws -> [PlainConnection] {
        var open: [PlainConnection] = []
        for _ in 0..<64 {
            let connection = try PlainConnection(to: port)
            guard connection.exchange([7], half: false) == [7] else { return open }
            open.append(connection)
        }
        return open
    }

    /// Closes what the program would inherit of this process, which runs other tests.
    private static let shell =
        "exec bash -c 'for file in /proc/$$/fd/*; do number=${file##*/}; "
        + "[ $number -gt 2 ] && eval \"exec $number>&-\"; done; ulimit -n 48; exec \"$@\"' sh \"$@\""

    private static let reason =
        "limit of open files (48) is reached; there raise LimitNOFILE= of the service, or "
        + "'ulimit -n' before it starts"

    /// Both sides name the limit, once for many flows; names are not said to have no address, and
    /// flows are taken again afterwards.
    @Test func aServerAtItsLimit() throws {
        let server = try RunningServer(shell: DescriptorLimitTests.shell)
        #expect(try server.join(try server.firstToken(), host: "van").status == 0)
        let echo = try EchoServer()
        defer { echo.stop() }
        let client = try server.forward("tcp:0=localhost:\(echo.port)")
        let port = try port(of: "tcp", in: client.output)
        var open = try fill(port)
        #expect((5..<48).contains(open.count))
        for _ in 0..<8 { #expect(try PlainConnection(to: port).drain(for: 10).isOver) }
        let text = "no flow to localhost:\(echo.port): the server's \(DescriptorLimitTests.reason)"
        #expect(server.says(text))
        #expect(eventually { client.output.contains(text) })
        #expect(lines(server.log, with: "no flow to") == 1, "\(server.log)")
        #expect(lines(client.output, with: "no flow to") == 1, "\(client.output)")
        // Those that are open go on.
        #expect(open[0].exchange([8], half: false) == [8])
        open = []
        #expect(
            eventually {
                (try? PlainConnection(to: port).exchange([9], half: false)) == [9]
            })
    }

    /// A client says so itself, and answers what its proxies are asked.
    @Test func aClientAtItsLimit() throws {
        let server = try RunningServer.joined()
        let echo = try EchoServer()
        defer { echo.stop() }
        let client = try Pathwise(
            [
                "forward", "--state", server.folder.file("van"), "tcp:0=127.0.0.1:\(echo.port)",
                "http:0",
            ], shell: DescriptorLimitTests.shell)
        #expect(eventually { client.output.contains("connected over") })
        let entry = try port(of: "tcp", in: client.output)
        var open = try fill(entry)
        #expect((5..<48).contains(open.count))
        let proxy = try PlainConnection(to: try port(of: "http", in: client.output))
        let request = Array("CONNECT 127.0.0.1:\(echo.port) HTTP/1.1\r\n\r\n".utf8)
        let answer = String(decoding: proxy.exchange(request, half: false), as: UTF8.self)
        #expect(answer.hasPrefix("HTTP/1.1 503 "), "\(answer)")
        #expect(eventually { client.output.contains(DescriptorLimitTests.reason) })
        #expect(lines(client.output, with: "the client's limit of open files") == 1)
        open = []
        #expect(
            eventually {
                (try? PlainConnection(to: entry).exchange([9], half: false)) == [9]
            })
        kill(client.process, SIGTERM)
        _ = client.wait()
    }
}
