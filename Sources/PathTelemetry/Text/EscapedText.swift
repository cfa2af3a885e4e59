/// Text from a peer, a file or a file name, made safe for a terminal, a log and a report.
///
/// It escapes everything that a terminal would obey, or that would make a line look different:
/// control characters and bytes that are not UTF-8 as `\x1b`, characters of the Unicode categories
/// Cc, Cf, Zl, Zp, Co and Cn (direction overrides, joiners, line separators) as `\u{202e}`.
/// Everything else is unchanged, including backslashes, so that escaped text is not changed again:
/// each place that shows text may escape it.
///
///     print("cannot store \(EscapedText(bytes: name))")
public struct EscapedText: CustomStringConvertible, Hashable, Sendable {
    /// The text, safe to show.
    public let description: String

    /// Escapes a text; line breaks are control characters.
    public init(_ text: String) {
        let isPlain = text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f }
        description = isPlain ? text : EscapedText.escape(Array(text.utf8))
    }

    /// Escapes bytes that should be UTF-8 but may not be.
    public init(bytes: some Sequence<UInt8>) {
        description = EscapedText.escape(Array(bytes))
    }

    private static func escape(_ bytes: [UInt8]) -> String {
        var text = ""
        text.reserveCapacity(bytes.count)
        var parser = Unicode.UTF8.ForwardParser()
        var input = bytes.makeIterator()
        var at = 0
        parsing: while true {
            switch parser.parseScalar(from: &input) {
            case .valid(let encoded):
                append(Unicode.UTF8.decode(encoded), to: &text)
                at += encoded.count
            case .error(let length):
                for byte in bytes[at..<min(at + length, bytes.count)] {
                    append(byte: byte, to: &text)
                }
                at += length
            case .emptyInput:
                break parsing
            }
        }
        return text
    }

    private static func append(_ scalar: Unicode.Scalar, to text: inout String) {
        if scalar.value < 0x20 || scalar.value == 0x7f {
            append(byte: UInt8(truncatingIfNeeded: scalar.value), to: &text)
            return
        }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned,
            .surrogate:
            text += "\\u{" + String(scalar.value, radix: 16) + "}"
        default:
            text.unicodeScalars.append(scalar)
        }
    }

    private static func append(byte: UInt8, to text: inout String) {
        text += byte < 16 ? "\\x0" : "\\x"
        text += String(byte, radix: 16)
    }
}
