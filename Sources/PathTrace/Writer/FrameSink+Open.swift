import CSQLite
import Glibc
import PathTelemetry

extension FrameSink {
    /// Opens the file as `ifExists` says and prepares it for recording.
    static func open(
        path: String, schema: TraceWriter.Schema, programVersion: String,
        ifExists: TraceWriter.IfExists, isSampled: Bool
    ) throws(TraceError) -> Database {
        let written = TraceFormat.version(isSampled: isSampled)
        let exists = access(path, F_OK) == 0
        switch ifExists {
        case .refuse where exists: throw .exists(path: path)
        case .replace where exists:
            for suffix in ["", "-wal", "-shm", "-journal"] { unlink(path + suffix) }
        case .append where exists:
            let database = try Database(path: path, mode: .readWrite)
            try TraceReader.checkFormat(of: database)
            let version = try database.integer("PRAGMA user_version", while: "appending") ?? 0
            guard version == Int64(written) else {
                throw .otherVersion(path: path, found: Int(version), supported: written)
            }
            let found = try TraceReader.meta("schema_hash", of: database)
            guard found == schema.hash else {
                throw .otherSchema(path: path, found: found, expected: schema.hash)
            }
            try configure(database)
            try database.run(TraceFormat.checksums)
            return database
        default: break
        }
        let database = try Database(path: path, mode: .create)
        try database.run("PRAGMA page_size = 16384")
        try configure(database)
        try database.run("BEGIN IMMEDIATE")
        try database.run("PRAGMA application_id = \(TraceFormat.applicationID)")
        try database.run("PRAGMA user_version = \(written)")
        try database.run(TraceFormat.tables)
        try database.run(TraceFormat.views)
        let meta = [
            ("format_version", String(written)),
            ("reader_version", String(written)),
            ("program_version", programVersion),
            ("schema_hash", schema.hash),
            ("schema", schema.text),
            ("feature_names", schema.names.joined(separator: ",")),
            ("feature_count", String(FeatureVector.count)),
        ]
        for (key, value) in meta {
            let insert = try database.prepare(
                "INSERT INTO meta VALUES (?, ?)", while: "creating the trace")
            insert.bind(1, key)
            insert.bind(2, value)
            let code = insert.step()
            guard code == SQLITE_DONE else { throw database.writeError(code) }
        }
        try ChecksumLedger.begin(database)
        try database.run("COMMIT")
        return database
    }

    /// WAL: the file is consistent whenever the process is killed, readers never block the writer,
    /// and a commit does not wait for the disk.
    private static func configure(_ database: Database) throws(TraceError) {
        try database.run("PRAGMA journal_mode = WAL")
        try database.run("PRAGMA synchronous = NORMAL")
        try database.run("PRAGMA wal_autocheckpoint = 0")
        try database.run("PRAGMA cache_size = -8192")
    }
}
