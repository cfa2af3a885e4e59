import CSQLite
import Glibc
import PathTelemetry

/// What `iperf3 --json` prints: a sample an interval, at its end.
///
/// `delivery_rate` is `sum.bits_per_second / 8`; RTT, its variation and the congestion window are
/// those of the first stream, where the sender's side tells them. SQLite's JSON functions read it.
enum IperfFile {
    /// Larger files are refused: hours of intervals fit into this.
    private static let byteLimit = 256 << 20

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
            throw .importRefused(path: file, line: 0, what: "it is no valid JSON")
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

    static func started(_ file: String) throws(TraceError) -> Int64? {
        let database = try open(file)
        let seconds = try database.integer(
            "SELECT json_extract(text, '$.start.timestamp.timesecs') FROM input",
            while: "reading JSON")
        guard let seconds, seconds > 0, seconds < 9_000_000_000 else { return nil }
        return seconds * 1_000_000_000
    }

    static func read(
        _ file: String, origin: Int64, _ body: (PathSample) throws(TraceError) -> Void
    ) throws(TraceError) {
        let offset = try started(file).map { $0.subtractingReportingOverflow(origin).partialValue }
        let database = try open(file)
        let statement = try database.prepare(
            """
            SELECT json_extract(i.value, '$.sum.end'), json_extract(i.value, '$.sum.bits_per_second'),
                json_extract(i.value, '$.streams[0].rtt'),
                json_extract(i.value, '$.streams[0].rttvar'),
                json_extract(i.value, '$.streams[0].snd_cwnd'), i.key
                FROM input, json_each(input.text, '$.intervals') i ORDER BY i.key
            """, while: "reading JSON")
        var least = Double.infinity
        while true {
            let code = statement.step()
            if code == SQLITE_DONE { return }
            let place = "interval \(statement.int(5))"
            func number(_ column: Int32, _ name: String, below limit: Double) throws(TraceError)
                -> Double?
            {
                guard !statement.isNull(column) else { return nil }
                let isNumber = [SQLITE_INTEGER, SQLITE_FLOAT].contains(
                    sqlite3_column_type(statement.handle, column))
                let value = statement.double(column)
                guard isNumber, value >= 0, value < limit else {
                    throw .importRefused(
                        path: file, line: 0, what: "\(place) has a '\(name)' that is no such number"
                    )
                }
                return value
            }
            guard code == SQLITE_ROW else {
                throw .importRefused(path: file, line: 0, what: "an interval cannot be read")
            }
            guard let end = try number(0, "sum.end", below: 1e9),
                let rate = try number(1, "sum.bits_per_second", below: 1e15)
            else {
                throw .importRefused(
                    path: file, line: 0, what: "\(place) has no 'sum' with end and bits_per_second")
            }
            var sample = PathSample.measured(
                at: Instant(nanoseconds: offset ?? 0) + TimeDelta(seconds: end))
            sample.snapshot.deliveryRate = rate / 8
            if let rtt = try number(2, "rtt", below: 1e12) {
                least = min(least, rtt)
                sample.snapshot.smoothedRTT = TimeDelta(seconds: rtt * 1e-6)
                sample.snapshot.latestRTT = sample.snapshot.smoothedRTT
                sample.snapshot.minRTT = TimeDelta(seconds: least * 1e-6)
            }
            let variation = try number(3, "rttvar", below: 1e12)
            sample.snapshot.rttVariation = TimeDelta(seconds: (variation ?? 0) * 1e-6)
            sample.snapshot.congestionWindow = Int(try number(4, "snd_cwnd", below: 1e15) ?? 0)
            try body(sample)
        }
    }
}
