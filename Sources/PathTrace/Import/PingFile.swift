import PathTelemetry

/// Pings as CSV with a header: `rtt_ms`, and the time as `unix_s`, `time_s`, or
/// `session_start_unix_ms` with `send_offset_s`.
///
/// An empty `rtt_ms` is a ping without an answer: it counts as a probe time-out in the sample.
/// Smoothed RTT and variation are those of RFC 9002, section 5.3; the least RTT is that of the file
/// so far.
enum PingFile {
    private struct Columns {
        var rtt: Int
        var time: Int
        /// The column that `time` is an offset to.
        var start: Int?
        /// What one of `time` is, seconds; its zero is 1970 where `isUnix`.
        var isUnix: Bool
        var count: Int

        init(_ lines: LineFile) throws(TraceError) {
            guard let header = try lines.next() else { throw lines.refusal("the file is empty") }
            let names = PingFile.fields(header)
            count = names.count
            func place(_ name: String) -> Int? { names.firstIndex { $0 == name } }
            guard let rtt = place("rtt_ms") else {
                throw lines.refusal("the header has no column 'rtt_ms'")
            }
            self.rtt = rtt
            if let unix = place("unix_s") {
                time = unix
                isUnix = true
            } else if let offset = place("send_offset_s"),
                let start = place("session_start_unix_ms")
            {
                time = offset
                self.start = start
                isUnix = true
            } else if let seconds = place("time_s") {
                time = seconds
                isUnix = false
            } else {
                throw lines.refusal(
                    "the header has no time: 'unix_s', 'time_s', or 'session_start_unix_ms' with"
                        + " 'send_offset_s'")
            }
        }

        /// The time of a row in nanoseconds.
        func time(_ row: [Substring], _ lines: LineFile) throws(TraceError) -> Int64 {
            guard row.count == count else {
                throw lines.refusal("\(row.count) columns instead of \(count)")
            }
            guard let value = Double(field: row[time]) else {
                throw lines.refusal("the time '\(row[time].prefix(40))' is no number")
            }
            var nanoseconds = (value * 1e9).rounded()
            if let start {
                guard let base = Double(field: row[start]) else {
                    throw lines.refusal("the start '\(row[start].prefix(40))' is no number")
                }
                nanoseconds += base * 1e6
            }
            guard nanoseconds.magnitude < 9e18 else {
                throw lines.refusal("the time '\(row[time].prefix(40))' is out of range")
            }
            return Int64(nanoseconds)
        }
    }

    private static func fields(_ line: String) -> [Substring] {
        line.split(separator: ",", omittingEmptySubsequences: false).map { field in
            var field = field
            while field.first == " " { field.removeFirst() }
            while field.last == " " { field.removeLast() }
            return field
        }
    }

    static func started(_ file: String) throws(TraceError) -> Int64? {
        let lines = try LineFile(file)
        let columns = try Columns(lines)
        guard columns.isUnix, let line = try lines.next() else { return nil }
        return try columns.time(fields(line), lines)
    }

    static func read(
        _ file: String, origin: Int64, _ body: (PathSample) throws(TraceError) -> Void
    ) throws(TraceError) {
        let lines = try LineFile(file)
        let columns = try Columns(lines)
        var previous = Int64.min
        var smoothed: Double?
        var variation = 0.0
        var least = Double.infinity
        var unanswered = 0
        while let line = try lines.next() {
            if line.isEmpty { continue }
            let row = fields(line)
            var time = try columns.time(row, lines)
            if columns.isUnix { time = time.subtractingReportingOverflow(origin).partialValue }
            guard time >= previous else { throw lines.refusal("the time goes back") }
            previous = time
            var sample = PathSample.measured(at: Instant(nanoseconds: time))
            if row[columns.rtt].isEmpty {
                unanswered += 1
            } else {
                guard let rtt = Double(field: row[columns.rtt]), rtt >= 0, rtt < 1e9 else {
                    throw lines.refusal("the RTT '\(row[columns.rtt].prefix(40))' is no time")
                }
                unanswered = 0
                least = min(least, rtt)
                if let mean = smoothed {
                    variation = 0.75 * variation + 0.25 * (mean - rtt).magnitude
                    smoothed = 0.875 * mean + 0.125 * rtt
                } else {
                    smoothed = rtt
                    variation = rtt / 2
                }
                sample.snapshot.latestRTT = TimeDelta(seconds: rtt * 1e-3)
                sample.snapshot.lastReply = sample.time + sample.snapshot.latestRTT
            }
            sample.snapshot.smoothedRTT = TimeDelta(seconds: (smoothed ?? 0) * 1e-3)
            sample.snapshot.rttVariation = TimeDelta(seconds: variation * 1e-3)
            if least < .infinity { sample.snapshot.minRTT = TimeDelta(seconds: least * 1e-3) }
            sample.snapshot.probeTimeouts = unanswered
            try body(sample)
        }
        guard previous > .min else { throw lines.refusal("the file has no row") }
    }
}
