/// Reads from a line of decision service JSON the members that an evaluation needs, and skips the
/// rest; for untrusted input.
struct DecisionServiceScanner {
    /// What a line says; members that it does not have are nil or empty.
    struct Line {
        var cost: Double?
        var probability: Double?
        /// Share of the decisions without reward that were left out of the log.
        var dropped = 0.0
        var isSkipped = false
        /// The actions from one, the chosen one first.
        var actions: [Double] = []
        var probabilities: [Double] = []
    }

    private static let depthLimit = 64

    private let bytes: UnsafeBufferPointer<UInt8>
    private var position = 0

    private init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    /// Reads a line; nil if it is not a JSON object, as far as it is looked at.
    static func read(_ bytes: UnsafeBufferPointer<UInt8>) -> Line? {
        var scanner = DecisionServiceScanner(bytes)
        var line = Line()
        guard scanner.take(0x7b) else { return nil }
        if scanner.take(0x7d) { return scanner.isAtEnd ? line : nil }
        repeat {
            guard let key = scanner.text(), scanner.take(0x3a), scanner.member(key, &line) else {
                return nil
            }
        } while scanner.take(0x2c)
        guard scanner.take(0x7d), scanner.isAtEnd else { return nil }
        return line
    }

    /// Reads one member's value.
    private mutating func member(_ key: String, _ line: inout Line) -> Bool {
        switch key {
        case "_label_cost": return number(&line.cost)
        case "_label_probability": return number(&line.probability)
        case "pdrop":
            var share: Double?
            guard number(&share) else { return false }
            line.dropped = share ?? 0
            return true
        case "_skipLearn":
            line.isSkipped = next == UInt8(ascii: "t")
            return skip()
        case "a": return numbers(&line.actions)
        case "p": return numbers(&line.probabilities)
        default: return skip()
        }
    }

    // MARK: values

    private var next: UInt8? {
        mutating get {
            while position < bytes.count, [0x20, 0x09, 0x0d].contains(bytes[position]) {
                position += 1
            }
            return position < bytes.count ? bytes[position] : nil
        }
    }

    private var isAtEnd: Bool { mutating get { next == nil } }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        position += 1
        return true
    }

    /// A text; escapes stay as they are, since no name that is looked for has any.
    private mutating func text() -> String? {
        guard take(0x22) else { return nil }
        let start = position
        while position < bytes.count, bytes[position] != 0x22 {
            position += bytes[position] == 0x5c ? 2 : 1
        }
        guard position < bytes.count else { return nil }
        position += 1
        return String(decoding: bytes[start..<position - 1], as: UTF8.self)
    }

    /// The bytes of a number, true, false or null.
    private mutating func word() -> UnsafeBufferPointer<UInt8> {
        _ = next
        let start = position
        while position < bytes.count, ![0x2c, 0x5d, 0x7d, 0x20, 0x09].contains(bytes[position]) {
            position += 1
        }
        return UnsafeBufferPointer(rebasing: bytes[start..<position])
    }

    private mutating func number(_ value: inout Double?) -> Bool {
        guard let number = NumberParser.double(word()), number.isFinite else { return false }
        value = number
        return true
    }

    private mutating func numbers(_ values: inout [Double]) -> Bool {
        values = []
        guard take(0x5b) else { return false }
        if take(0x5d) { return true }
        repeat {
            var value: Double?
            guard number(&value), let value else { return false }
            values.append(value)
        } while take(0x2c)
        return take(0x5d)
    }

    /// Skips a value of any kind.
    private mutating func skip() -> Bool {
        var depth = 0
        repeat {
            switch next {
            case 0x7b, 0x5b:
                depth += 1
                position += 1
                guard depth <= DecisionServiceScanner.depthLimit else { return false }
            case 0x7d, 0x5d:
                depth -= 1
                position += 1
            case 0x22: guard text() != nil else { return false }
            case 0x2c, 0x3a:
                guard depth > 0 else { return false }
                position += 1
            case nil: return false
            default: guard !word().isEmpty else { return false }
            }
        } while depth > 0
        return depth == 0
    }
}
