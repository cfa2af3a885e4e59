import Glibc
import PathTelemetry
import Synchronization
import Testing

@testable import PathWatch

/// A folder of a test, removed with this value.
final class Folder: Sendable {
    let path: String

    init() {
        var name = Array("/tmp/pathwise-watch-XXXXXX".utf8CString)
        _ = mkdtemp(&name)
        path = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        for name in ["token", "socket", "ring"] { unlink(file(name)) }
        rmdir(path)
    }

    func file(_ name: String) -> String { path + "/" + name }
}

/// Runs something that waits for sockets on a thread of its own, as tests share a few.
func onThread<Result: Sendable>(
    _ body: @escaping @Sendable () throws -> Result
) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        do {
            try WorkerThread(named: "test") {
                continuation.resume(with: Swift.Result { try body() })
            }.detach()
        } catch {
            continuation.resume(throwing: error)
        }
    }
}

/// A blocking connection to a watch server.
final class Caller {
    let descriptor: Int32

    /// Connects; a read waits for at most `patience` seconds.
    init(_ address: WatchAddress, patience: Int = 20) throws {
        switch address {
        case .tcp(_, let port, _):
            descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var name = sockaddr_in()
            name.sin_family = sa_family_t(AF_INET)
            name.sin_port = port.bigEndian
            name.sin_addr.s_addr = inet_addr("127.0.0.1")
            try Caller.connect(descriptor, &name)
        case .unix(let path):
            descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            var name = sockaddr_un()
            name.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
            try Caller.connect(descriptor, &name)
        }
        var time = timeval(tv_sec: patience, tv_usec: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    private static func connect<Name>(_ descriptor: Int32, _ name: inout Name) throws {
        let result = withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<Name>.size))
            }
        }
        try #require(result == 0, "\(String(cString: strerror(errno)))")
    }

    /// Writes; false if the connection is broken.
    @discardableResult
    func write(_ bytes: [UInt8]) -> Bool {
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            done += count
        }
        return true
    }

    @discardableResult
    func write(_ text: String) -> Bool { write(Array(text.utf8)) }

    /// What has arrived when a mark is in it, or at the end.
    func read(until mark: String? = nil) -> String {
        var bytes: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor, &room, room.count, 0)
            guard count > 0 else { break }
            bytes += room[..<count]
            if let mark, String(decoding: bytes, as: UTF8.self).contains(mark) { break }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// One request on a connection of its own; returns all of the answer.
    static func ask(
        _ address: WatchAddress, _ path: String, method: String = "GET",
        host: String = "localhost", _ headers: String..., body: String? = nil
    ) throws -> String {
        let caller = try Caller(address)
        var lines = headers.map { $0 + "\r\n" }.joined()
        if let body { lines += "Content-Length: \(body.utf8.count)\r\n" }
        caller.write(
            "\(method) \(path) HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\(lines)\r\n"
                + (body ?? ""))
        return caller.read()
    }
}

/// The number after `HTTP/1.1`; zero if there is none.
func status(_ answer: String) -> Int {
    answer.hasPrefix("HTTP/1.1 ") ? Int(answer.dropFirst(9).prefix(3)) ?? 0 : 0
}

/// The changes that a server was asked for.
final class Changes: Sendable {
    private let made = Mutex<[String]>([])

    var list: [String] { made.withLock { $0 } }

    func add(_ text: String) { made.withLock { $0.append(text) } }
}

extension WatchContent {
    /// Says which path was asked for; `/events` is a stream.
    static let echo = echo(Changes())

    /// The same, and notes what is to be changed, which another thread answers.
    static func echo(_ changes: Changes) -> WatchContent {
        WatchContent(
            page: { HTTPResponse(Array("page".utf8), type: "text/html") },
            route: { path in
                switch path {
                case "/events", "/large", "/metrics", "/status", "/history": .reading
                case "/control/path/add", "/control/reload": .changing
                default: nil
                }
            },
            answer: { request in
                switch request.path {
                case "/events": .stream(Array("first\n\n".utf8))
                case "/large":
                    HTTPResponse([UInt8](repeating: 120, count: 3_000_000), type: "text/plain")
                default: HTTPResponse(Array("secret of \(request.path)".utf8), type: "text/plain")
                }
            },
            change: { request, reply in
                let text = "\(request.path) \(String(decoding: request.body, as: UTF8.self))"
                changes.add(text)
                try? WorkerThread(named: "change") {
                    usleep(5000)
                    reply(HTTPResponse(Array("done: \(text)".utf8), type: "text/plain"))
                }.detach()
            }, tick: { _ in [] })
    }
}
