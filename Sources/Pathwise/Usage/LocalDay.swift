internal import Glibc
internal import PathTelemetry

/// A day of the local calendar, from 1970 to 9999.
///
/// It is the unit in which bytes are counted, so that a cap can have any period, and a cap whose
/// period was changed still knows the bytes of the days before.
struct LocalDay: Hashable, Comparable, Sendable {
    /// Days since 1970-01-01.
    let number: Int

    private static let limit = 2_932_897

    private init(number: Int) { self.number = min(max(0, number), LocalDay.limit - 1) }

    /// The day at a time in seconds since 1970 UTC, where clocks are `offset` seconds ahead of UTC.
    init(at time: Int64, offset: Int) {
        let local = Int(clamping: time.addingReportingOverflow(Int64(offset)).partialValue)
        self.init(number: local >= 0 ? local / 86_400 : 0)
    }

    /// Nil if there is no such day.
    init?(year: Int, month: Int, day: Int) {
        guard (1970...9999).contains(year), (1...12).contains(month), (1...31).contains(day)
        else { return nil }
        // The year begins in March, so that the leap day is its last.
        let shifted = month > 2 ? year : year - 1
        let ofYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let count =
            365 * shifted + shifted / 4 - shifted / 100 + shifted / 400 + ofYear - 719_468
        self.init(number: count)
        guard self.number == count, parts == (year, month, day) else { return nil }
    }

    /// Reads `2026-11-29`.
    init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard text.utf8.count == 10, parts.count == 3, parts[0].utf8.count == 4,
            parts[1].utf8.count == 2,
            parts.allSatisfy({ $0.utf8.allSatisfy { (48...57).contains($0) } }),
            let year = Int(parts[0]), let month = Int(parts[1]), let day = Int(parts[2])
        else { return nil }
        self.init(year: year, month: month, day: day)
    }

    private var parts: (year: Int, month: Int, day: Int) {
        // The calendar repeats after 400 years, 146,097 days.
        let days = number + 719_468
        let era = days / 146_097
        let ofEra = days % 146_097
        let yearOfEra = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * ofYear + 2) / 153
        let day = ofYear - (153 * shifted + 2) / 5 + 1
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    /// The days of the period that has this day; weeks begin on Monday.
    func period(_ period: ByteCap.Period) -> Range<LocalDay> {
        switch period {
        case .day: return self..<LocalDay(number: number + 1)
        case .week:
            // 1970-01-01 was a Thursday.
            let monday = number - (number + 3) % 7
            return LocalDay(number: monday)..<LocalDay(number: monday + 7)
        case .month:
            let (year, month, day) = parts
            let first = LocalDay(number: number - (day - 1))
            let isLast = month == 12
            let next = LocalDay(
                year: isLast ? year + 1 : year, month: isLast ? 1 : month + 1, day: 1)
            return first..<(next ?? LocalDay(number: number + 1))
        }
    }

    static func < (left: LocalDay, right: LocalDay) -> Bool { left.number < right.number }
}

extension LocalDay: CustomStringConvertible {
    var description: String {
        let (year, month, day) = parts
        return "\(NumberText.padded(year, to: 4))-\(NumberText.padded(month, to: 2))-"
            + NumberText.padded(day, to: 2)
    }
}

/// The time of day and the local calendar.
struct LocalClock: Sendable {
    /// Seconds since 1970 UTC.
    var now: @Sendable () -> Int64
    /// How many seconds local clocks are ahead of UTC at a time.
    var offset: @Sendable (Int64) -> Int

    /// Those of the system.
    static let system = LocalClock(
        now: { Int64(time(nil)) },
        offset: { moment in
            var moment = time_t(moment)
            var parts = tm()
            return localtime_r(&moment, &parts) == nil ? 0 : parts.tm_gmtoff
        })

    var today: LocalDay {
        let time = now()
        return LocalDay(at: time, offset: offset(time))
    }
}
