/// Parses times as measurement tools write them.
enum MomentText {
    /// Nanoseconds since 1970 of a date and time in the form of ISO 8601.
    ///
    /// As `2026-11-23T10:20:30.5+01:00` or `2026-11-23 10:20:30Z`; without a zone it counts as UTC.
    /// Nil for anything else, and outside the years 1970 to 2261.
    static func nanoseconds(iso text: String) -> Int64? {
        var reader = Reader(bytes: Array(text.utf8))
        guard text.utf8.count <= 40, let year = reader.digits(4), (1970...2261).contains(year),
            reader.take("-"), let month = reader.digits(2), (1...12).contains(month),
            reader.take("-"), let day = reader.digits(2), (1...31).contains(day),
            reader.take("T") || reader.take("t") || reader.take(" "),
            let hour = reader.digits(2), hour < 24, reader.take(":"),
            let minute = reader.digits(2), minute < 60
        else { return nil }
        var second: Int64 = 0
        var fraction: Int64 = 0
        if reader.take(":") {
            // The value 60 is a leap second.
            guard let value = reader.digits(2), value <= 60 else { return nil }
            second = value
            if reader.take(".") || reader.take(",") {
                guard let value = reader.fraction() else { return nil }
                fraction = value
            }
        }
        guard let offset = reader.zone(), reader.isAtEnd else { return nil }
        let minutes = (days(year, month, day) * 24 + hour) * 60 + minute - offset
        return (minutes * 60 + second) * 1_000_000_000 + fraction
    }

    /// Days since 1970 of a Gregorian date.
    ///
    /// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil.
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted / 400
        let ofEra = shifted % 400
        let ofYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + ofEra * 365 + ofEra / 4 - ofEra / 100 + ofYear - 719_468
    }

    private struct Reader {
        let bytes: [UInt8]
        var position = 0

        var isAtEnd: Bool { position == bytes.count }

        mutating func take(_ character: Character) -> Bool {
            guard position < bytes.count, bytes[position] == character.asciiValue else {
                return false
            }
            position += 1
            return true
        }

        private mutating func digit() -> Int64? {
            guard position < bytes.count, (48...57).contains(bytes[position]) else { return nil }
            position += 1
            return Int64(bytes[position - 1]) - 48
        }

        mutating func digits(_ count: Int) -> Int64? {
            var value: Int64 = 0
            for _ in 0..<count {
                guard let digit = digit() else { return nil }
                value = value * 10 + digit
            }
            return value
        }

        /// Nanoseconds of a fraction of a second; digits after the ninth are ignored.
        mutating func fraction() -> Int64? {
            var value: Int64 = 0
            var scale: Int64 = 100_000_000
            guard let first = digit() else { return nil }
            value = first * scale
            while let next = digit() {
                scale /= 10
                value += next * scale
            }
            return value
        }

        /// Minutes east of UTC: `Z`, `+01:00`, `-0330`, `+01`; no zone means UTC.
        mutating func zone() -> Int64? {
            if isAtEnd || take("Z") || take("z") { return 0 }
            _ = take(" ")
            if take("U") { return take("T") && take("C") ? 0 : nil }
            let sign: Int64 = take("+") ? 1 : take("-") ? -1 : 0
            guard sign != 0, let hours = digits(2), hours <= 14 else { return nil }
            _ = take(":")
            guard !isAtEnd else { return sign * hours * 60 }
            guard let minutes = digits(2), minutes < 60 else { return nil }
            return sign * (hours * 60 + minutes)
        }
    }
}
