import PathTelemetry

/// A table of text with aligned columns, for terminals and plain files.
public struct TextTable: Sendable {
    /// The alignment of a column.
    public enum Alignment: Sendable { case left, right }

    /// A column's heading and alignment.
    public struct Column: Sendable {
        public var title: String
        public var alignment: Alignment

        public init(_ title: String, _ alignment: Alignment = .right) {
            self.title = title
            self.alignment = alignment
        }
    }

    /// The largest width of a column; wider cells overflow, as one long name would otherwise fill
    /// every row with blanks.
    private static let widest = 60

    public private(set) var columns: [Column]
    public private(set) var rows: [[String]] = []

    public init(_ columns: [Column]) { self.columns = columns }

    /// Adds a row; missing cells are empty, and additional ones are ignored.
    ///
    /// Names in a table may come from a file or a peer, so terminal control characters are escaped.
    public mutating func add(_ cells: [String]) {
        rows.append(
            (0..<columns.count).map {
                $0 < cells.count ? EscapedText(cells[$0]).description : ""
            })
    }

    /// The table as lines, each ending with a newline.
    ///
    /// - Parameter styled: titles are bold by terminal codes.
    public func text(styled: Bool = false) -> String {
        let widths = columns.indices.map { column in
            rows.reduce(TextTable.width(columns[column].title)) {
                max($0, min(TextTable.widest, TextTable.width($1[column])))
            }
        }
        var text = line(columns.map(\.title), widths)
        if styled { text = "\u{1b}[1m" + text + "\u{1b}[0m" }
        text += "\n" + line(widths.map { String(repeating: "-", count: $0) }, widths) + "\n"
        for row in rows { text += line(row, widths) + "\n" }
        return text
    }

    private func line(_ cells: [String], _ widths: [Int]) -> String {
        var line = ""
        for (column, cell) in cells.enumerated() {
            let space = String(
                repeating: " ", count: max(0, widths[column] - TextTable.width(cell)))
            if column > 0 { line += "  " }
            line += columns[column].alignment == .left ? cell + space : space + cell
        }
        while line.last == " " { line.removeLast() }
        return line
    }

    /// The number of terminal cells of a text: wide characters take two, combining ones none.
    static func width(_ text: String) -> Int {
        text.unicodeScalars.reduce(0) { $0 + width($1) }
    }

    private static func width(_ scalar: Unicode.Scalar) -> Int {
        switch scalar.value {
        case 0..<0x20, 0x7f..<0xa0, 0x300..<0x370, 0x200b..<0x2010, 0xfe00..<0xfe10: 0
        case 0x1100..<0x1160, 0x2e80..<0xa4d0, 0xac00..<0xd7a4, 0xf900..<0xfb00,
            0xfe30..<0xfe70, 0xff00..<0xff61, 0x1f300..<0x1f650, 0x1f900..<0x1fa00,
            0x20000..<0x3fffe:
            2
        default: 1
        }
    }
}
