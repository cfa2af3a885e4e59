import CSQLite
import PathTelemetry

/// Hashes rows as SQLite returns them: XXH64 over the values, each preceded by a byte for its type.
struct RowHasher: ~Copyable {
    private var bytes = BlockBytes(capacity: 512)

    /// The hash of the current row without its first column, which is the session.
    ///
    /// - Parameter absent: a column that is hashed as if it were NULL.
    mutating func hash(_ row: Statement, columns: Int, absent: Int? = nil) -> UInt64 {
        bytes.removeAll()
        for column in 1...columns {
            put(row, Int32(column), isAbsent: column == absent)
        }
        return XXHash64.value(bytes.bytes)
    }

    private mutating func put(_ row: Statement, _ column: Int32, isAbsent: Bool) {
        var type = isAbsent ? SQLITE_NULL : sqlite3_column_type(row.handle, column)
        let real = type == SQLITE_FLOAT ? sqlite3_column_double(row.handle, column) : 0
        // SQLite stores whole numbers in real columns as integers, without a sign of zero, and a
        // statement that has just written them returns them as such.
        let whole = real.magnitude < 0x1p53 ? Int64(real) : nil
        if type == SQLITE_FLOAT, let whole, Double(whole) == real { type = SQLITE_INTEGER }
        bytes.put(UInt8(truncatingIfNeeded: type))
        switch type {
        case SQLITE_INTEGER: bytes.put(row.int(column))
        case SQLITE_FLOAT: bytes.put(real.bitPattern)
        case SQLITE_TEXT: put(row.utf8(column))
        case SQLITE_BLOB: put(row.blob(column))
        default: break
        }
    }

    private mutating func put(_ value: UnsafeRawBufferPointer) {
        bytes.put(UInt64(value.count))
        if let base = value.baseAddress { bytes.put(bytes: base, count: value.count) }
    }
}
