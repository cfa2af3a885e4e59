import PathTelemetry

/// A JSON document whose objects keep the order of their members and whose numbers are exact.
public indirect enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case int(Int64)
    /// Infinities and NaN are written as `null`.
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([(key: String, value: JSONValue)])

    public static func == (left: JSONValue, right: JSONValue) -> Bool {
        left.text() == right.text()
    }

    /// The document as text.
    ///
    /// - Parameter pretty: one member per line, indented by two spaces; else everything on one
    ///   line.
    public func text(pretty: Bool = false) -> String {
        var bytes: [UInt8] = []
        write(into: &bytes, pretty: pretty, depth: 0)
        return String(decoding: bytes, as: UTF8.self)
    }

    private func write(into bytes: inout [UInt8], pretty: Bool, depth: Int) {
        switch self {
        case .null: bytes += Array("null".utf8)
        case .bool(let value): bytes += Array((value ? "true" : "false").utf8)
        case .int(let value): bytes += Array(value.description.utf8)
        case .number(let value): JSONText.append(value, to: &bytes)
        case .string(let value): JSONText.append(value, to: &bytes)
        case .array(let items):
            JSONValue.write(items.count, "[", "]", &bytes, pretty, depth) { index, bytes in
                items[index].write(into: &bytes, pretty: pretty, depth: depth + 1)
            }
        case .object(let members):
            JSONValue.write(members.count, "{", "}", &bytes, pretty, depth) { index, bytes in
                JSONText.append(members[index].key, to: &bytes)
                bytes += Array((pretty ? ": " : ":").utf8)
                members[index].value.write(into: &bytes, pretty: pretty, depth: depth + 1)
            }
        }
    }

    private static func write(
        _ count: Int, _ open: String, _ close: String, _ bytes: inout [UInt8], _ pretty: Bool,
        _ depth: Int, _ item: (Int, inout [UInt8]) -> Void
    ) {
        func newLine(_ depth: Int) {
            guard pretty, count > 0 else { return }
            bytes.append(0x0a)
            bytes += [UInt8](repeating: 0x20, count: 2 * depth)
        }
        bytes += Array(open.utf8)
        for index in 0..<count {
            if index > 0 { bytes.append(0x2c) }
            newLine(depth + 1)
            item(index, &bytes)
        }
        newLine(depth)
        bytes += Array(close.utf8)
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral,
    ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int64) { self = .int(value) }
    public init(floatLiteral value: Double) { self = .number(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    public init(nilLiteral: ()) { self = .null }

    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(elements.map { (key: $0.0, value: $0.1) })
    }

    /// The number, or null.
    public static func optional(_ value: Double?) -> JSONValue {
        value.map { .number($0) } ?? .null
    }
    /// The number, or null.
    public static func optional(_ value: Int?) -> JSONValue {
        value.map { .int(Int64($0)) } ?? .null
    }
    /// A count as a number.
    public static func count(_ value: Int) -> JSONValue { .int(Int64(value)) }
}
