import PathWatch

/// Reads the body of a change: one object of JSON (RFC 8259) whose members are texts and arrays of
/// texts; for untrusted input.
///
/// It is strict: no member twice, no half characters, nothing behind the object.
struct ControlBody {
    enum Value: Equatable {
        case text(String)
        case list([String])
        /// A value of another kind.
        case other
    }

    /// Why a body is refused.
    struct Problem: Error, Equatable {
        var text: String
        var status: HTTPStatus

        init(_ text: String, status: HTTPStatus = .badRequest) {
            self.text = text
            self.status = status
        }
    }

    private static let mostMembers = 16
    private let bytes: [UInt8]
    private var position = 0

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The members of the object, in their order.
    static func members(of bytes: [UInt8]) throws(Problem) -> [(key: String, value: Value)] {
        var body = ControlBody(bytes)
        var members: [(key: String, value: Value)] = []
        try body.list(from: "{", to: "}") { body throws(Problem) in
            let key = try body.text()
            guard body.take(":") else { throw body.problem("a colon is missing") }
            guard !members.contains(where: { $0.key == key }) else {
                throw body.problem("a member occurs twice")
            }
            guard members.count < mostMembers else { throw body.problem("too many members") }
            members.append((key, try body.value()))
        }
        guard body.next == nil else { throw body.problem("something follows the object") }
        return members
    }

    private func problem(_ what: String) -> Problem {
        Problem("the body is no object of texts: \(what) at byte \(position)")
    }

    /// The next byte that is no space.
    private var next: UInt8? {
        mutating get {
            while position < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[position]) {
                position += 1
            }
            return position < bytes.count ? bytes[position] : nil
        }
    }

    private mutating func take(_ sign: Character) -> Bool {
        guard let next, next == sign.asciiValue else { return false }
        position += 1
        return true
    }

    /// Reads what stands between two signs, with commas between.
    private mutating func list(
        from open: Character, to close: Character,
        _ entry: (inout ControlBody) throws(Problem) -> Void
    ) throws(Problem) {
        guard take(open) else { throw problem("'\(open)' is missing") }
        if take(close) { return }
        repeat { try entry(&self) } while take(",")
        guard take(close) else { throw problem("'\(close)' is missing") }
    }

    private mutating func value() throws(Problem) -> Value {
        switch next {
        case UInt8(ascii: "\""): return .text(try text())
        case UInt8(ascii: "["):
            var texts: [String] = []
            try list(from: "[", to: "]") { body throws(Problem) in texts.append(try body.text()) }
            return .list(texts)
        case UInt8(ascii: "{"): throw problem("an object inside")
        default:
            // A number or a word: no member may have one, whatever it is.
            let start = position
            while position < bytes.count, bytes[position] > 0x20,
                ![0x2c, 0x5d, 0x7d, 0x22].contains(bytes[position])
            {
                position += 1
            }
            guard position > start else { throw problem("a value is missing") }
            return .other
        }
    }

    private mutating func text() throws(Problem) -> String {
        guard take("\"") else { throw problem("a text is missing") }
        var text: [UInt8] = []
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let result = String(validating: text, as: UTF8.self) else {
                    throw problem("a text that is not UTF-8")
                }
                return result
            case UInt8(ascii: "\\"): text += try escaped()
            case 0..<0x20: throw problem("a control character in a text")
            default: text.append(byte)
            }
        }
        throw problem("a text without end")
    }

    private mutating func escaped() throws(Problem) -> [UInt8] {
        guard position < bytes.count else { throw problem("a text without end") }
        let sign = bytes[position]
        position += 1
        switch sign {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [sign]
        case UInt8(ascii: "b"): return [8]
        case UInt8(ascii: "f"): return [12]
        case UInt8(ascii: "n"): return [10]
        case UInt8(ascii: "r"): return [13]
        case UInt8(ascii: "t"): return [9]
        case UInt8(ascii: "u"):
            var units = [try unit()]
            if UTF16.isLeadSurrogate(units[0]), bytes[position...].starts(with: Array("\\u".utf8)) {
                position += 2
                units.append(try unit())
            }
            guard let character = String(validating: units, as: UTF16.self) else {
                throw problem("half a character")
            }
            return Array(character.utf8)
        default: throw problem("an unknown escape")
        }
    }

    private mutating func unit() throws(Problem) -> UInt16 {
        let digits = bytes[position...].prefix(4)
        guard digits.count == 4,
            digits.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit && $0 < 0x80 }),
            let value = UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
        else { throw problem("four hexadecimal digits are missing") }
        position += 4
        return value
    }
}
