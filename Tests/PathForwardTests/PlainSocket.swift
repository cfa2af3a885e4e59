import Glibc
import PathTelemetry
import PathTransport
import Synchronization
import Testing

/// A blocking TCP socket of an application, for one thread of a test.
final class PlainSocket: @unchecked Sendable {
    let descriptor: Int32

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        var patience = timeval(tv_sec: 8, tv_usec: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(
            descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    /// Connects to a port of 127.0.0.1; nil if it is refused.
    static func connect(_ port: UInt16) -> PlainSocket? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let made = PlainSocket(descriptor)
        var on: Int32 = 1
        setsockopt(
            descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        return withAddress(port) { Glibc.connect(descriptor, $0, $1) } == 0 ? made : nil
    }

    static func withAddress(
        _ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    /// Writes everything; false if the connection broke.
    @discardableResult
    func write(_ bytes: [UInt8]) -> Bool {
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return false }
            done += count
        }
        return true
    }

    @discardableResult
    func write(_ text: String) -> Bool { write(Array(text.utf8)) }

    /// What came next: bytes, nothing at the end of the connection, or an errno.
    enum Arrival: Equatable {
        case bytes([UInt8])
        case end
        case failed(Int32)
    }

    func read(atMost count: Int = 65_536) -> Arrival {
        var buffer = [UInt8](repeating: 0, count: count)
        let result = recv(descriptor, &buffer, count, 0)
        if result < 0 { return .failed(errno) }
        return result == 0 ? .end : .bytes(Array(buffer[..<result]))
    }

    /// Exactly that many bytes, or fewer at the end of the connection.
    func read(exactly count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count, case .bytes(let more) = read(atMost: count - bytes.count) {
            bytes += more
        }
        return bytes
    }

    /// Everything up to the end, and how it ended.
    func readAll() -> (bytes: [UInt8], end: Arrival) {
        var bytes: [UInt8] = []
        while true {
            let arrival = read()
            guard case .bytes(let more) = arrival else { return (bytes, arrival) }
            bytes += more
        }
    }

    func finish() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Closes with a reset when the object goes.
    func resetOnClose() {
        var now = linger(l_onoff: 1, l_linger: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
    }
}

/// A TCP server of a test on 127.0.0.1: one thread for each connection.
final class PlainServer: Sendable {
    let port: UInt16
    private let listener: Int32
    private let count = Count()
    /// Connections so far.
    var accepted: Int { count.value.load(ordering: .relaxed) }

    private final class Count: Sendable {
        let value = Atomic<Int>(0)
    }

    init(_ handle: @escaping @Sendable (PlainSocket) -> Void) throws {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let descriptor = listener
        try #require(PlainSocket.withAddress(0) { bind(descriptor, $0, $1) } == 0)
        try #require(listen(listener, 4096) == 0)
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = getsockname(descriptor, $0, &length)
            }
        }
        port = UInt16(bigEndian: address.sin_port)
        let count = count
        try WorkerThread(named: "test-server") {
            while true {
                let connection = accept(descriptor, nil, nil)
                guard connection >= 0 else {
                    // The process has no descriptor left; its next connections are taken later.
                    guard errno == EMFILE else { return }
                    usleep(10_000)
                    continue
                }
                count.value.add(1, ordering: .relaxed)
                let socket = PlainSocket(connection)
                try? WorkerThread(named: "test-connection") { handle(socket) }.detach()
            }
        }.detach()
    }

    /// Answers every connection with what it received.
    static func echo() throws -> PlainServer {
        try PlainServer { socket in
            while case .bytes(let bytes) = socket.read(atMost: 4096) {
                if !socket.write(bytes) { return }
            }
            socket.finish()
            _ = socket.readAll()
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }
}

/// Runs blocking calls on a thread of their own, so that tasks go on.
func blocking<Result: Sendable>(
    _ body: @escaping @Sendable () throws -> Result
) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        do {
            try WorkerThread(named: "test-application") {
                continuation.resume(with: Swift.Result { try body() })
            }.detach()
        } catch {
            continuation.resume(throwing: error)
        }
    }
}
