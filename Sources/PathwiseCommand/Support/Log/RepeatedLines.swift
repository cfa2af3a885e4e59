import PathTelemetry

/// Counts lines that say the same as one of the minute before, instead of printing each.
struct RepeatedLines {
    /// The time that begins with a line, in which the same one is counted.
    static let interval = TimeDelta.seconds(60)
    /// The most lines that are known at once; further ones are printed.
    static let limit = 64

    /// Lines that were not printed.
    struct Rest: Equatable {
        var event: String
        var text: String
        var count: Int
    }
    private struct Key: Hashable {
        var event: String
        var text: String
    }
    private struct Entry {
        let began: Instant
        var count = 0
    }
    private var entries: [Key: Entry] = [:]

    /// Takes a line; returns whether it is to be printed.
    mutating func isNew(_ event: String, _ text: String, now: Instant) -> Bool {
        let key = Key(event: event, text: text)
        if entries[key] != nil {
            entries[key]?.count += 1
            return false
        }
        if entries.count < RepeatedLines.limit { entries[key] = Entry(began: now) }
        return true
    }

    /// The lines whose minute is over and that came again in it; all of them at the end.
    mutating func rest(now: Instant, isLast: Bool = false) -> [Rest] {
        guard !entries.isEmpty else { return [] }
        let over = entries.filter { isLast || now - $0.value.began >= RepeatedLines.interval }
        for key in over.keys { entries[key] = nil }
        return over.filter { $0.value.count > 0 }
            .map { Rest(event: $0.key.event, text: $0.key.text, count: $0.value.count) }
            .sorted { ($0.event, $0.text) < ($1.event, $1.text) }
    }
}
