import CSQLite
import Glibc

/// One connection to a SQLite file.
final class Database {
    enum Mode {
        case create, readWrite, readOnly
        /// Read-only, without locks and without a `-wal` file.
        case immutable
    }

    let path: String
    let handle: OpaquePointer

    init(path: String, mode: Mode) throws(TraceError) {
        self.path = path
        var flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
        var name = path
        switch mode {
        case .create: flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
        case .readWrite: flags |= SQLITE_OPEN_READWRITE
        case .readOnly: flags |= SQLITE_OPEN_READONLY
        case .immutable:
            flags |= SQLITE_OPEN_READONLY | SQLITE_OPEN_URI
            name = "file:" + Database.escaped(path) + "?immutable=1"
        }
        var opened: OpaquePointer?
        let code = sqlite3_open_v2(name, &opened, flags, nil)
        guard code == SQLITE_OK, let opened else {
            let reason = Database.reason(code: code, handle: opened)
            sqlite3_close_v2(opened)
            throw .cannotOpen(path: path, reason: reason)
        }
        handle = opened
        // The file's own schema is not trusted, and values are limited in size.
        _ = pathwise_sqlite_config(opened, Int32(SQLITE_DBCONFIG_DEFENSIVE), 1)
        _ = pathwise_sqlite_config(opened, Int32(SQLITE_DBCONFIG_TRUSTED_SCHEMA), 0)
        _ = pathwise_sqlite_config(opened, Int32(SQLITE_DBCONFIG_ENABLE_TRIGGER), 0)
        sqlite3_limit(opened, SQLITE_LIMIT_LENGTH, 4 << 20)
        sqlite3_busy_timeout(opened, 5000)
    }

    deinit { sqlite3_close_v2(handle) }

    /// A path escaped for a URI.
    private static func escaped(_ path: String) -> String {
        var text = ""
        for byte in path.utf8 {
            switch byte {
            case 0x25, 0x3f, 0x23, 0...0x20, 0x7f...0xff:
                let digits = String(byte, radix: 16)
                text += digits.count == 1 ? "%0" + digits : "%" + digits
            default: text.unicodeScalars.append(Unicode.Scalar(byte))
            }
        }
        return text
    }

    static func reason(code: Int32, handle: OpaquePointer?) -> String {
        if code & 0xff == SQLITE_CANTOPEN, let handle {
            let system = sqlite3_system_errno(handle)
            if system != 0 { return String(cString: strerror(system)) }
        }
        if let handle { return String(cString: sqlite3_errmsg(handle)) }
        return String(cString: sqlite3_errstr(code))
    }

    /// The error of a failed call, for a reader.
    func readError(_ code: Int32, while doing: String) -> TraceError {
        switch code & 0xff {
        case SQLITE_NOTADB: .notATrace(path: path, reason: "not a SQLite database")
        case SQLITE_BUSY, SQLITE_LOCKED: .busy(path: path)
        case SQLITE_CANTOPEN, SQLITE_PERM, SQLITE_READONLY:
            .cannotOpen(path: path, reason: Database.reason(code: code, handle: handle))
        default:
            .damaged(
                path: path,
                what: Database.reason(code: code, handle: handle) + " (while " + doing + ")")
        }
    }

    /// The error of a failed call, for a writer.
    func writeError(_ code: Int32) -> TraceError {
        switch code & 0xff {
        case SQLITE_FULL: .diskFull(path: path)
        case SQLITE_BUSY, SQLITE_LOCKED: .busy(path: path)
        case SQLITE_IOERR where sqlite3_system_errno(handle) == ENOSPC: .diskFull(path: path)
        case SQLITE_IOERR where sqlite3_system_errno(handle) == EDQUOT: .diskFull(path: path)
        default:
            .writeFailed(path: path, reason: Database.reason(code: code, handle: handle))
        }
    }

    /// Runs statements that return no rows.
    func run(_ sql: String) throws(TraceError) {
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw writeError(code) }
    }

    func prepare(_ sql: String, while doing: String) throws(TraceError) -> Statement {
        var statement: OpaquePointer?
        let code = sqlite3_prepare_v3(
            handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil)
        guard code == SQLITE_OK, let statement else { throw readError(code, while: doing) }
        return Statement(handle: statement)
    }

    /// Runs `body` on a consistent snapshot of a file that another program may be writing.
    func snapshot<Result>(
        while doing: String, _ body: () throws(TraceError) -> Result
    ) throws(TraceError) -> Result {
        guard sqlite3_get_autocommit(handle) != 0 else { return try body() }
        let code = sqlite3_exec(handle, "BEGIN", nil, nil, nil)
        guard code == SQLITE_OK else { throw readError(code, while: doing) }
        defer { sqlite3_exec(handle, "ROLLBACK", nil, nil, nil) }
        return try body()
    }

    /// The first column of the first row as an integer, or nil without a row.
    func integer(_ sql: String, while doing: String) throws(TraceError) -> Int64? {
        let statement = try prepare(sql, while: doing)
        switch statement.step() {
        case SQLITE_ROW: return statement.int(0)
        case SQLITE_DONE: return nil
        case let code: throw readError(code, while: doing)
        }
    }

    /// The first column of all rows as text.
    func texts(_ sql: String, while doing: String) throws(TraceError) -> [String] {
        let statement = try prepare(sql, while: doing)
        var texts: [String] = []
        while true {
            switch statement.step() {
            case SQLITE_ROW: texts.append(statement.text(0))
            case SQLITE_DONE: return texts
            case let code: throw readError(code, while: doing)
            }
        }
    }

    /// The first column of the first row as text, or nil without a row.
    func text(_ sql: String, while doing: String) throws(TraceError) -> String? {
        let statement = try prepare(sql, while: doing)
        switch statement.step() {
        case SQLITE_ROW: return statement.text(0)
        case SQLITE_DONE: return nil
        case let code: throw readError(code, while: doing)
        }
    }
}
