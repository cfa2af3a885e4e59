import PathTelemetry

/// The output of `ping -D`: one line per answer with its arrival time.
///
/// Unanswered pings are those that ping names (`no answer yet`, `Destination Host Unreachable`) and
/// those whose numbers are missing between two answers; the latter become one sample, at the time
/// at which the last of them was sent if they were sent at equal intervals.
enum PingText {
    /// What a line of the output says about a ping.
    private struct Ping {
        var time: Int64
        var number: Int?
        /// Round trip, milliseconds; nil without an answer.
        var rtt: Double?
    }

    static func started(_ file: String) throws(TraceError) -> Int64? {
        let lines = try LineFile(file)
        while let text = try lines.next() {
            if let ping = try parse(text, lines) { return ping.time }
        }
        return nil
    }

    static func read(
        _ file: String, origin: Int64, _ body: (PathSample) throws(TraceError) -> Void
    ) throws(TraceError) {
        let lines = try LineFile(file)
        var series = PingSeries()
        var previous: Ping?
        func instant(_ time: Int64) -> Instant {
            Instant(nanoseconds: time) - TimeDelta(nanoseconds: origin)
        }
        while let text = try lines.next() {
            guard let ping = try parse(text, lines) else { continue }
            let before = previous ?? ping
            guard ping.time >= before.time else { throw lines.refusal("the time goes back") }
            let step = previous == nil ? 1 : PingText.step(from: before.number, to: ping.number)
            if step > 1 {
                let span = Double(ping.time - before.time) * Double(step - 1) / Double(step)
                try body(series.missed(step - 1, at: instant(before.time + Int64(span))))
            }
            previous = ping
            // A ping that was sent earlier does not turn the count back.
            if step <= 0 { previous?.number = before.number }
            if let rtt = ping.rtt {
                let time = instant(ping.time)
                try body(series.answered(at: time, rtt: rtt, reply: time))
            } else if step > 0 {
                try body(series.missed(1, at: instant(ping.time)))
            }
        }
        guard previous != nil else { throw lines.refusal("the file has no answer of a ping") }
    }

    /// How many pings after the previous one it was sent; zero or less if it was sent earlier.
    ///
    /// Ping numbers have 16 bits.
    private static func step(from before: Int?, to number: Int?) -> Int {
        guard let before, let number else { return 1 }
        let distance = (number &- before) & 0xffff
        return distance < 0x8000 ? distance : distance - 0x1_0000
    }

    /// Whether a line belongs to ping's output.
    static func isOutput(_ line: String) -> Bool {
        line.hasPrefix("PING ") || line.contains(" bytes from ")
            || line.hasPrefix("[")
                && line.dropFirst().first?.isNumber == true
    }

    /// Nil for a line that is not about one ping.
    private static func parse(_ text: String, _ lines: LineFile) throws(TraceError) -> Ping? {
        var rest = text[...]
        var stamp: Int64?
        if rest.first == "[", let end = rest.firstIndex(of: "]") {
            let field = rest[rest.index(after: rest.startIndex)..<end]
            guard let time = nanoseconds(field) else {
                throw lines.refusal("the time '\(field.prefix(40))' is not a number of seconds")
            }
            stamp = time
            rest = rest[rest.index(after: end)...]
        }
        let isAnswer = rest.contains(" bytes from ")
        let isMissing =
            rest.contains("no answer yet") || rest.contains("nreachable")
            || rest.contains("imeout for icmp_seq") || rest.contains("ime to live exceeded")
        guard isAnswer || isMissing else { return nil }
        guard let stamp else {
            throw lines.refusal("the line has no time; record with 'ping -D'")
        }
        let number = value(after: "icmp_seq", in: rest).flatMap { Int($0) }
        if let number, !(0...0xffff).contains(number) {
            throw lines.refusal("the number '\(number)' of a ping is out of range")
        }
        guard isAnswer else { return Ping(time: stamp, number: number) }
        guard let field = value(after: "time", in: rest), let rtt = ArgumentText.number(field),
            rtt >= 0, rtt < PingSeries.limit
        else { throw lines.refusal("the answer has no time of the form 'time=12.3 ms'") }
        return Ping(time: stamp, number: number, rtt: rtt)
    }

    /// Converts decimal seconds to nanoseconds, exactly: a double has too few digits.
    private static func nanoseconds(_ field: Substring) -> Int64? {
        let parts = field.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard field.utf8.count <= 24, let seconds = Int64(parts[0]), seconds >= 0,
            seconds < 9_000_000_000
        else { return nil }
        var fraction: Int64 = 0
        if parts.count == 2 {
            let digits = parts[1].prefix(9)
            guard !digits.isEmpty, let value = Int64(digits), digits.first?.isNumber == true else {
                return nil
            }
            fraction = value
            for _ in digits.utf8.count..<9 { fraction *= 10 }
        }
        return seconds * 1_000_000_000 + fraction
    }

    /// The word after `key=`, `key<` or `key ` in a line.
    private static func value(after key: String, in line: Substring) -> Substring? {
        for mark in ["=", "<", " "] {
            guard let found = line.firstRange(of: key + mark) else { continue }
            let word = line[found.upperBound...].prefix {
                $0.isASCII && ($0.isNumber || $0 == "." || $0 == "-")
            }
            if !word.isEmpty { return word }
        }
        return nil
    }
}
