import CSQLite
import PathTrace
import Testing

@testable import PathLearning
@testable import PathTelemetry

/// Rows of a query as text, columns joined by `|`.
func query(_ path: String, _ sql: String) throws -> [String] {
    var database: OpaquePointer?
    try #require(sqlite3_open(path, &database) == SQLITE_OK)
    defer { sqlite3_close(database) }
    var statement: OpaquePointer?
    try #require(
        sqlite3_prepare_v2(database, sql, -1, &statement, nil) == SQLITE_OK,
        "\(String(cString: sqlite3_errmsg(database)))")
    defer { sqlite3_finalize(statement) }
    var rows: [String] = []
    while sqlite3_step(statement) == SQLITE_ROW {
        let cells = (0..<sqlite3_column_count(statement)).map { column in
            sqlite3_column_text(statement, column).map { String(cString: $0) } ?? "-"
        }
        rows.append(cells.joined(separator: "|"))
    }
    return rows
}

@Suite struct ViewTests {
    /// Ten decisions half a second apart, alternating between two paths; every fourth is late.
    private func write(to path: String) throws {
        var generator = SeededGenerator(seed: 6)
        let writer = try TraceWriter(path: path, schema: testSchema, programVersion: "1")
        let ring = writer.makeRing()
        let session = writer.beginSession(sessionInfo())
        for index in 0..<2 {
            ring.record(
                added: PathInfo(
                    path: PathID(index), name: ["dsl", "lte"][index], local: "", remote: "",
                    traits: generator.traits(), added: Instant(nanoseconds: 1_000)),
                session: session)
        }
        for number in 0..<10 {
            let time = Instant(nanoseconds: 1_000) + .milliseconds(Int64(number) * 500)
            var decision = generator.soundDecision(number: UInt64(number), time: time)
            decision.decision.chosen = number % 2
            // The planned bytes differ from the sent bytes.
            decision.burst.bytes = 60_000
            decision.burst.trafficClass = .message
            ring.record(decision, session: session)
            var outcome = generator.outcome(of: UInt64(number), at: time + .milliseconds(150))
            outcome.isLate = number % 4 == 3
            outcome.deadline = 0.15
            outcome.delivery = outcome.isLate ? nil : 0.01 * Double(number + 1)
            outcome.packets = 4
            outcome.lostPackets = 1
            outcome.bytes = PathBytes()
            outcome.bytes.add(number % 2 == 0 ? 2900 : 900, to: PathID(number % 2))
            // A retransmission on the other path.
            outcome.bytes.add(100, to: PathID((number + 1) % 2))
            ring.record(outcome, session: session)
        }
        ring.record(
            TraceEvent(
                time: Instant(nanoseconds: 1_000) + .milliseconds(1250), kind: .failover,
                path: PathID(1), text: "moved", value: 0.25), session: session)
        try writer.close()
    }

    @Test func commonQuestionsAreOneLine() throws {
        let scratch = Scratch()
        let path = scratch.file()
        try write(to: path)
        #expect(
            try query(
                path,
                """
                SELECT second, path_name, decisions, bytes, round(share, 3)
                    FROM path_shares WHERE second < 2
                """)
                == [
                    "0|dsl|1|3000|0.75", "0|lte|1|1000|0.25", "1|dsl|1|3000|0.75",
                    "1|lte|1|1000|0.25",
                ]
        )
        #expect(
            try query(
                path,
                "SELECT class, path_name, decisions, closed, late, late_share FROM late_shares")
                == ["message|dsl|5|5|0|0.0", "message|lte|5|5|2|0.4"])
        #expect(
            try query(
                path,
                """
                SELECT path_name, decisions, bytes, round(mean_delivery_s, 4), packets, lost
                    FROM path_summaries
                """) == ["dsl|5|15000|0.05|20|5", "lte|5|5000|0.06|20|5"])
        #expect(
            try query(
                path,
                "SELECT number, path_name, bytes FROM path_bytes WHERE number < 2 ORDER BY 1, 3")
                == ["0|lte|100", "0|dsl|2900", "1|dsl|100", "1|lte|900"])
        #expect(
            try query(path, "SELECT DISTINCT planned_bytes, bytes FROM decision_outcomes")
                == ["60000|3000", "60000|1000"])
        #expect(
            try query(path, "SELECT closed, p50_s, p99_s FROM delivery_percentiles")
                == ["10|0.06|0.15"]
                || query(path, "SELECT closed, p50_s, p99_s FROM delivery_percentiles")
                    == ["10|0.07|0.15"]
        )
        #expect(
            try query(path, "SELECT round(time_s, 3), kind, path_name, text, value FROM timeline")
                == ["1.25|failover|lte|moved|0.25"])
        #expect(
            try query(
                path,
                """
                SELECT number, round(time_s, 2), path_name, late, time_to_close_s
                    FROM decision_outcomes WHERE number IN (3, 4)
                """) == ["3|1.5|lte|1|0.15", "4|2.0|dsl|0|0.05"])
        #expect(
            try query(path, "SELECT session, (last_ns - started_ns) / 1000000 FROM session_times")
                == ["1|4500"])
    }

    @Test func everyViewCanBeRead() throws {
        let scratch = Scratch()
        try writeSoundTrace(to: scratch.file(), decisions: 30)
        let views = try query(
            scratch.file(), "SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name")
        #expect(views.count == 12)
        for view in views {
            #expect(try !query(scratch.file(), "SELECT * FROM \(view)").isEmpty, "\(view)")
        }
    }
}
