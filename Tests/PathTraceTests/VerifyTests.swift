import CSQLite
import PathTelemetry
import PathTrace
import Testing

/// Runs SQL on a trace behind its reader's back.
func edit(_ path: String, _ sql: String) throws {
    var database: OpaquePointer?
    try #require(sqlite3_open(path, &database) == SQLITE_OK)
    defer { sqlite3_close(database) }
    let code = sqlite3_exec(database, sql, nil, nil, nil)
    try #require(code == SQLITE_OK, "\(String(cString: sqlite3_errmsg(database)))")
}

@Suite struct VerifyTests {
    @Test func aSoundTraceHasNoIssues() throws {
        let scratch = Scratch()
        try writeSoundTrace(to: scratch.file())
        let report = try TraceVerifier(TraceReader(path: scratch.file())).verify()
        #expect(report.issues == [])
        #expect(report.isSound)
        #expect(report.decisions == 200)
        #expect(report.outcomes == 180)
    }

    struct Plant: CustomTestStringConvertible, Sendable {
        var sql: String
        var kind: TraceIssue.Kind
        var decision: UInt64?
        var testDescription: String { "\(kind): \(sql)" }
    }

    static let row = (1 << 40) + 5
    static let double = "x'000000000000f03f'"  // 1.0, little-endian

    @Test(arguments: [
        Plant(
            sql:
                "UPDATE decisions SET probabilities = zeroblob(24), propensity = 0 WHERE id=\(row)",
            kind: .probabilities, decision: 5),
        Plant(
            sql:
                "UPDATE decisions SET probabilities = zeroblob(24), propensity = 0 WHERE id=\(row)",
            kind: .chosen, decision: 5),
        Plant(
            sql: "UPDATE decisions SET probabilities ="
                + " CAST(\(double)||\(double)||\(double) AS BLOB) WHERE id=\(row)",
            kind: .probabilities, decision: 5),
        Plant(
            sql: "UPDATE decisions SET propensity = 0.3 WHERE id=\(row)", kind: .chosen,
            decision: 5),
        Plant(sql: "UPDATE decisions SET draw = 1.5 WHERE id=\(row)", kind: .chosen, decision: 5),
        Plant(
            sql: "UPDATE decisions SET actions = x'010001000400' WHERE id=\(row)", kind: .action,
            decision: 5),
        Plant(
            sql: "UPDATE decisions SET actions = x'010002000008' WHERE id=\(row)", kind: .action,
            decision: 5),
        Plant(sql: "UPDATE decisions SET time_ns = 0 WHERE id=\(row)", kind: .time, decision: 5),
        Plant(sql: "UPDATE decisions SET bytes = 0 WHERE id=\(row)", kind: .burst, decision: 5),
        Plant(sql: "UPDATE decisions SET chosen = 3 WHERE id=\(row)", kind: .file),
        Plant(sql: "UPDATE decisions SET class = 'other' WHERE id=\(row)", kind: .file),
        Plant(sql: "UPDATE decisions SET features = x'00' WHERE id=\(row)", kind: .file),
        Plant(
            sql: "UPDATE decisions SET candidates = CAST(substr(candidates, 1, 104)"
                + " || substr(candidates, 1, 104) || substr(candidates, 209) AS BLOB)"
                + " WHERE id=\(row)", kind: .candidates, decision: 5),
        Plant(
            sql: "UPDATE decisions SET features = CAST(x'000000000000f07f'"
                + " || substr(features, 9) AS BLOB) WHERE id=\(row)", kind: .features, decision: 5),
        Plant(
            sql: "UPDATE outcomes SET closed_ns = 0 WHERE decision=\(row)", kind: .outcome,
            decision: 5),
        Plant(
            sql: "UPDATE outcomes SET late = 1, delivery_s = 0.1, deadline_s = 0.2"
                + " WHERE decision=\(row)", kind: .outcome, decision: 5),
        Plant(
            sql: "UPDATE outcomes SET late = 0, delivery_s = NULL WHERE decision=\(row)",
            kind: .outcome, decision: 5),
        Plant(
            sql: "UPDATE outcomes SET lost = packets + 1 WHERE decision=\(row)", kind: .outcome,
            decision: 5),
        Plant(sql: "DELETE FROM decisions WHERE id=\(row)", kind: .orphan, decision: 5),
        Plant(sql: "DELETE FROM sessions WHERE id=1", kind: .session),
        Plant(sql: "UPDATE sessions SET ended_ns = 0 WHERE id=1", kind: .session),
        Plant(sql: "UPDATE paths SET removed_ns = 0 WHERE path=1", kind: .path),
        Plant(sql: "UPDATE paths SET session = 9 WHERE path=1", kind: .path),
        Plant(sql: "UPDATE path_samples SET time_ns = 0 WHERE rowid=20", kind: .sample),
        Plant(sql: "UPDATE events SET session = 9", kind: .event),
    ])
    func everyPlantedFaultIsFound(plant: Plant) throws {
        let scratch = Scratch()
        try writeSoundTrace(to: scratch.file(), decisions: 20)
        try edit(scratch.file(), plant.sql)
        let report = try TraceVerifier(TraceReader(path: scratch.file())).verify()
        let found = report.issues.filter { $0.kind == plant.kind }
        #expect(!found.isEmpty, "\(report.issues)")
        if let decision = plant.decision {
            #expect(found.allSatisfy { $0.decision == decision && $0.session?.rawValue == 1 })
        }
    }

    @Test func manyIssuesAreCountedButNotAllListed() throws {
        let scratch = Scratch()
        try writeSoundTrace(to: scratch.file())
        try edit(scratch.file(), "UPDATE decisions SET draw = -1")
        let report = try TraceVerifier(TraceReader(path: scratch.file())).verify()
        #expect(report.counts == [.chosen: 200])
        #expect(report.issues.count == TraceReport.listed)
    }

    @Test func infoCountsWhatIsThere() throws {
        let scratch = Scratch()
        try writeSoundTrace(to: scratch.file())
        let info = try TraceReader(path: scratch.file()).info()
        #expect(info.policies == ["earliest", "lin-ucb"])
        #expect(info.decisions == 200)
        #expect(info.outcomes == 180)
        #expect(info.samples == 200)
        #expect(info.events == 2)
        #expect(info.drops.total == 0)
        #expect(info.formatVersion == 1)
        #expect(
            info.sessions.map { $0.paths.map(\.info.name) } == [
                ["dsl", "lte", "sat"], ["dsl", "lte", "sat"],
            ])
        #expect(abs(info.sessions[0].decisionRate - 20) < 1e-9)
        #expect(abs(info.sessions[0].duration - 4.999999) < 1e-5)
        #expect(info.fileBytes == bytes(of: scratch.file())?.count)
    }
}
