import Glibc
import Synchronization
import Testing

@testable import PathForward

/// Connections that were fast and whose readers then stop leave room for others.
///
/// The windows of such streams have grown, and all streams of a session share one limit. They belong to
/// `TCPFlowTests`, one of which measures the memory of the process.
extension TCPFlowTests {
    private static let fast = 8 << 20
    private static let connections = 20

    /// Sends for ever to who writes "G"; reads `fast` bytes from who writes "S" and no more until the test
    /// is over; to who writes anything else it answers how much it has read.
    private static func server(_ isOver: Flag) throws -> PlainServer {
        try PlainServer { socket in
            switch socket.read(exactly: 1) {
            case [71]:
                let piece = [UInt8](repeating: 1, count: 65_536)
                while socket.write(piece) {}
            case [83]:
                _ = socket.read(exactly: fast)
                while !isOver.value.load(ordering: .relaxed) { usleep(10_000) }
            default:
                let count = socket.readAll().bytes.count
                socket.write("\(count)")
                socket.finish()
            }
        }
    }

    private final class Flag: Sendable { let value = Atomic(false) }

    /// New connections pass bytes both ways.
    private func expectPassage(_ port: UInt16) async throws {
        let (down, up) = try await blocking {
            let download = try #require(PlainSocket.connect(port))
            download.write("G")
            let down = download.read(exactly: 1 << 20).count
            let upload = try #require(PlainSocket.connect(port))
            upload.write([80] + [UInt8](repeating: 2, count: 1 << 20))
            upload.finish()
            return (down, upload.readAll().bytes)
        }
        #expect(down == 1 << 20)
        #expect(up == Array("\(1 << 20)".utf8))
    }

    @Test func pausedDownloadsLeaveRoom() async throws {
        let server = try TCPFlowTests.server(Flag())
        let pair = try await ForwardPair(["tcp:0=127.0.0.1:\(server.port)"])
        let port = try pair.port()
        let paused = try await blocking {
            try (0..<TCPFlowTests.connections).map { number in
                let socket = try #require(PlainSocket.connect(port))
                socket.write("G")
                let count = socket.read(exactly: TCPFlowTests.fast).count
                try #require(count == TCPFlowTests.fast, "connection \(number)")
                return socket
            }
        }
        try await expectPassage(port)
        // Those that go on have lost nothing.
        let more = try await blocking { paused[0].read(exactly: TCPFlowTests.fast).count }
        #expect(more == TCPFlowTests.fast)
        await pair.close()
    }

    @Test func pausedUploadsLeaveRoom() async throws {
        let isOver = Flag()
        let server = try TCPFlowTests.server(isOver)
        let pair = try await ForwardPair(["tcp:0=127.0.0.1:\(server.port)"])
        let port = try pair.port()
        let paused = try await blocking {
            try (0..<TCPFlowTests.connections).map { number in
                let socket = try #require(PlainSocket.connect(port))
                var patience = timeval(tv_sec: 0, tv_usec: 100_000)
                setsockopt(
                    socket.descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience,
                    socklen_t(MemoryLayout<timeval>.size))
                socket.write("S")
                // Until nothing more is taken for a while.
                let piece = [UInt8](repeating: 3, count: 65_536)
                var pieces = 0
                while socket.write(piece) { pieces += 1 }
                try #require(pieces * piece.count >= TCPFlowTests.fast, "\(number)")
                return socket
            }
        }
        #expect(paused.count == TCPFlowTests.connections)
        try await expectPassage(port)
        isOver.value.store(true, ordering: .relaxed)
        await pair.close()
    }
}
