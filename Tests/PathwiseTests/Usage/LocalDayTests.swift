import Testing

@testable import Pathwise

/// Days, weeks and months of the local calendar.
struct LocalDayTests {
    private func day(_ text: String) throws -> LocalDay { try #require(LocalDay(text), "\(text)") }

    /// Every day of two centuries has the next number, and its text gives the same day.
    @Test func daysFollowEachOther() throws {
        var next = 0
        for year in 1970...2170 {
            let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
            for (month, length) in lengths.enumerated() {
                for number in 1...length {
                    let found = try #require(
                        LocalDay(year: year, month: month + 1, day: number))
                    #expect(found.number == next)
                    #expect(LocalDay(found.description) == found)
                    next += 1
                }
                #expect(LocalDay(year: year, month: month + 1, day: length + 1) == nil)
            }
        }
    }

    @Test func monthsAndWeeksHaveTheirDays() throws {
        let cases: [(String, ByteCap.Period, String, String)] = [
            ("2026-11-29", .month, "2026-11-01", "2026-12-01"),
            ("2026-12-31", .month, "2026-12-01", "2027-01-01"),
            ("2028-02-29", .month, "2028-02-01", "2028-03-01"),
            ("2100-02-28", .month, "2100-02-01", "2100-03-01"),
            ("2026-11-29", .week, "2026-11-23", "2026-11-30"),
            ("2026-11-30", .week, "2026-11-30", "2026-12-07"),
            ("2026-12-31", .week, "2026-12-28", "2027-01-04"),
            ("2028-02-28", .day, "2028-02-28", "2028-02-29"),
        ]
        for (text, period, first, next) in cases {
            #expect(try day(text).period(period) == (try day(first)..<(try day(next))), "\(text)")
        }
    }

    /// The month ends at local midnight, an hour earlier in UTC while clocks are set forward.
    @Test func daylightSavingMovesMidnight() throws {
        // Central Europe in 2026: from 29 March to 25 October, 1:00 UTC, clocks are two hours ahead.
        let berlin = { (time: Int64) in (1_774_746_000..<1_792_890_000).contains(time) ? 7200 : 3600
        }
        let first = { (time: Int64) in LocalDay(at: time, offset: berlin(time)).description }
        // 2026-03-31 21:59:59 and 22:00:00 UTC.
        #expect(first(1_774_994_399) == "2026-03-31")
        #expect(first(1_774_994_400) == "2026-04-01")
        // 2026-10-31 22:59:59 and 23:00:00 UTC.
        #expect(first(1_793_487_599) == "2026-10-31")
        #expect(first(1_793_487_600) == "2026-11-01")
        // The day of 25 hours is one day.
        #expect(first(1_792_879_200) == "2026-10-25")
        #expect(first(1_792_879_200 + 25 * 3600 - 1) == "2026-10-25")
        #expect(first(1_792_879_200 + 25 * 3600) == "2026-10-26")
    }

    @Test func timesOutOfRangeAreTheNearestDay() {
        #expect(LocalDay(at: .min, offset: 0).description == "1970-01-01")
        #expect(LocalDay(at: .max / 2, offset: 3600).description == "9999-12-31")
        #expect(LocalDay(at: .max / 2, offset: 0).period(.month).upperBound.description != "")
        for text in [
            "", "2026-1-1", "2026-13-01", "2026-00-10", "10000-01-01", "2026-11-31", "٢٠٢٦-01-01",
        ] {
            #expect(LocalDay(text) == nil, "\(text)")
        }
    }

    /// The system's local time is that of `localtime`: no more than a day from UTC.
    @Test func theSystemsClock() {
        let clock = LocalClock.system
        #expect(abs(clock.offset(clock.now())) <= 86_400)
        #expect(clock.today >= LocalDay(at: 1_700_000_000, offset: 0))
    }
}
