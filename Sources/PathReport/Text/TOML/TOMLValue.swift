/// A value of a TOML document, with the lines of its keys.
public indirect enum TOMLValue: Sendable, Hashable {
    case text(String)
    case integer(Int64)
    case number(Double)
    case flag(Bool)
    case array([TOMLValue])
    case table(TOMLTable)
    /// A date, a time, or both, as written.
    case moment(String)

    /// The name of the value's type, for messages.
    public var typeName: String {
        switch self {
        case .text: "a text"
        case .integer: "a whole number"
        case .number: "a number"
        case .flag: "true or false"
        case .array: "an array"
        case .table: "a table"
        case .moment: "a date or time"
        }
    }
}

/// A table of a TOML document.
public struct TOMLTable: Sendable, Hashable {
    /// A key's value, and the line in which the key stands, from one.
    public struct Entry: Sendable, Hashable {
        public var value: TOMLValue
        public var line: Int
    }

    public internal(set) var entries: [String: Entry] = [:]
    /// The line of its header, or of the key that it belongs to.
    public internal(set) var line: Int

    /// Parses a document.
    ///
    /// It reads TOML 1.0 (https://toml.io/en/v1.0.0). Dates and times are recognised by their form
    /// and not checked further.
    public init(parsing text: String) throws(TOMLProblem) {
        var parser = TOMLParser(text)
        self = try parser.document()
    }

    init(line: Int) { self.line = line }
}

/// Why a text is no TOML.
public struct TOMLProblem: Error, Hashable, Sendable {
    /// From one.
    public var line: Int
    public var reason: String
}
