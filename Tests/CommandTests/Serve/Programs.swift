import Glibc
import Testing

private func loopback(_ port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    return address
}

/// Calls a function of the socket interface with an address of loopback.
func withAddress<Result>(
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
final class EchoServer: Sendable {
    let port: UInt16
    private let listener: Int32
    private let datagrams: Int32

    init() throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let datagrams = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        let isBound = withAddress(0) { bind(listener, $0, $1) } == 0
        try #require(isBound)
        let port = portOf(listener)
        let isBoundToo = withAddress(port) { bind(datagrams, $0, $1) } == 0
        try #require(isBoundToo)
        try #require(listen(listener, 16) == 0)
        self.port = port
        self.listener = listener
        self.datagrams = datagrams
        try onThread {
            while case let peer = accept(listener, nil, nil), peer >= 0 {
                try? onThread { EchoServer.echo(peer) }
            }
        }
        try onThread { EchoServer.answer(datagrams) }
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
func onThread(_ body: @escaping @Sendable () -> Void) throws {
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

/// Sends to each connection without an end.
final class SourceServer: Sendable {
    let port: UInt16
    private let listener: Int32

    init() throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let isBound = withAddress(0) { bind(listener, $0, $1) } == 0
        try #require(isBound && listen(listener, 16) == 0)
        self.listener = listener
        port = portOf(listener)
        try onThread {
            while case let peer = accept(listener, nil, nil), peer >= 0 {
                try? onThread {
                    let bytes = [UInt8](repeating: 7, count: 65_536)
                    while send(peer, bytes, bytes.count, Int32(MSG_NOSIGNAL)) > 0 {}
                    close(peer)
                }
            }
        }
    }

    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }
}

/// The port of a socket that is bound.
private func portOf(_ descriptor: Int32) -> UInt16 {
    var address = sockaddr_in()
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    _ = withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
    }
    return UInt16(bigEndian: address.sin_port)
}

/// A port of loopback on which nobody listens.
func freePort() throws -> UInt16 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    let isBound = withAddress(0) { bind(descriptor, $0, $1) } == 0
    try #require(isBound)
    return portOf(descriptor)
}

/// A socket that is connected to a local port, and whose reads wait for so many seconds.
private func connected(to port: UInt16, _ kind: Int32, patience: Int) throws -> Int32 {
    let descriptor = socket(AF_INET, kind, 0)
    limit(descriptor, seconds: patience)
    let isConnected = withAddress(port) { connect(descriptor, $0, $1) } == 0
    try #require(isConnected)
    return descriptor
}

/// A connection of a program to a local port.
final class PlainConnection {
    private let descriptor: Int32

    init(to port: UInt16) throws {
        descriptor = try connected(to: port, Int32(SOCK_STREAM.rawValue), patience: 20)
    }

    /// Connects to the socket of a path.
    init(toSocket path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        limit(descriptor, seconds: 20)
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let descriptor = descriptor
        let isConnected = withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
        try #require(isConnected)
    }

    deinit { close(descriptor) }

    /// Writes, closes the writing half unless told otherwise, and reads what comes back.
    func exchange(_ bytes: [UInt8], half: Bool = true) -> [UInt8] {
        let descriptor = descriptor
        // The thread may come to send after this connection was broken and its number is another's.
        let own = dup(descriptor)
        try? onThread {
            defer { close(own) }
            var sent = 0
            while sent < bytes.count {
                let more = bytes.withUnsafeBytes {
                    send(
                        own, $0.baseAddress.map { $0 + sent }, bytes.count - sent,
                        Int32(MSG_NOSIGNAL))
                }
                guard more > 0 else { return }
                sent += more
            }
            if half { shutdown(own, Int32(SHUT_WR)) }
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

    /// Writes a text, and returns what comes within a time.
    func listen(to text: String, for patience: Double) -> String {
        _ = send(descriptor, text, text.utf8.count, Int32(MSG_NOSIGNAL))
        var got: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let end = seconds() + patience
        while case let left = end - seconds(), left > 0 {
            var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&wait, 1, Int32(left * 1000) + 1) == 1 else { continue }
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { break }
            got += buffer[..<count]
        }
        return String(decoding: got, as: UTF8.self)
    }

    /// Reads for a time, or up to the end or a break; returns how many bytes came.
    func drain(for patience: Double) -> (bytes: Int, isOver: Bool) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var bytes = 0
        let end = seconds() + patience
        while case let left = end - seconds(), left > 0 {
            var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&wait, 1, Int32(left * 1000) + 1) == 1 else { continue }
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { return (bytes, true) }
            bytes += count
        }
        return (bytes, false)
    }

    /// Whether the other end has broken the connection.
    var isReset: Bool {
        var byte: UInt8 = 0
        return read(descriptor, &byte, 1) < 0 && errno == ECONNRESET
    }
}

/// A socket of a program for datagrams to a local port.
final class PlainDatagrams {
    private let descriptor: Int32

    init(to port: UInt16) throws {
        descriptor = try connected(to: port, Int32(SOCK_DGRAM.rawValue), patience: 2)
    }

    deinit { close(descriptor) }

    /// Sends a datagram.
    func send(_ bytes: [UInt8]) -> Bool {
        Glibc.send(descriptor, bytes, bytes.count, 0) == bytes.count
    }

    /// Sends a datagram and returns the next that comes back; empty if none does.
    func ask(_ bytes: [UInt8]) -> [UInt8] {
        guard send(bytes) else { return [] }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return count > 0 ? Array(buffer.prefix(count)) : []
    }
}
