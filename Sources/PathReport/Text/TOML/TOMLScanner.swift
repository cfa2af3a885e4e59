/// Reads the words of a TOML document: keys, strings, numbers.
struct TOMLScanner {
    /// The most arrays and inline tables in each other, and parts of a key.
    static let depthLimit = 32

    private let bytes: [UInt8]
    private var place = 0
    private(set) var line = 1

    init(_ text: String) { bytes = Array(text.utf8) }

    func problem(_ reason: String) -> TOMLProblem { TOMLProblem(line: line, reason: reason) }

    /// The next byte; nil at the end.
    var peek: UInt8? { place < bytes.count ? bytes[place] : nil }

    private func peek(after distance: Int) -> UInt8? {
        place + distance < bytes.count ? bytes[place + distance] : nil
    }

    mutating func advance() {
        guard place < bytes.count else { return }
        if bytes[place] == UInt8(ascii: "\n") { line += 1 }
        place += 1
    }

    /// Passes a byte if it is the next one.
    mutating func take(_ byte: UInt8) -> Bool {
        guard peek == byte else { return false }
        advance()
        return true
    }

    mutating func skipBlanks() {
        while let byte = peek, byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") { advance() }
    }

    /// Passes blanks, ends of lines, and comments.
    mutating func skipBlankLines() {
        while true {
            skipBlanks()
            switch peek {
            case UInt8(ascii: "\n"): advance()
            case UInt8(ascii: "\r") where peek(after: 1) == UInt8(ascii: "\n"): advance()
            case UInt8(ascii: "#"): skipComment()
            default: return
            }
        }
    }

    private mutating func skipComment() {
        while let byte = peek, byte != UInt8(ascii: "\n") { advance() }
    }

    /// Passes the rest of a line, in which only a comment may stand.
    mutating func endLine() throws(TOMLProblem) {
        skipBlanks()
        if peek == UInt8(ascii: "#") { skipComment() }
        if peek == UInt8(ascii: "\r") { advance() }
        guard peek == nil || peek == UInt8(ascii: "\n") else {
            throw problem("only one key or header stands in a line")
        }
    }

    // MARK: keys and strings

    private static func isBare(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    mutating func key() throws(TOMLProblem) -> String {
        if peek == UInt8(ascii: "\"") || peek == UInt8(ascii: "'") { return try string() }
        let start = place
        while let byte = peek, TOMLScanner.isBare(byte) { advance() }
        guard place > start else {
            throw problem("a key has letters, digits, - and _, or stands in quotes")
        }
        return String(decoding: bytes[start..<place], as: UTF8.self)
    }

    /// A string of any of the four kinds.
    mutating func string() throws(TOMLProblem) -> String {
        let quote = bytes[place]
        let isLong = peek(after: 1) == quote && peek(after: 2) == quote
        for _ in 0..<(isLong ? 3 : 1) { advance() }
        if isLong {
            if peek == UInt8(ascii: "\r"), peek(after: 1) == UInt8(ascii: "\n") { advance() }
            _ = take(UInt8(ascii: "\n"))
        }
        var text: [UInt8] = []
        while let byte = peek {
            if byte == quote {
                guard isLong else {
                    advance()
                    return String(decoding: text, as: UTF8.self)
                }
                if peek(after: 1) == quote, peek(after: 2) == quote,
                    peek(after: 3) != quote
                {
                    for _ in 0..<3 { advance() }
                    return String(decoding: text, as: UTF8.self)
                }
            } else if byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") {
                advance()
                try escape(&text, isLong: isLong)
                continue
            } else if byte == UInt8(ascii: "\n"), !isLong {
                throw problem("a text in quotes ends in its line")
            } else if byte < 0x20, byte != 0x09, byte != 0x0a, byte != 0x0d || !isLong {
                throw problem("a control character in a text; write it as \\uXXXX")
            }
            text.append(byte)
            advance()
        }
        throw problem("a text in quotes has no end")
    }

    private mutating func escape(_ text: inout [UInt8], isLong: Bool) throws(TOMLProblem) {
        let byte = peek
        switch byte {
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "n"): text.append(0x0a)
        case UInt8(ascii: "f"): text.append(0x0c)
        case UInt8(ascii: "r"): text.append(0x0d)
        case UInt8(ascii: "\""): text.append(0x22)
        case UInt8(ascii: "\\"): text.append(0x5c)
        case UInt8(ascii: "u"), UInt8(ascii: "U"):
            advance()
            return try unicode(&text, digits: byte == UInt8(ascii: "u") ? 4 : 8)
        case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"):
            guard isLong else { fallthrough }
            while let blank = peek,
                [0x20, 0x09, 0x0a, 0x0d].contains(blank)
            { advance() }
            return
        default: throw problem("no such escape in a text; use \\n, \\t, \\\", \\\\ or \\uXXXX")
        }
        advance()
    }

    private mutating func unicode(_ text: inout [UInt8], digits: Int) throws(TOMLProblem) {
        var value: UInt32 = 0
        for _ in 0..<digits {
            guard let byte = peek, let digit = Character(UnicodeScalar(byte)).hexDigitValue else {
                throw problem("\\u has 4 and \\U has 8 hexadecimal digits")
            }
            value = value << 4 | UInt32(digit)
            advance()
        }
        guard let scalar = UnicodeScalar(value) else {
            throw problem("\\u and \\U name a Unicode scalar value")
        }
        text += Array(String(Character(scalar)).utf8)
    }

    // MARK: numbers and the like

    /// A number, `true`, `false`, a date or a time.
    mutating func plainValue() throws(TOMLProblem) -> TOMLValue {
        let start = place
        while let byte = peek, TOMLScanner.isPlain(byte, at: place - start, of: bytes[start...]) {
            advance()
        }
        let word = String(decoding: bytes[start..<place], as: UTF8.self)
        switch word {
        case "": throw problem("a value is missing; a text stands in quotes")
        case "true": return .flag(true)
        case "false": return .flag(false)
        case "inf", "+inf": return .number(.infinity)
        case "-inf": return .number(-.infinity)
        case "nan", "+nan", "-nan": return .number(.nan)
        default: break
        }
        if let number = TOMLScanner.integer(word) { return .integer(number) }
        if let number = TOMLScanner.float(word) { return .number(number) }
        if TOMLScanner.isMoment(word) { return .moment(word) }
        throw problem(
            "'\(word.prefix(40))' is no number, true or false; a text stands in quotes")
    }

    /// A date and a time may have one blank between them.
    private static func isPlain(_ byte: UInt8, at index: Int, of rest: ArraySlice<UInt8>) -> Bool {
        if isBare(byte) { return true }
        switch byte {
        case UInt8(ascii: "+"), UInt8(ascii: "."), UInt8(ascii: ":"): return true
        case UInt8(ascii: " "):
            let next = rest.startIndex + index + 1
            return index == 10 && next < rest.endIndex
                && (UInt8(ascii: "0")...UInt8(ascii: "2")).contains(rest[next])
                && isMoment(String(decoding: rest.prefix(10), as: UTF8.self))
        default: return false
        }
    }

    /// Digits, with single underscores between them only.
    private static func digits(_ text: Substring) -> String? {
        var previous: Character = "_"
        for character in text {
            if character == "_", previous == "_" { return nil }
            previous = character
        }
        guard previous != "_" else { return nil }
        return text.filter { $0 != "_" }
    }

    private static func integer(_ word: String) -> Int64? {
        for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] where word.hasPrefix(prefix) {
            guard let text = digits(word.dropFirst(2)), text.allSatisfy(\.isHexDigit) else {
                return nil
            }
            return Int64(text, radix: radix)
        }
        let sign = word.hasPrefix("-") || word.hasPrefix("+")
        guard let text = digits(sign ? word.dropFirst() : word[...]),
            text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            text == "0" || !text.hasPrefix("0")
        else { return nil }
        return Int64(word.hasPrefix("-") ? "-" + text : text)
    }

    private static func float(_ word: String) -> Double? {
        let sign = word.hasPrefix("-") || word.hasPrefix("+")
        let body = sign ? word.dropFirst() : word[...]
        let parts = body.split(
            maxSplits: 1, omittingEmptySubsequences: false,
            whereSeparator: { $0 == "e" || $0 == "E" })
        let mantissa = parts[0].split(
            separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        func isNumber(_ text: Substring) -> Bool {
            guard let text = digits(text) else { return false }
            return text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        }
        guard mantissa.allSatisfy(isNumber), mantissa[0] == "0" || !mantissa[0].hasPrefix("0"),
            parts.count > 1 || mantissa.count > 1
        else { return nil }
        if parts.count > 1 {
            let exponent = parts[1]
            let isSigned = exponent.hasPrefix("-") || exponent.hasPrefix("+")
            guard isNumber(isSigned ? exponent.dropFirst() : exponent) else { return nil }
        }
        return Double(word.filter { $0 != "_" })
    }

    /// Whether a word begins as `1979-05-27` or `07:32:00`.
    private static func isMoment(_ word: String) -> Bool {
        let shape = word.utf8.prefix(10).map { byte -> UInt8 in
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) ? UInt8(ascii: "0") : byte
        }
        let text = String(decoding: shape, as: UTF8.self)
        return text == "0000-00-00" || text.hasPrefix("00:00:00")
    }
}
