import CSQLite
import PathTelemetry
import Testing

@testable import PathLearning
@testable import PathTrace

/// Runs SQL on a trace without its reader.
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
        #expect(report.checkedSessions == 2)
        #expect(report.uncheckedSessions == 0)
    }

    /// A fault planted into decision 5 of session 1 before it is recorded, or into the file.
    struct Plant: CustomTestStringConvertible, Sendable {
        var name: String
        var kind: TraceIssue.Kind
        var decision: UInt64?
        var sql: String?
        var change: Change?
        var testDescription: String { "\(kind): \(name)" }

        init(_ name: String, _ kind: TraceIssue.Kind, _ change: @escaping Change) {
            self.name = name
            self.kind = kind
            self.change = change
            decision = 5
        }

        init(sql: String, _ kind: TraceIssue.Kind) {
            name = sql
            self.sql = sql
            self.kind = kind
        }
    }

    private static func distribution(
        _ actions: [UInt16], _ probabilities: [Double]
    ) -> ActionDistribution {
        var distribution = ActionDistribution()
        for (action, probability) in zip(actions, probabilities) {
            distribution.append(PathSet(rawValue: action), probability)
        }
        return distribution
    }

    static let recorded = [
        Plant("probabilities of zero", .probabilities) { decision, _ in
            decision.decision.distribution = distribution([1, 2, 4], [0, 0, 0])
            return true
        },
        Plant("an action of probability zero taken", .chosen) { decision, _ in
            decision.decision = Decision(
                distribution: distribution([1, 2, 4], [0, 0.5, 0.5]), chosen: 0)
            return true
        },
        Plant("probabilities that sum to three", .probabilities) { decision, _ in
            decision.decision.distribution = distribution([1, 2, 4], [1, 1, 1])
            return true
        },
        Plant("a probability that is no number", .probabilities) { decision, _ in
            decision.decision.distribution = distribution([1, 2, 4], [0.5, 0.5, .nan])
            return true
        },
        Plant("a draw above one", .chosen) { decision, _ in
            decision.draw = 1.5
            return true
        },
        Plant("an action twice", .action) { decision, _ in
            decision.decision.distribution = distribution([1, 1, 4], [0.5, 0.25, 0.25])
            return true
        },
        Plant("an action over another path", .action) { decision, _ in
            decision.decision.distribution = distribution([1, 2, 2048], [0.5, 0.25, 0.25])
            return true
        },
        Plant("a time before the last one", .time) { decision, _ in
            decision.time = .zero
            return true
        },
        Plant("a burst of nothing", .burst) { decision, _ in
            decision.burst.bytes = 0
            return true
        },
        Plant("a path that is a candidate twice", .candidates) { decision, _ in
            decision.candidates[1].path = decision.candidates[0].path
            return true
        },
        Plant("an infinite feature", .features) { decision, _ in
            decision.candidates[0].features[3] = .infinity
            return true
        },
        Plant("closed before it was decided", .outcome) { _, outcome in
            outcome.closedAt = .zero
            return true
        },
        Plant("in time yet late", .outcome) { _, outcome in
            outcome.isLate = true
            outcome.delivery = 0.1
            outcome.deadline = 0.2
            return true
        },
        Plant("not delivered yet in time", .outcome) { _, outcome in
            outcome.isLate = false
            outcome.delivery = nil
            return true
        },
        Plant("more lost than sent", .outcome) { _, outcome in
            outcome.lostPackets = outcome.packets + 1
            return true
        },
        Plant("an outcome without its decision", .orphan) { _, _ in false },
    ]

    static let inFile = [
        Plant(sql: "DELETE FROM sessions WHERE id=1", .session),
        Plant(sql: "UPDATE sessions SET ended_ns = 0 WHERE id=1", .session),
        Plant(sql: "UPDATE paths SET removed_ns = 0 WHERE path=1", .path),
        Plant(sql: "UPDATE paths SET session = 9 WHERE path=1", .path),
        Plant(
            sql: """
                UPDATE path_samples SET time_ns = 0 WHERE rowid = (SELECT max(rowid)
                    FROM path_samples GROUP BY session, path HAVING count(*) > 1 LIMIT 1)
                """, .sample),
        Plant(sql: "UPDATE events SET session = 9", .event),
        Plant(sql: "UPDATE decision_blocks SET count = count + 1", .file),
        Plant(sql: "UPDATE decision_blocks SET last_ns = 5", .file),
        Plant(sql: "UPDATE decision_blocks SET data = zeroblob(64)", .file),
        Plant(sql: "UPDATE decision_blocks SET data = substr(data, 1, 100)", .file),
        Plant(sql: "UPDATE decision_blocks SET data = substr(data, 1, length(data) - 1)", .file),
        Plant(sql: "UPDATE decision_blocks SET data = CAST(data || x'00' AS BLOB)", .file),
        Plant(sql: "UPDATE outcome_blocks SET data = zeroblob(9)", .file),
        Plant(sql: "UPDATE decision_blocks SET id = id + 1", .file),
        Plant(sql: "DELETE FROM decision_blocks WHERE id < 1 << 41", .orphan),
        Plant(sql: "DELETE FROM decision_rows", .rows),
        Plant(sql: "UPDATE decision_rows SET rows = replace(rows, '0', '1')", .rows),
        Plant(sql: "UPDATE decision_rows SET first_ns = 1", .rows),
        Plant(sql: "UPDATE outcome_blocks SET rows = '[]'", .rows),
        Plant(sql: "UPDATE outcome_blocks SET count = 3", .rows),
    ]

    @Test(arguments: recorded + inFile)
    func everyPlantedFaultIsFound(plant: Plant) throws {
        let scratch = Scratch()
        try writeSoundTrace(to: scratch.file(), decisions: 20, change: plant.change)
        // Without checksums, which would detect any fault of the file.
        if let sql = plant.sql { try edit(scratch.file(), sql + "; DELETE FROM checksums") }
        let report = try TraceVerifier(TraceReader(path: scratch.file())).verify()
        let found = report.issues.filter { $0.kind == plant.kind }
        #expect(!found.isEmpty, "\(report.issues)")
        if let decision = plant.decision {
            #expect(
                found.contains { $0.decision == decision && $0.session?.rawValue == 1 },
                "\(report.issues)")
        }
    }

    @Test func manyIssuesAreCountedButNotAllListed() throws {
        let scratch = Scratch()
        let writer = try TraceWriter(
            path: scratch.file(), schema: testSchema, programVersion: "1")
        let ring = writer.makeRing(whenFull: .wait)
        let session = writer.beginSession(sessionInfo())
        var generator = SeededGenerator(seed: 8)
        for number in 0..<200 {
            var decision = generator.soundDecision(number: UInt64(number), time: .zero)
            decision.draw = -1
            ring.record(decision, session: session)
        }
        try writer.close()
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
        #expect(info.formatVersion == 4)
        #expect(
            info.sessions.map { $0.paths.map(\.info.name) } == [
                ["dsl", "lte", "sat"], ["dsl", "lte", "sat"],
            ])
        #expect(abs(info.sessions[0].decisionRate - 20) < 1e-9)
        #expect(abs(info.sessions[0].duration - 4.999999) < 1e-5)
        #expect(info.fileBytes == bytes(of: scratch.file())?.count)
    }
}
