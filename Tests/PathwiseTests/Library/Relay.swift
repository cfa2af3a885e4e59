import Glibc
import PathTelemetry
import Synchronization

/// A UDP relay on loopback in front of a server, as the network of one path, which a test can cut.
final class Relay: Sendable {
    private let isCut = Atomic<Bool>(false)
    let port: UInt16
    private let isOver = Atomic<Bool>(false)
    /// Ports of the present server and of the one before.
    private let target: Atomic<UInt16>
    private let former = Atomic<UInt16>(0)

    struct Failure: Error {}

    /// - Parameter server: port of the server on 127.0.0.1.
    init(to server: UInt16) throws {
        target = Atomic(server)
        let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        guard descriptor >= 0 else { throw Failure() }
        var own = Relay.loopback(0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &own) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size) == 0 && getsockname(descriptor, $0, &size) == 0
            }
        }
        guard isBound else { throw Failure() }
        port = UInt16(bigEndian: own.sin_port)
        // The wait has a time-out, so that the thread sees the end.
        var limit = timeval(tv_sec: 0, tv_usec: 50_000)
        setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        // A separate thread, because it blocks, and tasks have few threads.
        try WorkerThread(named: "relay") { [self] in
            run(descriptor)
        }.detach()
    }

    /// Drops everything from now on.
    func cut() { isCut.store(true, ordering: .relaxed) }

    /// Forwards everything again.
    func heal() { isCut.store(false, ordering: .relaxed) }

    /// Leads to another server from now on, as if it had taken the address of the present one.
    func lead(to server: UInt16) {
        former.store(target.exchange(server, ordering: .relaxed), ordering: .relaxed)
    }

    func stop() { isOver.store(true, ordering: .relaxed) }

    private static func loopback(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return address
    }

    private func run(_ descriptor: Int32) {
        defer { close(descriptor) }
        var client = Relay.loopback(0)
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while !isOver.load(ordering: .relaxed) {
            var from = sockaddr_in()
            var size = socklen_t(MemoryLayout<sockaddr_in>.size)
            let count = withUnsafeMutablePointer(to: &from) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    recvfrom(descriptor, &buffer, buffer.count, 0, $0, &size)
                }
            }
            guard count > 0, !isCut.load(ordering: .relaxed) else { continue }
            let port = UInt16(bigEndian: from.sin_port)
            guard port != former.load(ordering: .relaxed) else { continue }
            let server = self.target.load(ordering: .relaxed)
            let isAnswer = port == server
            if !isAnswer { client = from }
            var target = isAnswer ? client : Relay.loopback(server)
            _ = withUnsafePointer(to: &target) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    sendto(descriptor, buffer, count, 0, $0, size)
                }
            }
        }
    }
}

/// The awaited event did not come.
struct TooLate: Error {}

/// Waits no longer than the limit, and then cancels the operation.
func within<Value: Sendable>(
    _ limit: Duration, _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value.self) { group in
        group.addTask(operation: body)
        group.addTask {
            try await Task.sleep(for: limit)
            throw TooLate()
        }
        defer { group.cancelAll() }
        guard let value = try await group.next() else { throw TooLate() }
        return value
    }
}
