/// Numbers as people read them, the same in tables, plots and pages.
public enum NumberText {
    /// A number with this many digits after the point; not-a-number as a dash.
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
            let rest = String(number % unit)
            text += "." + String(repeating: "0", count: digits - rest.count) + rest
        }
        return text
    }

    /// A number with about this many significant digits and no needless zeros.
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

    /// Without zeros at the end of the fraction.
    static func trimmed(_ text: String) -> String {
        guard text.contains(".") else { return text }
        var text = text
        while text.last == "0" { text.removeLast() }
        if text.last == "." { text.removeLast() }
        return text
    }

    /// A time in the unit that suits it: `850 us`, `12.4 ms`, `3.2 s`, `4 min 10 s`.
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
    public static func bytes(_ count: Double) -> String { scaled(count, "B") }

    /// Bits per second in decimal units, from bytes per second.
    public static func rate(bytesPerSecond: Double) -> String {
        scaled(bytesPerSecond * 8, "bit/s")
    }

    /// A share of one as percent.
    public static func percent(_ share: Double, digits: Int = 1) -> String {
        share.isFinite ? fixed(share * 100, digits) + " %" : "-"
    }

    /// A whole number with spaces between groups of three digits.
    public static func count(_ number: Int) -> String {
        let digits = String(number.magnitude)
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { text += " " }
            text.append(digit)
        }
        return (number < 0 ? "-" : "") + text
    }

    /// A whole number and what it counts: `1 item`, `2 items`, `2 000 entries`.
    ///
    /// - Parameter many: the plural, where it is not the singular with an `s`.
    public static func counted(_ number: Int, _ one: String, _ many: String? = nil) -> String {
        count(number) + " " + (number == 1 ? one : many ?? one + "s")
    }

    private static func scaled(_ value: Double, _ unit: String) -> String {
        guard value.isFinite else { return "-" }
        var rest = value
        var prefix = ""
        for next in ["k", "M", "G", "T", "P"] where rest.magnitude >= 999.5 {
            rest /= 1000
            prefix = next
        }
        return (prefix.isEmpty ? fixed(rest, 0) : short(rest)) + " " + prefix + unit
    }
}
