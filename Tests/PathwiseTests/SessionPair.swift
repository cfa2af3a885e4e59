import CSQLite
import Glibc
import PathLearning
import PathNetwork
import PathTelemetry
import PathTransport
import Pathwise
import Testing

/// A temporary folder that is removed with its traces.
final class TraceFolder {
    let path: String

    init() {
        var template = Array("/tmp/pathwise-session-XXXXXX".utf8CString)
        path = mkdtemp(&template).map { String(cString: $0) } ?? "/tmp"
    }

    func file(_ name: String) -> String { path + "/" + name }

    deinit {
        for name in ["client", "server", "other"] {
            for suffix in ["", "-wal", "-shm"] { unlink(file(name) + suffix) }
        }
        rmdir(path)
    }
}

/// The rows of a query, columns joined by `|`.
func rows(_ path: String, _ sql: String) throws -> [String] {
    var database: OpaquePointer?
    try #require(sqlite3_open(path, &database) == SQLITE_OK)
    defer { sqlite3_close(database) }
    var statement: OpaquePointer?
    try #require(
        sqlite3_prepare_v2(database, sql, -1, &statement, nil) == SQLITE_OK,
        "\(String(cString: sqlite3_errmsg(database)))")
    defer { sqlite3_finalize(statement) }
    var rows: [String] = []
    while sqlite3_step(statement) == SQLITE_ROW {
        let cells = (0..<sqlite3_column_count(statement)).map { column in
            sqlite3_column_text(statement, column).map { String(cString: $0) } ?? "-"
        }
        rows.append(cells.joined(separator: "|"))
    }
    return rows
}

/// A server on two ports of loopback, and what its clients need to reach it.
struct SessionPair {
    let server: Server
    let key: PrivateKey
    let clients: [PrivateKey]

    init(clients count: Int = 1, recorder: SessionRecorder? = nil) throws {
        key = try PrivateKey.generate()
        clients = try (0..<count).map { _ in try PrivateKey.generate() }
        var allowed: [PublicKey: PresharedKey?] = [:]
        for client in clients { allowed[client.publicKey] = .some(nil) }
        server = try Server(
            ServerConfiguration(key: key, clients: allowed, policy: .minRTT),
            listen: [.loopback(port: 0), .loopback(port: 0)], recorder: recorder)
    }

    /// Paths to both ports, with names.
    func options(
        _ client: Int = 0, names: [String] = ["dsl", "sat"], kind: LinkKind = .unknown
    ) -> ClientOptions {
        ClientOptions(
            identity: ClientIdentity(key: clients[client], peer: key.publicKey),
            plans: zip(names, server.localAddresses).map {
                PathPlan(name: $0, remote: $1, traits: PathTraits(kind: kind))
            }, policy: .roundRobin)
    }

    /// Takes every stream of every client, reads it whole and answers with its length.
    func answer() -> Task<Void, Never> {
        Task { [server] in
            await withTaskGroup(of: Void.self) { group in
                for await session in server.sessions {
                    group.addTask {
                        while let stream = await session.acceptStream() {
                            try? await SessionPair.answer(stream)
                        }
                    }
                }
            }
        }
    }

    private static func answer(_ stream: SessionStream) async throws {
        let count = try await read(stream).count
        try await stream.write(Array("\(count)".utf8))
        try stream.finish()
        try await stream.waitUntilDelivered()
    }

    /// All bytes of a stream.
    static func read(_ stream: SessionStream) async throws -> [UInt8] {
        var content: [UInt8] = []
        while case let bytes = try await stream.read(), !bytes.isEmpty { content += bytes }
        return content
    }

    /// Sends bytes over a session and takes the answer.
    static func ask(_ session: Session, _ count: Int) async throws -> String {
        let stream = try session.openStream()
        try await stream.write([UInt8](repeating: 5, count: count))
        try stream.finish()
        return String(decoding: try await read(stream), as: UTF8.self)
    }
}
