import CSQLite
import PathTelemetry
import Testing

@testable import PathTrace

/// Kinds of damage of a trace, and what each command that reads traces reports.
struct DamagedTraceTests {
    private let scratch = Scratch()
    private var trace: String { scratch.file("t.trace") }

    enum Answer: Sendable {
        /// Exit code 65, and words that the error contains.
        case refused(String)
        /// Exit code 0, and words of the warning.
        case warned(String)
        case silent
    }

    struct Damage: CustomTestStringConvertible, Sendable {
        var sql: String
        var info: Answer
        var export: Answer
        var events: Answer
        var evaluate: Answer
        var train: Answer
        var testDescription: String { sql }
    }

    private static let block = "the block of session 1 from decision 0 on"

    static let damages = [
        // A damaged byte of a block, which every reader of blocks reports.
        Damage(
            sql: """
                UPDATE decision_blocks SET data = CAST(substr(data, 1, 99) || CASE hex(substr(data,
                    100, 1)) WHEN '00' THEN x'01' ELSE x'00' END || substr(data, 101) AS BLOB)
                    WHERE id = 1 << 40
                """, info: .silent, export: .refused(block), events: .silent,
            evaluate: .refused(block), train: .refused(block)),
        Damage(
            sql: """
                UPDATE outcome_blocks SET data = CAST(substr(data, 1, 29) || CASE hex(substr(data,
                    30, 1)) WHEN '00' THEN x'01' ELSE x'00' END || substr(data, 31) AS BLOB)
                    WHERE block = 1 << 40
                """, info: .silent, export: .refused(block), events: .silent,
            evaluate: .refused(block), train: .refused(block)),
        Damage(
            sql: "UPDATE decision_blocks SET last_ns = last_ns + 1 WHERE id = 1 << 40",
            info: .silent, export: .refused(block), events: .silent, evaluate: .refused(block),
            train: .refused(block)),
        Damage(
            sql: "UPDATE decision_blocks SET count = 9999 WHERE id = 1 << 40",
            info: .refused("has the count"), export: .refused(block), events: .silent,
            evaluate: .refused(block), train: .refused("has the count")),
        Damage(
            sql: "INSERT INTO decision_blocks SELECT id + (8 << 40), count, last_number, first_ns, "
                + "last_ns, data FROM decision_blocks WHERE id = 1 << 40",
            info: .warned("belong to missing sessions"),
            export: .refused("session 9"), events: .warned("belong to missing sessions"),
            evaluate: .refused("session 9"), train: .warned("belong to missing sessions")
        ),
        // Values that only a checksum covers, which every reader of the table reports.
        Damage(
            sql: "UPDATE sessions SET seed = '77'", info: .refused("'sessions'"), export: .silent,
            events: .silent, evaluate: .refused("'sessions'"), train: .refused("'sessions'")),
        Damage(
            sql: "UPDATE paths SET price_per_gb = price_per_gb + 1 WHERE path = 0",
            info: .refused("'paths'"), export: .silent, events: .silent,
            evaluate: .refused("'paths'"), train: .refused("'paths'")),
        Damage(
            sql: "UPDATE events SET text = 'other'", info: .silent, export: .silent,
            events: .refused("'events'"), evaluate: .silent, train: .silent),
        Damage(
            sql: "UPDATE meta SET value = value || ' ' WHERE key = 'schema'",
            info: .refused("'meta'"), export: .refused("'meta'"), events: .refused("'meta'"),
            evaluate: .refused("'meta'"), train: .refused("'meta'")),
        // Damage that no reader of decisions meets.
        Damage(
            sql: "DELETE FROM decision_blocks WHERE id > 1 << 40",
            info: .warned("belong to missing decisions"),
            export: .warned("belong to missing decisions"),
            events: .warned("belong to missing decisions"),
            evaluate: .warned("belong to missing decisions"),
            train: .warned("belong to missing decisions")),
        Damage(
            sql: "UPDATE decision_rows SET rows = '[]' WHERE block = 1 << 40", info: .silent,
            export: .silent, events: .silent, evaluate: .silent, train: .silent),
    ]

    @Test(arguments: damages)
    func everyCommandSaysWhatItMeets(damage: Damage) throws {
        var world = World(seed: 5)
        try world.write(1_200, to: trace)
        let writer = try TraceWriter(
            path: trace, schema: .current, programVersion: "1", ifExists: .append)
        let session = writer.beginSession(
            SessionInfo(startedWallClock: 1, started: .zero, role: "send", policy: "steady"))
        writer.makeRing(whenFull: .wait).record(
            TraceEvent(time: .zero, kind: .note, text: "said"), session: session)
        writer.endSession(session, at: .zero)
        try writer.close()
        #expect(try Pathwise.run("trace", "verify", trace).status == 0)

        var database: OpaquePointer?
        try #require(sqlite3_open(trace, &database) == SQLITE_OK)
        try #require(sqlite3_exec(database, damage.sql, nil, nil, nil) == SQLITE_OK)
        sqlite3_close(database)
        #expect(try Pathwise.run("trace", "verify", trace).status == 65)

        for (answer, command) in [
            (damage.info, ["trace", "info", trace]), (damage.export, ["trace", "export", trace]),
            (damage.events, ["trace", "export", trace, "--table", "events"]),
            (damage.evaluate, ["evaluate", trace, "--policy", "steady"]),
            (damage.train, ["train", trace, "--output", scratch.file("m.safetensors")]),
        ] {
            let run = try Pathwise(command).wait()
            let name = command.prefix(2).joined(separator: " ")
            switch answer {
            case .refused(let words):
                #expect(run.status == 65, "\(name): \(run.status) \(run.errors)")
                #expect(run.errors.contains(words), "\(name): \(run.errors)")
                #expect(run.errors.contains("is damaged"), "\(name): \(run.errors)")
            case .warned(let words):
                #expect(run.status == 0, "\(name): \(run.status) \(run.errors)")
                #expect(run.errors.hasPrefix("pathwise: warning: "), "\(name): \(run.errors)")
                #expect(run.errors.contains(words), "\(name): \(run.errors)")
            case .silent:
                #expect(run.status == 0, "\(name): \(run.status) \(run.errors)")
                #expect(run.errors.isEmpty, "\(name): \(run.errors)")
            }
        }
    }
}
