import CSQLite

/// A prepared statement.
///
/// Parameters are counted from one, columns from zero.
final class Statement {
    let handle: OpaquePointer

    init(handle: OpaquePointer) { self.handle = handle }

    deinit { sqlite3_finalize(handle) }

    // MARK: Parameters

    @inline(__always)
    func bind(_ index: Int32, _ value: Int64) { sqlite3_bind_int64(handle, index, value) }
    @inline(__always)
    func bind(_ index: Int32, _ value: Int) { sqlite3_bind_int64(handle, index, Int64(value)) }
    @inline(__always)
    func bind(_ index: Int32, _ value: Double) { sqlite3_bind_double(handle, index, value) }
    @inline(__always)
    func bindNull(_ index: Int32) { sqlite3_bind_null(handle, index) }

    func bind(_ index: Int32, optional value: Int64?) {
        if let value { bind(index, value) } else { bindNull(index) }
    }

    func bind(_ index: Int32, optional value: Double?) {
        if let value { bind(index, value) } else { bindNull(index) }
    }

    func bind(_ index: Int32, _ text: String) {
        var text = text
        text.withUTF8 { bytes in
            bind(index, utf8: UnsafeRawBufferPointer(bytes))
        }
    }

    /// Binds the text, truncated after the last character that ends within `limit` bytes.
    func bind(_ index: Int32, _ text: String, limit: Int) {
        var text = text
        text.withUTF8 { bytes in
            let count = FrameCursor.fitting(bytes, limit: limit)
            bind(
                index,
                utf8: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[..<count]))
        }
    }

    func bind(_ index: Int32, utf8 bytes: UnsafeRawBufferPointer) {
        guard bytes.count > 0, let base = bytes.baseAddress else {
            _ = pathwise_sqlite_bind_text(handle, index, "", 0)
            return
        }
        _ = pathwise_sqlite_bind_text(
            handle, index, base.assumingMemoryBound(to: CChar.self), Int32(bytes.count))
    }

    /// Binds bytes that stay valid until the statement is reset.
    @inline(__always)
    func bindStatic(_ index: Int32, bytes: UnsafeRawPointer, count: Int) {
        if count == 0 {
            sqlite3_bind_zeroblob(handle, index, 0)
        } else {
            sqlite3_bind_blob(handle, index, bytes, Int32(count), nil)
        }
    }

    /// Binds text that stays valid until the statement is reset.
    func bindStatic(_ index: Int32, text: UnsafeRawBufferPointer) {
        sqlite3_bind_text(
            handle, index, text.baseAddress?.assumingMemoryBound(to: CChar.self),
            Int32(text.count), nil)
    }

    /// Binds a text constant of the program.
    @inline(__always)
    func bind(_ index: Int32, constant text: StaticString) {
        sqlite3_bind_text(
            handle, index,
            UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self),
            Int32(text.utf8CodeUnitCount), nil)
    }

    // MARK: Execution

    /// Returns `SQLITE_ROW`, `SQLITE_DONE` or an error.
    @inline(__always)
    func step() -> Int32 { sqlite3_step(handle) }

    @inline(__always)
    func reset() { sqlite3_reset(handle) }

    // MARK: Columns of the current row

    @inline(__always)
    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }
    @inline(__always)
    func int(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }
    @inline(__always)
    func double(_ column: Int32) -> Double {
        isNull(column) ? .nan : sqlite3_column_double(handle, column)
    }

    func optionalInt(_ column: Int32) -> Int64? { isNull(column) ? nil : int(column) }
    func optionalDouble(_ column: Int32) -> Double? { isNull(column) ? nil : double(column) }

    func text(_ column: Int32) -> String {
        guard let bytes = sqlite3_column_text(handle, column) else { return "" }
        return String(
            decoding: UnsafeBufferPointer(
                start: bytes, count: Int(sqlite3_column_bytes(handle, column))),
            as: UTF8.self)
    }

    /// The bytes of a text; valid until the next step.
    func utf8(_ column: Int32) -> UnsafeRawBufferPointer {
        let base = sqlite3_column_text(handle, column)
        return UnsafeRawBufferPointer(
            start: base, count: base == nil ? 0 : Int(sqlite3_column_bytes(handle, column)))
    }

    /// The bytes of a blob; valid until the next step.
    @inline(__always)
    func blob(_ column: Int32) -> UnsafeRawBufferPointer {
        let base = sqlite3_column_blob(handle, column)
        return UnsafeRawBufferPointer(
            start: base, count: base == nil ? 0 : Int(sqlite3_column_bytes(handle, column)))
    }
}
