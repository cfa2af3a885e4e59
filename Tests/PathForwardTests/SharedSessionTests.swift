import Glibc
import PathNetwork
import PathTelemetry
import PathTransport
import Pathwise
import Synchronization
import Testing

@testable import PathForward

/// Transfers of files and forwards at the same time over one session.
@Suite(.timeLimit(.minutes(1))) struct SharedSessionTests {
    @Test func filesAndConnectionsShareASession() async throws {
        let folder = "/tmp/pathwise-shared-\(getpid())"
        mkdir(folder, 0o700)
        let (source, stored) = (folder + "/source", folder + "/stored")
        mkdir(stored, 0o700)
        defer {
            for name in [source, stored + "/source"] { unlink(name) }
            rmdir(stored)
            rmdir(folder)
        }
        let content = TCPFlowTests.content(6 << 20, seed: 5)
        let file = try #require(fopen(source, "wb"))
        #expect(fwrite(content, 1, content.count, file) == content.count)
        fclose(file)

        var options = StoreOptions(
            place: .path(Array(stored.utf8), isFolder: true), secret: [1, 2, 3])
        options.synchronizes = false
        let store = try ItemStore(options)
        let target = try PlainServer.echo()
        let pair = try await ForwardPair(["tcp:0=127.0.0.1:\(target.port)"], store: store)
        let port = try pair.port()
        async let echo = blocking {
            let socket = try #require(PlainSocket.connect(port))
            try WorkerThread(named: "test-sender") {
                socket.write(content)
                socket.finish()
            }.detach()
            return socket.readAll()
        }
        let sent = Mutex<[SentItem]>([])
        try await pair.session.send(
            ItemFeed([Array(source.utf8)]), progress: { _ in },
            report: { item in sent.withLock { $0.append(item) } })
        #expect(sent.withLock { $0.map(\.outcome) } == [.stored])
        let received = try await echo
        #expect(received.bytes == content && received.end == .end)
        let copy = try #require(fopen(stored + "/source", "rb"))
        var bytes = [UInt8](repeating: 0, count: content.count + 1)
        #expect(fread(&bytes, 1, bytes.count, copy) == content.count)
        fclose(copy)
        #expect(bytes.prefix(content.count).elementsEqual(content))
        await pair.close()
    }
}
