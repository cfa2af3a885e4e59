import Glibc
import PathLearning
import PathNetwork
import PathTransport
import Synchronization

@testable import Pathwise

/// A temporary folder that is removed with its content.
final class Folders {
    let path: String

    init() {
        var template = Array("/tmp/pathwise-library-XXXXXX".utf8CString)
        path = mkdtemp(&template).map { String(cString: $0) } ?? "/tmp"
    }

    func file(_ name: String) -> String { path + "/" + name }

    deinit {
        if path.hasPrefix("/tmp/pathwise-library-") { Folders.remove(path) }
    }

    static func remove(_ path: String) {
        var information = stat()
        guard lstat(path, &information) == 0 else { return }
        if information.st_mode & S_IFMT == S_IFDIR {
            for name in names(path) { remove(path + "/" + name) }
            rmdir(path)
        } else {
            unlink(path)
        }
    }

    /// Names in a folder, sorted.
    static func names(_ path: String) -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }
}

func content(of path: String) -> [UInt8]? {
    guard let file = fopen(path, "rb") else { return nil }
    defer { fclose(file) }
    var content: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = fread(&chunk, 1, chunk.count, file)
        if count == 0 { return content }
        content.append(contentsOf: chunk[0..<count])
    }
}

func write(_ content: [UInt8], to path: String) {
    guard let file = fopen(path, "wb") else { return }
    fwrite(content, 1, content.count, file)
    fclose(file)
}

/// A receiver in this process, on loopback, and clients that connect to it.
final class Loopback: Sendable {
    let server: Server
    let store: ItemStore
    let received = Mutex<[ReceivedItem]>([])
    private let serverKey: PublicKey
    private let keys: [PrivateKey]
    private let serving: Task<Void, Never>

    init(
        place: ReceivePlace, clients: Int = 1, onConflict: ConflictRule = .rename,
        synchronizes: Bool = false
    ) throws {
        let key = try PrivateKey.generate()
        serverKey = key.publicKey
        keys = try (0..<clients).map { _ in try PrivateKey.generate() }
        var allowed: [PublicKey: PresharedKey?] = [:]
        for key in keys { allowed[key.publicKey] = .some(nil) }
        var options = StoreOptions(place: place, secret: [1, 2, 3])
        options.onConflict = onConflict
        options.synchronizes = synchronizes
        let store = try ItemStore(options)
        self.store = store
        var configuration = ServerConfiguration(key: key, clients: allowed, policy: .minRTT)
        configuration.connection.parameters.maximumStreams = 256
        let server = try Server(
            configuration, listen: [try Resolver.resolve("127.0.0.1:0")[0]])
        self.server = server
        let (items, continuation) = AsyncStream<ReceivedItem>.makeStream()
        serving = Task {
            await withDiscardingTaskGroup { group in
                for await session in server.sessions {
                    group.addTask {
                        let key = session.peerKey
                        await withDiscardingTaskGroup { group in
                            while let stream = await session.acceptStream() {
                                let turn = store.nextTurn()
                                group.addTask {
                                    let item = await store.receive(stream, from: key, turn: turn)
                                    if let item { continuation.yield(item) }
                                }
                            }
                        }
                    }
                }
            }
            continuation.finish()
        }
        Task { [weak self] in
            for await item in items { self?.received.withLock { $0.append(item) } }
        }
    }

    func connect(_ client: Int = 0) async throws -> Session {
        let identity = ClientIdentity(key: keys[client], peer: serverKey)
        return try await Session.connect(
            ClientOptions(
                identity: identity,
                plans: [PathPlan(name: "lo", remote: server.localAddresses[0])], policy: .minRTT))
    }

    func close() async {
        await server.close()
        await serving.value
    }
}

/// Sends the inputs; returns the result of each item.
func sendAll(_ session: Session, _ inputs: [String]) async throws -> [SentItem] {
    let sent = Mutex<[SentItem]>([])
    try await session.send(
        ItemFeed(inputs.map { Array($0.utf8) }), progress: { _ in },
        report: { item in sent.withLock { $0.append(item) } })
    return sent.withLock { $0 }
}
