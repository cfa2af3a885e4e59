import PathTelemetry

/// The fields of a line of CSV (RFC 4180), with the separator that its header uses.
///
/// Fields may be quoted and have blanks around them. If the separator is a semicolon, a comma in a
/// number is its decimal point, as spreadsheets in many countries write it.
struct CSVLine {
    private let separator: UInt8

    /// Chooses the separator of a header: comma, semicolon or tab, whichever gives the most fields.
    init(header: String) {
        separator =
            [UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "\t")].max {
                CSVLine.count(header, $0) < CSVLine.count(header, $1)
            } ?? UInt8(ascii: ",")
    }

    private static func count(_ line: String, _ separator: UInt8) -> Int {
        var isQuoted = false
        var count = 0
        for byte in line.utf8 {
            if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
            if byte == separator, !isQuoted { count += 1 }
        }
        return count
    }

    /// The fields without their quotes; nil if a quote is not closed.
    func fields(_ line: String) -> [String]? {
        let quote = UInt8(ascii: "\"")
        var fields: [String] = []
        var field: [UInt8] = []
        var isQuoted = false
        var wasQuoted = false
        var bytes = line.utf8.makeIterator()
        var next = bytes.next()
        func text() -> String {
            var slice = field[...]
            while !wasQuoted, slice.first == 0x20 { slice.removeFirst() }
            while !wasQuoted, slice.last == 0x20 { slice.removeLast() }
            return String(decoding: slice, as: UTF8.self)
        }
        while let byte = next {
            next = bytes.next()
            if isQuoted {
                if byte != quote {
                    field.append(byte)
                } else if next == quote {
                    field.append(byte)
                    next = bytes.next()
                } else {
                    isQuoted = false
                }
            } else if byte == quote, field.allSatisfy({ $0 == 0x20 }), !wasQuoted {
                isQuoted = true
                wasQuoted = true
                field.removeAll()
            } else if byte == separator {
                fields.append(text())
                field.removeAll()
                wasQuoted = false
            } else if !wasQuoted || byte != 0x20 {
                field.append(byte)
            }
        }
        guard !isQuoted else { return nil }
        fields.append(text())
        return fields
    }

    /// Parses a field as a finite number; nil for anything else.
    func number(_ field: String) -> Double? {
        guard field.utf8.count <= 64 else { return nil }
        return ArgumentText.number(
            separator == UInt8(ascii: ";")
                ? String(field.map { $0 == "," ? "." : $0 }) : field)
    }
}
