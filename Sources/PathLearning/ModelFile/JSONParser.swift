/// A JSON value, as far as headers of model files need one.
enum JSONValue: Equatable, Sendable {
    case object([(key: String, value: JSONValue)])
    case array([JSONValue])
    case string(String)
    /// An integer in 0 ... 2^64 - 1 without fraction or exponent.
    case integer(UInt64)
    /// Any other number; its value is never needed.
    case number
    case boolean(Bool)
    case null

    static func == (left: JSONValue, right: JSONValue) -> Bool {
        switch (left, right) {
        case (.object(let a), .object(let b)):
            a.count == b.count && zip(a, b).allSatisfy { $0.key == $1.key && $0.value == $1.value }
        case (.array(let a), .array(let b)): a == b
        case (.string(let a), .string(let b)): a == b
        case (.integer(let a), .integer(let b)): a == b
        case (.boolean(let a), .boolean(let b)): a == b
        case (.number, .number), (.null, .null): true
        default: false
        }
    }
}

/// A strict JSON parser (RFC 8259) for untrusted input.
///
/// Depth and number of values are bounded; duplicate keys are refused.
struct JSONParser {
    private static let depthLimit = 8
    private static let valueLimit = 20_000

    private let bytes: ArraySlice<UInt8>
    private var position: Int
    private var values = 0

    /// Parses the bytes as a single value, which may have white space around it.
    static func parse(_ bytes: ArraySlice<UInt8>) throws(ModelProblem) -> JSONValue {
        var parser = JSONParser(bytes: bytes, position: bytes.startIndex)
        let value = try parser.value(depth: 0)
        parser.skipSpace()
        guard parser.position == bytes.endIndex else {
            throw parser.refusal("something follows the header's object")
        }
        return value
    }

    private func refusal(_ what: String) -> ModelProblem {
        .malformed("\(what) at byte \(position - bytes.startIndex) of the header")
    }

    private var next: UInt8? { position < bytes.endIndex ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 {
            position += 1
        }
    }

    private mutating func expect(_ byte: UInt8) throws(ModelProblem) {
        guard next == byte else {
            throw refusal("expected '\(Character(UnicodeScalar(byte)))'")
        }
        position += 1
    }

    private mutating func value(depth: Int) throws(ModelProblem) -> JSONValue {
        values += 1
        guard values <= JSONParser.valueLimit else { throw refusal("too many values") }
        guard depth < JSONParser.depthLimit else { throw refusal("nested too deep") }
        skipSpace()
        switch next {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .boolean(true))
        case UInt8(ascii: "f"): return try word("false", .boolean(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func word(
        _ text: String, _ value: JSONValue
    ) throws(ModelProblem) -> JSONValue {
        for byte in text.utf8 {
            guard next == byte else { throw refusal("expected \"\(text)\"") }
            position += 1
        }
        return value
    }

    private mutating func object(depth: Int) throws(ModelProblem) -> JSONValue {
        position += 1
        var members: [(key: String, value: JSONValue)] = []
        var keys: Set<String> = []
        skipSpace()
        if next == UInt8(ascii: "}") {
            position += 1
            return .object(members)
        }
        while true {
            skipSpace()
            let key = try string()
            guard keys.insert(key).inserted else { throw refusal("a key occurs twice") }
            skipSpace()
            try expect(UInt8(ascii: ":"))
            members.append((key, try value(depth: depth + 1)))
            skipSpace()
            if next == UInt8(ascii: ",") {
                position += 1
                continue
            }
            try expect(UInt8(ascii: "}"))
            return .object(members)
        }
    }

    private mutating func array(depth: Int) throws(ModelProblem) -> JSONValue {
        position += 1
        var elements: [JSONValue] = []
        skipSpace()
        if next == UInt8(ascii: "]") {
            position += 1
            return .array(elements)
        }
        while true {
            elements.append(try value(depth: depth + 1))
            skipSpace()
            if next == UInt8(ascii: ",") {
                position += 1
                continue
            }
            try expect(UInt8(ascii: "]"))
            return .array(elements)
        }
    }

    private mutating func number() throws(ModelProblem) -> JSONValue {
        var isNegative = false
        if next == UInt8(ascii: "-") {
            isNegative = true
            position += 1
        }
        let first = position
        var integer: UInt64 = 0
        var fits = true
        while let byte = next, byte >= 0x30 && byte <= 0x39 {
            let (product, over) = integer.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(byte &- 0x30))
            if over || carry { fits = false }
            integer = sum
            position += 1
        }
        guard position > first else { throw refusal("expected a value") }
        if bytes[first] == 0x30 && position - first > 1 { throw refusal("a leading zero") }
        var isWhole = true
        if next == UInt8(ascii: ".") {
            isWhole = false
            position += 1
            try digits()
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            isWhole = false
            position += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
            try digits()
        }
        return isWhole && fits && !isNegative ? .integer(integer) : .number
    }

    private mutating func digits() throws(ModelProblem) {
        guard let byte = next, byte >= 0x30 && byte <= 0x39 else {
            throw refusal("expected a digit")
        }
        while let byte = next, byte >= 0x30 && byte <= 0x39 { position += 1 }
    }

    private mutating func string() throws(ModelProblem) -> String {
        try expect(UInt8(ascii: "\""))
        var text: [UInt8] = []
        while let byte = next {
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let result = String(validating: text, as: UTF8.self) else {
                    throw refusal("text that is not UTF-8")
                }
                return result
            case UInt8(ascii: "\\"):
                try escape(into: &text)
            case 0..<0x20:
                throw refusal("a control character in a text")
            default:
                text.append(byte)
            }
        }
        throw refusal("a text without end")
    }

    private mutating func escape(into text: inout [UInt8]) throws(ModelProblem) {
        guard let byte = next else { throw refusal("a text without end") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0c)
        case UInt8(ascii: "n"): text.append(0x0a)
        case UInt8(ascii: "r"): text.append(0x0d)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            var unit = try hexadecimal()
            if unit >= 0xd800 && unit < 0xdc00, next == UInt8(ascii: "\\") {
                position += 1
                try expect(UInt8(ascii: "u"))
                let low = try hexadecimal()
                guard low >= 0xdc00 && low < 0xe000 else { throw refusal("half a character") }
                unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00)
            }
            guard let scalar = UnicodeScalar(unit) else { throw refusal("half a character") }
            text.append(contentsOf: UTF8.encode(scalar).map(Array.init) ?? [])
        default: throw refusal("an unknown escape")
        }
    }

    private mutating func hexadecimal() throws(ModelProblem) -> UInt32 {
        var result: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next,
                let digit = Character(UnicodeScalar(byte)).hexDigitValue
            else { throw refusal("expected four hexadecimal digits") }
            result = result &* 16 &+ UInt32(digit)
            position += 1
        }
        return result
    }
}
