/// Parses numbers as users type them in options and files.
public enum ArgumentText {
    /// A finite number in decimal or scientific notation; nil for anything else, and for a text
    /// longer than any number needs.
    public static func number(_ text: some StringProtocol) -> Double? {
        guard text.utf8.count <= 64, let value = Double(String(text)), value.isFinite else {
            return nil
        }
        return value
    }

    /// The seconds of a time: a number and `us`, `ms`, `s`, `min` or `h`; nil for anything else.
    public static func seconds(_ text: String) -> Double? {
        let units = ["us": 1e-6, "ms": 1e-3, "s": 1, "min": 60, "h": 3600]
        return value(text, units)
    }

    /// The bits per second of a rate: a number and `bit`, `kbit`, `mbit` or `gbit`; nil for
    /// anything else.
    public static func bitsPerSecond(_ text: String) -> Double? {
        value(text, ["bit": 1, "kbit": 1e3, "mbit": 1e6, "gbit": 1e9])
    }

    /// The bytes of a size: a plain number, or one with `B`, `kB`, `MB`, `GB`, `TB`, `KiB`, `MiB`,
    /// `GiB` or `TiB`; nil for anything else.
    public static func bytes(_ text: String) -> Double? {
        value(
            text,
            [
                "": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
                "kib": 1024, "mib": 1_048_576, "gib": 1_073_741_824, "tib": 1_099_511_627_776,
            ])
    }

    /// A share of one: `0.2` or `20%`; nil for anything else.
    public static func share(_ text: String) -> Double? {
        guard let quantity = Quantity(text), quantity.unit.isEmpty || quantity.unit == "%" else {
            return nil
        }
        let share = quantity.unit.isEmpty ? quantity.number : quantity.number / 100
        return share <= 1 ? share : nil
    }

    private static func value(_ text: String, _ units: [String: Double]) -> Double? {
        guard let quantity = Quantity(text), let unit = units[quantity.unit.lowercased()] else {
            return nil
        }
        return quantity.number * unit
    }
}

/// A number and its unit, as users write it: `150ms`, `20mbit`, `64KiB`.
public struct Quantity: Sendable {
    public var number: Double
    /// The text after the number; empty without a unit.
    public var unit: String

    /// Nil for anything but a non-negative decimal number followed by letters.
    public init?(_ text: String) {
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        guard digits.count <= 20, let number = ArgumentText.number(digits) else { return nil }
        self.number = number
        unit = String(text[digits.endIndex...])
    }
}

/// The names of paths, links, clients and servers: 1 to 32 of `a-z A-Z 0-9 - _ .` and nothing else, of
/// which the dot is not the first, as files have these names.
public enum PlainName {
    /// The rule, for error messages.
    public static let rule = "1 to 32 of a-z A-Z 0-9 - _ . with no dot first"

    /// Whether a text is such a name.
    public static func allows(_ text: some StringProtocol) -> Bool {
        let isPlain = text.utf8.allSatisfy {
            switch $0 {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
                UInt8(ascii: "."):
                true
            default: false
            }
        }
        return isPlain && (1...32).contains(text.utf8.count) && text.utf8.first != UInt8(ascii: ".")
    }
}
