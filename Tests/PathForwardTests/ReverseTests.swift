import Glibc
import PathTelemetry
import PathTransport
import Pathwise
import Testing

@testable import PathForward

/// Listeners at the server whose connections end at the client's side.
@Suite(.serialized, .timeLimit(.minutes(1))) struct ReverseTests {
    @Test func theServerListensAndTheClientConnects() async throws {
        let target = try PlainServer.echo()
        let pair = try await ForwardPair([], reverse: ["tcp:0=127.0.0.1:\(target.port)"])
        let port = try await pair.reversePort()
        let content = TCPFlowTests.content(3 << 20, seed: 3)
        let received = try await blocking {
            let socket = try #require(PlainSocket.connect(port))
            let (sender, piece) = (socket, content)
            try WorkerThread(named: "test-sender") {
                sender.write(piece)
                sender.finish()
            }.detach()
            return socket.readAll()
        }
        #expect(received.bytes == content && received.end == .end)
        #expect(await eventually { pair.service.flows().isEmpty && pair.forwarder.flows().isEmpty })
        #expect(pair.forwarder.forwards[0].totals.sentBytes == 3 << 20)
        await pair.close()
    }

    /// With the lease the listener goes, and connections of the session with the session.
    @Test func theListenerEndsWithTheForward() async throws {
        let target = try PlainServer.echo()
        let pair = try await ForwardPair([], reverse: ["tcp:0=127.0.0.1:\(target.port)"])
        let port = try await pair.reversePort()
        pair.forwarder.detach()
        var isClosed = false
        for _ in 0..<200 where !isClosed {
            isClosed = try await blocking { PlainSocket.connect(port) == nil }
        }
        #expect(isClosed)
        await pair.close()
    }

    @Test func theServerSaysWhyItDoesNotListen() async throws {
        let taken = try PlainServer { _ in }
        let pair = try await ForwardPair(
            [], reverse: ["tcp:\(taken.port)=127.0.0.1:1", "tcp:0.0.0.0:0=127.0.0.1:1", "tcp:22"])
        func code(_ index: Int) -> ForwardResult.Code? {
            if case .refused(let result) = pair.forwarder.forwards[index].state {
                result.code
            } else {
                nil
            }
        }
        #expect(await eventually { code(0) != nil && code(1) != nil && code(2) != nil })
        #expect(code(0) == .addressInUse && code(1) == .denied && code(2) == .denied)
        await pair.close()
    }

    /// A target that refuses resets the connection at the server's side.
    @Test func aRefusedTargetResetsTheConnection() async throws {
        let closed = try PlainServer { _ in }.port
        let pair = try await ForwardPair([], reverse: ["tcp:0=127.0.0.1:\(closed)"])
        let port = try await pair.reversePort()
        let end = try await blocking { try #require(PlainSocket.connect(port)).readAll().end }
        #expect(end == .failed(ECONNRESET))
        await pair.close()
    }
}
