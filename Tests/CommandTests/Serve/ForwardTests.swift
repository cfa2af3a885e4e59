import Glibc
import Testing

/// `forward` as a process beside `serve`, with programs at both ends.
struct ForwardTests {
    /// A client that has joined, and forwards.
    private func forward(
        _ server: RunningServer, _ arguments: String...
    ) throws -> Pathwise {
        let client = try Pathwise(
            ["forward", "--state", server.folder.file("van")] + arguments)
        #expect(
            eventually { client.output.contains("connected over") || client.hasEnded },
            "\(client.output) \(client.errorText)")
        return client
    }

    private func joined() throws -> RunningServer {
        let server = try RunningServer()
        #expect(try server.join(try server.firstToken(), host: "van").status == 0)
        return server
    }

    /// The port in a line such as `tcp: listening on 127.0.0.1:40001 for 127.0.0.1:7`.
    private func port(_ kind: String, in log: String) throws -> UInt16 {
        let mark = "\(kind): listening on 127.0.0.1:"
        let start = try #require(log.firstRange(of: mark), "\(log)")
        return try #require(UInt16(log[start.upperBound...].prefix { $0.isNumber }))
    }

    @Test func programsMeetOverIt() throws {
        let server = try joined()
        let echo = try EchoServer()
        defer { echo.stop() }
        let client = try forward(
            server, "tcp:0=127.0.0.1:\(echo.port)", "udp:0=127.0.0.1:\(echo.port)")
        let content = content(300_000)
        let stream = try PlainConnection(to: try port("tcp", in: client.output))
        #expect(stream.exchange(content) == content)
        let datagrams = try PlainDatagrams(to: try port("udp", in: client.output))
        #expect(datagrams.ask(Array(content.prefix(20_000))) == Array(content.prefix(20_000)))
        // The status of both sides names the flows.
        let status = try Pathwise(
            ["status", "--state", server.folder.file("van")]
        ).wait()
        #expect(status.status == 0, "\(status.errors)")
        #expect(status.output.contains("=127.0.0.1:\(echo.port)"))
        kill(client.process, SIGTERM)
        #expect(client.wait().status == 143)
        #expect(server.says("van  left after "))
    }

    /// A server that was killed and started again is found, and UDP flows go on from the same port.
    @Test func aRestartedServerIsFoundAgain() throws {
        let first = try joined()
        let echo = try EchoServer()
        defer { echo.stop() }
        let client = try forward(
            first, "udp:0=127.0.0.1:\(echo.port)", "tcp:0=127.0.0.1:\(echo.port)")
        let datagrams = try PlainDatagrams(to: try port("udp", in: client.output))
        #expect(datagrams.ask([1, 2, 3]) == [1, 2, 3])
        let stream = try PlainConnection(to: try port("tcp", in: client.output))
        #expect(stream.exchange([4], half: false) == [4])
        let address = first.address
        #expect(first.end(SIGKILL).status == -SIGKILL)
        let second = try RunningServer(in: first.folder, address: address)
        #expect(second.says("van  joined from"))
        #expect(eventually { datagrams.ask([5, 6]) == [5, 6] })
        // The old connection was reset, not left hanging.
        #expect(stream.isReset)
        let next = try PlainConnection(to: try port("tcp", in: client.output))
        #expect(next.exchange([7]) == [7])
        kill(client.process, SIGINT)
        #expect(client.wait().status == 130)
    }

    @Test(arguments: [
        (["sctp:1"], 64, "is not a forward; write tcp:PORT"),
        (["tcp:1", "--deadline", "soon"], 64, "--deadline 'soon': write deadline=120ms"),
        (["tcp:1", "--class", "fast"], 64, "class=interactive"),
        (["socks:1=a:2"], 64, "a proxy has no target"),
        (["--reverse", "socks:1"], 64, "--reverse takes tcp: and udp: only"),
        (["tcp:99999"], 64, "a port is a number from 0 to 65535"),
        (["tcp:1"], 64, "no server is known"),
    ])
    func wrongInputIsOneLine(arguments: [String], status: Int32, text: String) throws {
        let scratch = Scratch()
        let run = try Pathwise(
            ["forward", "--state", scratch.file("none")] + arguments
        ).wait()
        #expect(run.status == status, "\(run.errors)")
        #expect(run.errorLine?.contains(text) == true, "\(run.errors)")
        #expect(run.output.isEmpty)
    }

    @Test func aPortInUseIsNamed() throws {
        let server = try joined()
        let echo = try EchoServer()
        defer { echo.stop() }
        let run = try Pathwise(
            ["forward", "--state", server.folder.file("van"), "tcp:\(echo.port)"]
        ).wait()
        #expect(run.status == 69, "\(run.errors)")
        #expect(run.errorLine?.contains("127.0.0.1:\(echo.port)") == true, "\(run.errors)")
    }
}

// MARK: programs

private func loopback(_ port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    return address
}

private func withAddress<Result>(
    _ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
) -> Result {
    var address = loopback(port)
    let size = socklen_t(MemoryLayout<sockaddr_in>.size)
    return withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, size) }
    }
}

private func limit(_ descriptor: Int32, seconds: Int) {
    var time = timeval(tv_sec: seconds, tv_usec: 0)
    setsockopt(
        descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
}

/// Echoes TCP connections and datagrams on one port.
private final class EchoServer: Sendable {
    let port: UInt16
    private let listener: Int32
    private let datagrams: Int32

    init() throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let datagrams = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        let isBound = withAddress(0) { bind(listener, $0, $1) } == 0
        try #require(isBound)
        var address = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getsockname(listener, $0, &size)
            }
        }
        let port = UInt16(bigEndian: address.sin_port)
        let isBoundToo = withAddress(port) { bind(datagrams, $0, $1) } == 0
        try #require(isBoundToo)
        try #require(listen(listener, 16) == 0)
        self.port = port
        self.listener = listener
        self.datagrams = datagrams
        try run {
            while case let peer = accept(listener, nil, nil), peer >= 0 {
                try? run { EchoServer.echo(peer) }
            }
        }
        try run { EchoServer.answer(datagrams) }
    }

    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        shutdown(datagrams, Int32(SHUT_RDWR))
        close(listener)
        close(datagrams)
    }

    private static func echo(_ peer: Int32) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while case let count = read(peer, &buffer, buffer.count), count > 0 {
            var sent = 0
            while sent < count {
                let more = buffer.withUnsafeBytes {
                    send(
                        peer, $0.baseAddress.map { $0 + sent }, count - sent,
                        Int32(MSG_NOSIGNAL))
                }
                guard more > 0 else { break }
                sent += more
            }
        }
        close(peer)
    }

    private static func answer(_ socket: Int32) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var source = sockaddr_storage()
        while true {
            var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let count = withUnsafeMutablePointer(to: &source) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    recvfrom(socket, &buffer, buffer.count, 0, $0, &size)
                }
            }
            guard count > 0 else { return }
            _ = withUnsafePointer(to: &source) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    sendto(socket, buffer, count, 0, $0, size)
                }
            }
        }
    }
}

/// Runs a closure on a thread of its own.
private func run(_ body: @escaping @Sendable () -> Void) throws {
    final class Work: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    let work = Unmanaged.passRetained(Work(body)).toOpaque()
    let status = pthread_create(
        &thread, nil,
        { argument in
            if let argument {
                Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body()
            }
            return nil
        }, work)
    try #require(status == 0)
    pthread_detach(thread)
}

/// A connection of a program to a local port.
private final class PlainConnection {
    private let descriptor: Int32

    init(to port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        limit(descriptor, seconds: 20)
        let descriptor = descriptor
        let isConnected = withAddress(port) { connect(descriptor, $0, $1) } == 0
        try #require(isConnected)
    }

    deinit { close(descriptor) }

    /// Writes, closes the writing half unless told otherwise, and reads what comes back.
    func exchange(_ bytes: [UInt8], half: Bool = true) -> [UInt8] {
        let descriptor = descriptor
        try? run {
            var sent = 0
            while sent < bytes.count {
                let more = bytes.withUnsafeBytes {
                    send(
                        descriptor, $0.baseAddress.map { $0 + sent }, bytes.count - sent,
                        Int32(MSG_NOSIGNAL))
                }
                guard more > 0 else { return }
                sent += more
            }
            if half { shutdown(descriptor, Int32(SHUT_WR)) }
        }
        var got: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while half || got.count < bytes.count,
            case let count = read(descriptor, &buffer, buffer.count), count > 0
        {
            got += buffer.prefix(count)
        }
        return got
    }

    /// Whether the other end has broken the connection.
    var isReset: Bool {
        var byte: UInt8 = 0
        return read(descriptor, &byte, 1) < 0 && errno == ECONNRESET
    }
}

/// A socket of a program for datagrams to a local port.
private final class PlainDatagrams {
    private let descriptor: Int32

    init(to port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        limit(descriptor, seconds: 2)
        let descriptor = descriptor
        let isConnected = withAddress(port) { connect(descriptor, $0, $1) } == 0
        try #require(isConnected)
    }

    deinit { close(descriptor) }

    /// Sends a datagram and returns the next that comes back; empty if none does.
    func ask(_ bytes: [UInt8]) -> [UInt8] {
        guard send(descriptor, bytes, bytes.count, 0) == bytes.count else { return [] }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return count > 0 ? Array(buffer.prefix(count)) : []
    }
}
