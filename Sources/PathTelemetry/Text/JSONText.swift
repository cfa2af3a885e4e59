/// Pieces of JSON (RFC 8259) as bytes.
public enum JSONText {
    /// Appends a quoted string.
    ///
    /// Besides the characters that JSON requires, it escapes those that a terminal would obey:
    /// control and format characters, and changes of text direction. A JSON parser reads the same
    /// text.
    public static func append(_ text: String, to bytes: inout [UInt8]) {
        bytes.append(0x22)
        if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7f && $0 != 0x22 && $0 != 0x5c }) {
            bytes.append(contentsOf: text.utf8)
        } else {
            for scalar in text.unicodeScalars { append(scalar, to: &bytes) }
        }
        bytes.append(0x22)
    }

    private static func append(_ scalar: Unicode.Scalar, to bytes: inout [UInt8]) {
        switch scalar {
        case " ", "!", "#"..."[", "]"..."~": bytes.append(UInt8(truncatingIfNeeded: scalar.value))
        case "\"": bytes += [0x5c, 0x22]
        case "\\": bytes += [0x5c, 0x5c]
        case "\n": bytes += [0x5c, 0x6e]
        case "\r": bytes += [0x5c, 0x72]
        case "\t": bytes += [0x5c, 0x74]
        case _ where isUnsafe(scalar):
            for unit in scalar.utf16 { append(unit, to: &bytes) }
        default: bytes.append(contentsOf: scalar.utf8)
        }
    }

    /// Whether `EscapedText` would escape the character.
    private static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned,
            .surrogate:
            true
        default: false
        }
    }

    /// Appends a UTF-16 code unit as `\u001b`.
    private static func append(_ unit: UInt16, to bytes: inout [UInt8]) {
        let digits = Array("0123456789abcdef".utf8)
        bytes += [0x5c, 0x75]
        for shift in [UInt16(12), 8, 4, 0] { bytes.append(digits[Int(unit >> shift & 15)]) }
    }

    /// Appends the shortest text that parses to the same number; `null` if it is not finite.
    public static func append(_ number: Double, to bytes: inout [UInt8]) {
        guard number.isFinite else {
            bytes += Array("null".utf8)
            return
        }
        bytes += Array(NumberText.exact(number).utf8)
    }
}
