/// Formats numbers for readers, equally in tables, plots, pages and messages.
public enum NumberText {
    /// A number with this many digits after the point; NaN as a dash.
    public static func fixed(_ value: Double, _ digits: Int) -> String {
        guard value.isFinite else {
            return value.isNaN ? "-" : value < 0 ? "-inf" : "inf"
        }
        var scale = 1.0
        for _ in 0..<max(0, digits) { scale *= 10 }
        let scaled = (value.magnitude * scale).rounded()
        guard scaled < 9e15 else { return value.description }
        let number = Int64(scaled)
        let unit = Int64(scale)
        var text = value < 0 && number > 0 ? "-" : ""
        text += String(number / unit)
        if digits > 0 {
            text += "." + padded(number % unit, to: digits)
        }
        return text
    }

    /// A number with about this many significant digits and without trailing zeros.
    public static func short(_ value: Double, digits: Int = 3) -> String {
        guard value.isFinite, value != 0 else { return fixed(value, 0) }
        var size = value.magnitude
        var exponent = 0
        while size >= 10, exponent < 400 {
            size /= 10
            exponent += 1
        }
        while size < 1, exponent > -400 {
            size *= 10
            exponent -= 1
        }
        guard exponent > -7, exponent < 15 else { return value.description }
        let text = fixed(value, max(0, digits - 1 - exponent))
        return text.contains(".") ? trimmed(text) : text
    }

    /// A number with at most this many digits after the point and without trailing zeros.
    public static func rounded(_ value: Double, _ digits: Int) -> String {
        trimmed(fixed(value, digits))
    }

    /// The shortest text that parses to the same number; integers have no point.
    public static func exact(_ value: Double) -> String {
        let text = value.description
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }

    /// A non-negative integer, padded with zeros to a width.
    public static func padded(
        _ number: some BinaryInteger, to width: Int, radix: Int = 10
    ) -> String {
        let digits = String(number, radix: radix)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    /// The text without trailing zeros of the fraction.
    private static func trimmed(_ text: String) -> String {
        guard text.contains(".") else { return text }
        var text = text
        while text.last == "0" { text.removeLast() }
        if text.last == "." { text.removeLast() }
        return text
    }

    /// A time in a suitable unit: `850 us`, `12.4 ms`, `3.2 s`, `4 min 10 s`.
    public static func time(_ seconds: Double) -> String {
        guard seconds.isFinite else { return fixed(seconds, 0) }
        let size = seconds.magnitude
        if size == 0 { return "0 s" }
        if size < 0.9995e-3 { return short(seconds * 1e6) + " us" }
        if size < 0.9995 { return short(seconds * 1e3) + " ms" }
        if size < 120 { return short(seconds) + " s" }
        let whole = seconds.rounded()
        guard whole.magnitude < 9e15 else { return seconds.description + " s" }
        let total = Int64(whole)
        if total < 7200 { return "\(total / 60) min \(total % 60) s" }
        return "\(total / 3600) h \(total % 3600 / 60) min"
    }

    /// Bytes in decimal units: `999 B`, `12.3 kB`, `1.5 GB`.
    ///
    /// - Parameter steady: always one digit after the point, for a line or a column in which
    ///   changing numbers should not jump.
    public static func bytes(_ count: Double, steady: Bool = false) -> String {
        scaled(count, "B", decimals: steady ? [0, 1] : [])
    }

    /// Bits per second in decimal units, from bytes per second.
    ///
    /// - Parameter steady: a fixed number of digits per unit, with kbit/s as the smallest unit.
    public static func rate(bytesPerSecond: Double, steady: Bool = false) -> String {
        scaled(
            bytesPerSecond * 8, "bit/s", decimals: steady ? [0, 0, 1, 2] : [],
            least: steady ? 1 : 0)
    }

    /// A share of one in percent.
    public static func percent(_ share: Double, digits: Int = 1) -> String {
        share.isFinite ? fixed(share * 100, digits) + " %" : "-"
    }

    /// An integer with spaces between groups of three digits.
    public static func count(_ number: Int) -> String {
        let digits = String(number.magnitude)
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { text += " " }
            text.append(digit)
        }
        return (number < 0 ? "-" : "") + text
    }

    /// An integer with its noun: `1 item`, `2 items`, `2 000 entries`.
    ///
    /// - Parameter many: the plural, if it is not the singular with an `s`.
    public static func counted(_ number: Int, _ one: String, _ many: String? = nil) -> String {
        count(number) + " " + (number == 1 ? one : many ?? one + "s")
    }

    /// - Parameters:
    ///   - decimals: digits after the point without a prefix, with the first prefix, and so on;
    ///     empty means three significant digits.
    ///   - least: the smallest prefix to use.
    private static func scaled(
        _ value: Double, _ unit: String, decimals: [Int], least: Int = 0
    ) -> String {
        guard value.isFinite else { return "-" }
        let prefixes = ["", "k", "M", "G", "T", "P"]
        // A number that three digits would round up to a thousand gets the next unit.
        let full = decimals.isEmpty ? 999.5 : 1000
        var rest = value
        var step = 0
        while step + 1 < prefixes.count, step < least || rest.magnitude >= full {
            rest /= 1000
            step += 1
        }
        let text =
            decimals.isEmpty
            ? (step == 0 ? fixed(rest, 0) : short(rest))
            : fixed(rest, decimals[min(step, decimals.count - 1)])
        return text + " " + prefixes[step] + unit
    }
}
