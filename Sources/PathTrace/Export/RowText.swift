import PathTelemetry

/// The format of exported rows.
public enum TraceExportFormat: String, Sendable, CaseIterable {
    /// RFC 4180 with a header; lists inside a field are separated by `;`, absent values empty.
    case csv
    /// One JSON object per line; absent values are `null`.
    case jsonl
    /// Vowpal Wabbit's decision service JSON, one line per decision; `DecisionServiceText`.
    case dsjson
}

/// Collects fields of rows as text in either format.
struct RowText {
    private let format: TraceExportFormat
    private let columns: [String]
    private(set) var bytes: [UInt8] = []
    private var column = 0

    init(format: TraceExportFormat, columns: [String]) {
        self.format = format
        self.columns = columns
        guard format == .csv else { return }
        for (index, name) in columns.enumerated() {
            if index > 0 { bytes.append(0x2c) }
            RowText.appendCSV(name, to: &bytes)
        }
        bytes.append(0x0a)
    }

    mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    /// Writes what precedes a field.
    private mutating func open() {
        if format == .csv {
            if column > 0 { bytes.append(0x2c) }
        } else {
            bytes.append(column == 0 ? 0x7b : 0x2c)
            JSONText.append(column < columns.count ? columns[column] : "", to: &bytes)
            bytes.append(0x3a)
        }
        column += 1
    }

    mutating func endRow() {
        if format == .jsonl { bytes.append(0x7d) }
        bytes.append(0x0a)
        column = 0
    }

    private mutating func append(_ number: Double) {
        if number.isFinite {
            JSONText.append(number, to: &bytes)
        } else if format == .jsonl {
            bytes += Array("null".utf8)
        } else if number.isInfinite {
            bytes += Array((number < 0 ? "-inf" : "inf").utf8)
        }
    }

    private mutating func append(_ text: String) {
        if format == .csv {
            RowText.appendCSV(text, to: &bytes)
        } else {
            JSONText.append(text, to: &bytes)
        }
    }

    mutating func field(_ number: Int64?) {
        open()
        if let number {
            bytes += Array(number.description.utf8)
        } else if format == .jsonl {
            bytes += Array("null".utf8)
        }
    }

    mutating func field(_ number: UInt64) {
        open()
        bytes += Array(number.description.utf8)
    }

    mutating func field(_ number: Double?) {
        open()
        append(number ?? .nan)
    }

    mutating func field(_ text: String?) {
        open()
        if let text {
            append(text)
        } else if format == .jsonl {
            bytes += Array("null".utf8)
        }
    }

    /// Writes `true` or `false`; in CSV 1 or 0.
    mutating func field(_ flag: Bool?) {
        open()
        guard let flag else {
            if format == .jsonl { bytes += Array("null".utf8) }
            return
        }
        let word = format == .csv ? (flag ? "1" : "0") : (flag ? "true" : "false")
        bytes += Array(word.utf8)
    }

    mutating func list(_ count: Int, _ number: (Int) -> Double) {
        list(count) { (row: inout RowText, index) in row.append(number(index)) }
    }

    mutating func list(texts count: Int, _ text: (Int) -> String) {
        list(count) { (row: inout RowText, index) in
            if row.format == .csv {
                row.bytes += Array(text(index).utf8)
            } else {
                row.append(text(index))
            }
        }
    }

    private mutating func list(_ count: Int, _ item: (inout RowText, Int) -> Void) {
        open()
        if format == .jsonl { bytes.append(0x5b) }
        for index in 0..<count {
            if index > 0 { bytes.append(format == .csv ? 0x3b : 0x2c) }
            item(&self, index)
        }
        if format == .jsonl { bytes.append(0x5d) }
    }

    /// Escapes control and format characters, since a table may be shown on a terminal.
    ///
    /// A text that a spreadsheet would read as a formula is prefixed with an apostrophe (CWE-1236;
    /// csv-stringify and Symfony do the same). Tab and carriage return, which may also begin a
    /// formula, are escaped, so that the text begins with a backslash.
    private static func appendCSV(_ text: String, to bytes: inout [UInt8]) {
        var text = EscapedText(text).description
        switch text.unicodeScalars.first {
        case "=", "+", "-", "@", "\u{ff1d}", "\u{ff0b}", "\u{ff0d}", "\u{ff20}": text = "'" + text
        default: break
        }
        let mustQuote = text.utf8.contains { $0 == 0x22 || $0 == 0x2c || $0 == 0x3b }
        guard mustQuote else {
            bytes += Array(text.utf8)
            return
        }
        bytes.append(0x22)
        for byte in text.utf8 {
            if byte == 0x22 { bytes.append(0x22) }
            bytes.append(byte)
        }
        bytes.append(0x22)
    }
}
