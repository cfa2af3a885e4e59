import PathLearning
import PathTelemetry

/// An inconsistency in a trace.
public struct TraceIssue: Hashable, Sendable, CustomStringConvertible {
    /// What is wrong, as one word for counting.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        case file, session, path, probabilities, chosen, action, candidates, features, burst
        case time, outcome, orphan, rows, sample, event, checksum
    }

    public var kind: Kind
    public var session: SessionID?
    /// The decision's number, if it concerns one.
    public var decision: UInt64?
    public var what: String

    public var description: String {
        var place = ""
        if let session { place = "session \(session.rawValue)" }
        if let decision { place += ", decision \(decision)" }
        return place.isEmpty ? "\(kind.rawValue): \(what)" : "\(kind.rawValue): \(place): \(what)"
    }
}

/// The result of a verification.
public struct TraceReport: Sendable {
    /// The most issues of each kind that are listed; further ones are only counted.
    static let listed = 20

    public var issues: [TraceIssue] = []
    public var counts: [TraceIssue.Kind: Int] = [:]
    public var decisions = 0
    public var outcomes = 0
    /// Sessions whose rows match their checksums, and sessions without checksums, for which values
    /// outside the blocks could only be checked for plausibility.
    public var checkedSessions = 0
    public var uncheckedSessions = 0

    public var isSound: Bool { counts.isEmpty }
    public var issueCount: Int { counts.values.reduce(0, +) }

    mutating func add(
        _ kind: TraceIssue.Kind, session: SessionID? = nil, decision: UInt64? = nil, _ what: String
    ) {
        counts[kind, default: 0] += 1
        guard counts[kind, default: 0] <= TraceReport.listed else { return }
        issues.append(
            TraceIssue(kind: kind, session: session, decision: decision, what: what))
    }
}

/// Checks that a trace is consistent, in one pass and constant memory.
public struct TraceVerifier {
    /// How far the sum of probabilities may differ from one.
    public static let tolerance = 1e-9

    private let reader: TraceReader

    public init(_ reader: TraceReader) { self.reader = reader }

    /// Checks everything.
    ///
    /// - Parameter progress: called with the number of checked decisions and of all decisions.
    /// - Throws: only if the file cannot be read at all; errors in its content are reported.
    public func verify(
        progress: (_ done: Int, _ of: Int) -> Void = { _, _ in }
    ) throws(TraceError) -> TraceReport {
        var report = TraceReport()
        try checkFile(&report)
        try ColumnChecks.check(reader, &report)
        let sessions: [RecordedSession]
        let paths: [RecordedPath]
        do throws(TraceError) {
            sessions = try reader.sessions()
            paths = try reader.paths()
        } catch {
            // Without the sessions, everything else would be reported as belonging to none.
            report.add(.file, error.description)
            return report
        }
        for session in sessions {
            if let ended = session.ended, ended < session.info.started {
                report.add(.session, session: session.id, "ended before it started")
            }
        }
        let known = Set(sessions.map(\.id))
        try ChecksumChecks.check(reader, sessions: known, &report)
        for path in paths {
            if !known.contains(path.session) {
                report.add(.path, session: path.session, "a path of a missing session")
            }
            if let removed = path.removed, removed < path.info.added {
                report.add(
                    .path, session: path.session,
                    "path \(path.info.path.rawValue) was removed before it was added")
            }
        }
        try checkDecisions(known, &report, progress)
        try checkOrphans(&report)
        try checkStreams(known, &report)
        return report
    }

    private func checkFile(_ report: inout TraceReport) throws(TraceError) {
        do throws(TraceError) {
            try reader.rows("PRAGMA quick_check(20)", while: "checking the file") {
                row throws(TraceError) in
                let line = row.text(0)
                if line != "ok" { report.add(.file, line) }
            }
        } catch {
            report.add(.file, error.description)
        }
    }

    private func checkDecisions(
        _ known: Set<SessionID>, _ report: inout TraceReport,
        _ progress: (_ done: Int, _ of: Int) -> Void
    ) throws(TraceError) {
        let total = try reader.announcedDecisions()
        var cursor = try DecisionBatchCursor(
            reader: reader, session: nil, columns: [.outcomes, .candidates, .distributions],
            takesOrphans: true)
        var batch = DecisionBatch()
        var rows = try RowChecks(reader)
        var previous: (session: SessionID, time: Instant)?
        var decision = LoggedDecision.empty
        while true {
            do throws(TraceError) {
                guard try cursor.next(into: &batch) else { return }
            } catch {
                report.add(.file, error.description)
                if cursor.isBroken { return }
                continue
            }
            let session = batch.session
            if previous?.session != session {
                previous = nil
                if !known.contains(session) {
                    report.add(
                        .session, session: session, "decisions of a missing session")
                }
            }
            rows.begin()
            for index in 0..<batch.count {
                batch.fill(&decision, from: index)
                rows.add(decision.record)
                if let before = previous, decision.record.time < before.time {
                    report.add(
                        .time, session: session, decision: decision.record.number,
                        "earlier than the one before it")
                }
                previous = (session, decision.record.time)
                check(decision, &report)
            }
            if let what = try rows.issue(of: cursor.block, cursor.outcomes) {
                report.add(
                    .rows, session: session, decision: batch.numbers[0],
                    "in its block " + what)
            }
            progress(report.decisions, total)
        }
    }

    private func check(_ decision: borrowing LoggedDecision, _ report: inout TraceReport) {
        report.decisions += 1
        for (kind, what) in DecisionChecks.issues(decision.record) {
            report.add(
                kind, session: decision.session, decision: decision.record.number, what)
        }
        guard let outcome = decision.outcome else { return }
        report.outcomes += 1
        for what in DecisionChecks.issues(outcome, of: decision.record) {
            report.add(
                .outcome, session: decision.session, decision: decision.record.number, what)
        }
    }

    private func checkOrphans(_ report: inout TraceReport) throws(TraceError) {
        // An outcome whose decision was dropped is no inconsistency.
        do throws(TraceError) {
            var allowed = try reader.drops().decisions
            try reader.rows(
                "SELECT decision FROM stray_outcomes", while: "reading the stray outcomes"
            ) { row throws(TraceError) in
                if allowed > 0 {
                    allowed -= 1
                    return
                }
                let id = row.int(0)
                report.add(
                    .orphan, session: SessionID(rawValue: UInt32(truncatingIfNeeded: id >> 40)),
                    decision: UInt64(bitPattern: id & 0xff_ffff_ffff),
                    "an outcome without its decision")
            }
            for table in ["outcome_blocks", "decision_rows"] {
                try reader.rows(
                    """
                    SELECT block FROM \(table)
                        WHERE NOT EXISTS (SELECT 1 FROM decision_blocks WHERE id = block)
                    """, while: "matching '\(table)' with the blocks"
                ) { row throws(TraceError) in
                    let id = row.int(0)
                    report.add(
                        .orphan,
                        session: SessionID(rawValue: UInt32(truncatingIfNeeded: id >> 40)),
                        decision: UInt64(bitPattern: id & 0xff_ffff_ffff),
                        "a row of '\(table)' without its block")
                }
            }
        } catch {
            report.add(.file, error.description)
        }
    }

    private func checkStreams(
        _ known: Set<SessionID>, _ report: inout TraceReport
    ) throws(TraceError) {
        do throws(TraceError) {
            // The samples of one path ascend in time; an import writes one path after the other.
            struct Place: Hashable {
                var session: SessionID
                var path: PathID
            }
            var last: [Place: Instant] = [:]
            try reader.forEachSample { session, sample in
                if !known.contains(session) {
                    report.add(.sample, session: session, "of a missing session")
                }
                let place = Place(session: session, path: sample.snapshot.path)
                if let before = last[place], sample.time < before {
                    report.add(
                        .sample, session: session,
                        "earlier than the one before it on path \(place.path.rawValue)")
                }
                last[place] = sample.time
            }
            try reader.forEachEvent { session, event in
                if !known.contains(session) {
                    report.add(.event, session: session, "of a missing session")
                }
            }
        } catch {
            report.add(.file, error.description)
        }
    }
}
