import CSQLite
import Glibc
import PathTelemetry

/// The output of `iperf3 --json`; each interval gives one sample per direction, at its end.
///
/// `delivery_rate` is `bits_per_second / 8` of the direction's sum (`sum`, or `sum_bidir_reverse`);
/// RTT, its variation and the congestion window are those of the direction's first stream if the
/// client sends, since a receiver does not know them. Intervals marked `omitted` are left out;
/// those after them count from zero again and are shifted behind them. SQLite's JSON functions
/// parse it.
struct IperfFile {
    /// The direction of a sum's data, from the client's point of view.
    enum Direction: String {
        case forward, reverse
    }

    /// Largest file; it holds hours of intervals.
    private static let byteLimit = 256 << 20

    /// The measured directions, in the order of their paths.
    let directions: [Direction]
    /// When the test began, nanoseconds since 1970, if the file says so.
    let started: Int64?

    private let file: String
    private let database: Database

    init(_ file: String) throws(TraceError) {
        self.file = file
        database = try IperfFile.open(file)
        let seconds = try database.integer(
            "SELECT json_extract(text, '$.start.timestamp.timesecs') FROM input",
            while: "reading JSON")
        started = seconds.flatMap {
            $0 > 0 && $0 < 9_000_000_000 ? $0 * 1_000_000_000 : nil
        }
        let isBoth = try IperfFile.count(
            "json_type(i.value, '$.sum_bidir_reverse') = 'object'", database)
        let isReverse = try IperfFile.count("json_extract(i.value, '$.sum.sender') = 0", database)
        directions =
            isBoth > 0 ? [.forward, .reverse] : isReverse > 0 ? [.reverse] : [.forward]
    }

    private static func count(
        _ condition: String, _ database: Database
    ) throws(TraceError) -> Int64 {
        try database.integer(
            """
            SELECT count(*) FROM input, json_each(input.text, '$.intervals') i
                WHERE CASE WHEN i.type = 'object' THEN \(condition) ELSE 0 END
            """, while: "reading JSON") ?? 0
    }

    private static func open(_ file: String) throws(TraceError) -> Database {
        guard let text = try LineFile.content(of: file, limit: byteLimit) else {
            throw .importRefused(path: file, line: 0, what: "it is larger than 256 MiB")
        }
        let database = try Database(path: ":memory:", mode: .create)
        sqlite3_limit(database.handle, SQLITE_LIMIT_LENGTH, Int32(byteLimit + (1 << 20)))
        try database.run("CREATE TABLE input (text TEXT)")
        let insert = try database.prepare("INSERT INTO input VALUES (?)", while: "reading JSON")
        let isBound: Bool = text.withUnsafeBytes {
            insert.bindStatic(1, text: $0)
            return insert.step() == SQLITE_DONE
        }
        let isJSON =
            isBound
            ? try database.integer("SELECT json_valid(text) FROM input", while: "reading JSON") : 0
        guard isJSON == 1 else {
            throw .importRefused(path: file, line: 0, what: "it is not valid JSON")
        }
        let intervals = try database.integer(
            """
            SELECT json_array_length(text, '$.intervals') FROM input
                WHERE json_type(text, '$.intervals') = 'array'
            """, while: "reading JSON")
        guard let intervals, intervals > 0 else {
            let error = try database.text(
                "SELECT json_extract(text, '$.error') FROM input", while: "reading JSON")
            throw .importRefused(
                path: file, line: 0,
                what: "it has no 'intervals', so iperf3 measured nothing"
                    + (error.map { $0.isEmpty ? "" : " (\($0.prefix(80)))" } ?? ""))
        }
        return database
    }

    // MARK: Intervals

    func read(
        _ direction: Direction, origin: Int64, _ body: (PathSample) throws(TraceError) -> Void
    ) throws(TraceError) {
        let start =
            started.map { Instant(nanoseconds: $0) - TimeDelta(nanoseconds: origin) } ?? .zero
        let sum = direction == .reverse && directions.count > 1 ? "sum_bidir_reverse" : "sum"
        let sender = direction == .forward ? 1 : 0
        let statement = try database.prepare(
            """
            SELECT json_extract(value, '$.\(sum).end'), bits, json_extract(stream, '$.rtt'),
                    json_extract(stream, '$.rttvar'), json_extract(stream, '$.snd_cwnd'), key,
                    json_extract(value, '$.\(sum).start'),
                    coalesce(json_extract(value, '$.\(sum).omitted'), 0)
                FROM (SELECT i.key, i.value,
                        json_extract(i.value, '$.\(sum).bits_per_second') AS bits,
                        coalesce(
                            (SELECT s.value FROM json_each(i.value, '$.streams') s
                                WHERE s.type = 'object'
                                    AND json_extract(s.value, '$.sender') = \(sender)
                                ORDER BY s.key LIMIT 1),
                            json_extract(i.value, '$.streams[0]')) AS stream
                    FROM input, json_each(input.text, '$.intervals') i) ORDER BY key
            """, while: "reading JSON")
        var least = Double.infinity
        var omittedEnd = 0.0
        var shift: Double?
        var previous = -Double.infinity
        var isEmpty = true
        while true {
            let code = statement.step()
            if code == SQLITE_DONE { break }
            guard code == SQLITE_ROW else {
                throw refusal("an interval cannot be read")
            }
            let place = "interval \(statement.int(5))"
            guard let end = try number(statement, 0, place, "\(sum).end", below: 1e9),
                let rate = try number(statement, 1, place, "\(sum).bits_per_second", below: 1e15)
            else { throw refusal("\(place) has no '\(sum)' with end and bits_per_second") }
            guard statement.int(7) == 0 else {
                omittedEnd = max(omittedEnd, end)
                continue
            }
            // iperf3 counts from zero again after the omitted intervals.
            let begin = try number(statement, 6, place, "\(sum).start", below: 1e9) ?? end
            let offset = shift ?? (begin < omittedEnd ? omittedEnd : 0)
            shift = offset
            guard end >= previous else { throw refusal("\(place) ends before the one before it") }
            previous = end
            isEmpty = false
            var sample = PathSample.measured(at: start + TimeDelta(seconds: offset + end))
            sample.snapshot.deliveryRate = rate / 8
            if let rtt = try number(statement, 2, place, "rtt", below: 1e12) {
                least = min(least, rtt)
                sample.snapshot.smoothedRTT = TimeDelta(seconds: rtt * 1e-6)
                sample.snapshot.latestRTT = sample.snapshot.smoothedRTT
                sample.snapshot.minRTT = TimeDelta(seconds: least * 1e-6)
            }
            let variation = try number(statement, 3, place, "rttvar", below: 1e12)
            sample.snapshot.rttVariation = TimeDelta(seconds: (variation ?? 0) * 1e-6)
            let window = try number(statement, 4, place, "snd_cwnd", below: 1e15)
            sample.snapshot.congestionWindow = Int(window ?? 0)
            try body(sample)
        }
        guard !isEmpty else { throw refusal("all its intervals are marked as omitted") }
    }

    private func refusal(_ what: String) -> TraceError {
        .importRefused(path: file, line: 0, what: what)
    }

    /// Reads a number from zero up to a limit; nil if none exists.
    private func number(
        _ row: Statement, _ column: Int32, _ place: String, _ name: String, below limit: Double
    ) throws(TraceError) -> Double? {
        guard !row.isNull(column) else { return nil }
        let isNumber = [SQLITE_INTEGER, SQLITE_FLOAT].contains(
            sqlite3_column_type(row.handle, column))
        let value = row.double(column)
        guard isNumber, value >= 0, value < limit else {
            throw refusal("\(place) has an invalid '\(name)'")
        }
        return value
    }
}
