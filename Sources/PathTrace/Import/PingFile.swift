import PathTelemetry

/// Pings as CSV with a header, or as `ping -D` prints them (`PingText`).
///
/// The columns are an RTT in milliseconds (`rtt_ms`, `rtt`, `latency_ms`) and a time: `unix_s`,
/// `timestamp`, `time` or `datetime` (seconds since 1970 or ISO 8601), `unix_ms`, `time_s` (seconds
/// from an unknown start), or `session_start_unix_ms` with `send_offset_s`. An RTT that is empty or
/// says `timeout` is an unanswered ping; it counts as a probe time-out in the sample.
enum PingFile {
    private static let rttNames = ["rtt_ms", "rtt", "latency_ms"]
    private static let momentNames = ["unix_s", "timestamp", "time", "datetime"]

    private struct Columns {
        let line: CSVLine
        var rtt: Int
        var time: Int
        /// The column to which `time` is an offset.
        var start: Int?
        /// Unit of the numbers in `time`, seconds.
        var unit = 1.0
        /// Whether times count from 1970.
        var isUnix = true
        var count: Int

        init(_ lines: LineFile) throws(TraceError) {
            guard let header = try lines.next() else { throw lines.refusal("the file is empty") }
            line = CSVLine(header: header)
            guard let names = line.fields(header)?.map({ $0.lowercased() }) else {
                throw lines.refusal("a quote has no end")
            }
            count = names.count
            func place(_ known: [String]) -> Int? {
                known.lazy.compactMap { names.firstIndex(of: $0) }.first
            }
            guard let rtt = place(PingFile.rttNames) else {
                throw lines.refusal(
                    "the header has no column with the RTT: 'rtt_ms', 'rtt' or 'latency_ms'")
            }
            self.rtt = rtt
            if let offset = place(["send_offset_s"]),
                let start = place(["session_start_unix_ms"])
            {
                time = offset
                self.start = start
            } else if let moment = place(PingFile.momentNames) {
                time = moment
            } else if let moment = place(["unix_ms"]) {
                time = moment
                unit = 1e-3
            } else if let seconds = place(["time_s"]) {
                time = seconds
                isUnix = false
            } else {
                throw lines.refusal(
                    "the header has no time: 'unix_s', 'unix_ms', 'timestamp', 'time', 'datetime', "
                        + "'time_s', or 'session_start_unix_ms' with 'send_offset_s'")
            }
        }

        func fields(_ text: String, _ lines: LineFile) throws(TraceError) -> [String] {
            guard let row = line.fields(text) else { throw lines.refusal("a quote has no end") }
            guard row.count == count else {
                throw lines.refusal("\(row.count) columns instead of \(count)")
            }
            return row
        }

        /// The time of a row in nanoseconds.
        func time(_ row: [String], _ lines: LineFile) throws(TraceError) -> Int64 {
            if isUnix, start == nil, let moment = MomentText.nanoseconds(iso: row[time]) {
                return moment
            }
            guard let value = line.number(row[time]) else {
                throw lines.refusal(
                    "the time '\(row[time].prefix(40))' is not a number"
                        + (isUnix && start == nil ? " and not an ISO 8601 date" : ""))
            }
            // Whole seconds and the fraction are converted separately: a double has a resolution of
            // 256 ns for nanoseconds since 1970.
            let scaled = value * unit
            let whole = scaled.rounded(.down)
            guard whole.magnitude < 9e9 else {
                throw lines.refusal("the time '\(row[time].prefix(40))' is out of range")
            }
            var nanoseconds =
                Int64(whole) * 1_000_000_000 + Int64(((scaled - whole) * 1e9).rounded())
            if let start {
                guard let base = line.number(row[start]), base.magnitude < 9e12 else {
                    throw lines.refusal("the start '\(row[start].prefix(40))' is not a number")
                }
                nanoseconds =
                    nanoseconds.addingReportingOverflow(Int64((base * 1e6).rounded()))
                    .partialValue
            }
            return nanoseconds
        }
    }

    /// Whether a line is a CSV header of pings.
    static func isHeader(_ line: String) -> Bool {
        let names = CSVLine(header: line).fields(line)?.map { $0.lowercased() } ?? []
        return rttNames.contains { names.contains($0) }
    }

    static func started(_ file: String) throws(TraceError) -> Int64? {
        if try isText(file) { return try PingText.started(file) }
        let lines = try LineFile(file)
        let columns = try Columns(lines)
        guard columns.isUnix else { return nil }
        while let line = try lines.next() {
            if !line.isEmpty { return try columns.time(columns.fields(line, lines), lines) }
        }
        return nil
    }

    /// Whether the file is ping's own output.
    private static func isText(_ file: String) throws(TraceError) -> Bool {
        let lines = try LineFile(file)
        while let line = try lines.next() {
            if !line.isEmpty { return PingText.isOutput(line) }
        }
        return false
    }

    static func read(
        _ file: String, origin: Int64, _ body: (PathSample) throws(TraceError) -> Void
    ) throws(TraceError) {
        if try isText(file) { return try PingText.read(file, origin: origin, body) }
        let lines = try LineFile(file)
        let columns = try Columns(lines)
        var previous = Int64.min
        var series = PingSeries()
        while let line = try lines.next() {
            if line.isEmpty { continue }
            let row = try columns.fields(line, lines)
            var time = try columns.time(row, lines)
            if columns.isUnix { time = time.subtractingReportingOverflow(origin).partialValue }
            guard time >= previous else { throw lines.refusal("the time goes back") }
            previous = time
            let moment = Instant(nanoseconds: time)
            let field = row[columns.rtt]
            if PingSeries.isMissing(field) {
                try body(series.missed(1, at: moment))
                continue
            }
            guard let rtt = columns.line.number(field), rtt >= 0, rtt < PingSeries.limit else {
                throw lines.refusal("the RTT '\(field.prefix(40))' is not a time")
            }
            try body(
                series.answered(
                    at: moment, rtt: rtt, reply: moment + TimeDelta(seconds: rtt * 1e-3)))
        }
        guard previous > .min else { throw lines.refusal("the file has no row") }
    }
}
