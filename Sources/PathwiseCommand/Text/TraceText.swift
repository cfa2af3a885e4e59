import PathReport
import PathTelemetry
import PathTrace

/// The output of `trace`.
enum TraceText {
    static func info(_ info: TraceInfo) -> String {
        var text = """
            \(info.path): \(NumberText.bytes(Double(info.fileBytes))), format \
            \(info.formatVersion), recorded by pathwise \(EscapedText(info.programVersion))
            feature schema \(EscapedText(info.schema.hash)), \(info.schema.names.count) features

            """
        if let span = span(of: info) { text += span + "\n" }
        if info.decisions > 0 {
            text += "policies: \(EscapedText(info.policies.joined(separator: ", ")))\n"
        }
        text += "\(NumberText.counted(info.decisions, "decision")), "
        text += "\(NumberText.count(info.outcomes)) with an outcome, "
        text += "\(NumberText.counted(info.samples, "path sample")), "
        text += "\(NumberText.counted(info.events, "event"))\n"
        let shares = Set(info.sessions.map(\.session.info.share)).sorted()
        if let least = shares.first, let most = shares.last, least < 1 {
            text += "recorded with \(SessionSummary.percent(least))"
            if most > least { text += " to \(SessionSummary.percent(most))" }
            text += " of the decisions, chosen by chance\n"
        }
        if info.drops.total > 0 {
            text += "dropped while recording: "
            text += counted(info.drops.decisions, "decision") + ", "
            text += counted(info.drops.outcomes, "outcome") + ", "
            text += counted(info.drops.samples, "sample") + ", "
            text += counted(info.drops.events, "event") + "\n"
        }
        var sessions = TextTable([
            TextTable.Column("session"), TextTable.Column("role", .left),
            TextTable.Column("policy", .left), TextTable.Column("duration"),
            TextTable.Column("decisions"), TextTable.Column("a second"),
            TextTable.Column("paths", .left), TextTable.Column("end", .left),
        ])
        for session in info.sessions {
            sessions.add([
                String(session.session.id.rawValue), session.session.info.role,
                session.session.info.policy, NumberText.time(session.duration),
                NumberText.count(session.decisions), NumberText.short(session.decisionRate),
                session.paths.map(\.info.name).joined(separator: ", "),
                session.session.ended == nil ? "cut off" : "orderly",
            ])
        }
        return text + "\n" + sessions.text()
    }

    private static func counted(_ count: UInt64, _ what: String) -> String {
        NumberText.counted(Int(clamping: count), what)
    }

    /// The start of the first session, and the time until the end of the last.
    private static func span(of info: TraceInfo) -> String? {
        let sessions = info.sessions.filter { $0.session.info.startedWallClock > 0 }
        let first = sessions.map(\.session.info).min {
            $0.startedWallClock < $1.startedWallClock
        }
        let ends = sessions.map { Double($0.session.info.startedWallClock) * 1e-9 + $0.duration }
        guard let first, let last = ends.max() else { return nil }
        let length = last - Double(first.startedWallClock) * 1e-9
        return "from \(first.startedText) over \(NumberText.time(length))"
    }

    static func json(_ info: TraceInfo) -> JSONValue {
        [
            "trace": .string(info.path), "bytes": .count(info.fileBytes),
            "format_version": .count(info.formatVersion),
            "program_version": .string(info.programVersion),
            "schema": .string(info.schema.hash),
            "features": .array(info.schema.names.map { .string($0) }),
            "policies": .array(info.policies.map { .string($0) }),
            "decisions": .count(info.decisions), "outcomes": .count(info.outcomes),
            "samples": .count(info.samples), "events": .count(info.events),
            "dropped": [
                "decisions": .int(Int64(clamping: info.drops.decisions)),
                "outcomes": .int(Int64(clamping: info.drops.outcomes)),
                "samples": .int(Int64(clamping: info.drops.samples)),
                "events": .int(Int64(clamping: info.drops.events)),
            ],
            "sessions": .array(info.sessions.map(json)),
        ]
    }

    private static func json(_ session: TraceInfo.Session) -> JSONValue {
        let info = session.session.info
        return [
            "session": .count(Int(session.session.id.rawValue)),
            "role": .string(info.role), "peer": .string(info.peer),
            "policy": .string(info.policy), "model_hash": .string(info.modelHash),
            "seed": .string(String(info.seed)), "program_version": .string(info.programVersion),
            "command": .string(info.command),
            "started_unix_seconds": .number(Double(info.startedWallClock) * 1e-9),
            "seconds": .number(session.duration), "ended": .bool(session.session.ended != nil),
            "share": .number(info.share),
            "decisions": .count(session.decisions), "outcomes": .count(session.outcomes),
            "decisions_per_second": .number(session.decisionRate),
            "paths": .array(
                session.paths.map { path in
                    [
                        "path": .count(path.info.path.index), "name": .string(path.info.name),
                        "local": .string(path.info.local), "remote": .string(path.info.remote),
                        "weight": .number(path.info.traits.weight),
                        "price_per_gb": .number(path.info.traits.pricePerGB),
                        "rate_limit": .number(path.info.traits.rateLimit),
                        "backup": .bool(path.info.traits.isBackup),
                        "kind": .string("\(path.info.traits.kind)"),
                        "removed": .bool(path.removed != nil),
                    ]
                }),
        ]
    }

    static func merged(_ result: TraceMerger.Result, into output: String) -> String {
        "\(output): \(NumberText.counted(result.sessions, "session")) of "
            + "\(NumberText.counted(result.traces, "trace")), "
            + "\(NumberText.counted(result.decisions, "decision")), "
            + "\(NumberText.count(result.outcomes)) with an outcome\n"
    }

    static func json(_ result: TraceMerger.Result, into output: String) -> JSONValue {
        [
            "trace": .string(output), "traces": .count(result.traces),
            "sessions": .count(result.sessions), "decisions": .count(result.decisions),
            "outcomes": .count(result.outcomes),
        ]
    }

    static func imported(_ paths: [TraceImporter.ImportedPath], into output: String) -> String {
        var table = TextTable([
            TextTable.Column("path", .left), TextTable.Column("file", .left),
            TextTable.Column("format", .left), TextTable.Column("samples"),
        ])
        for path in paths {
            table.add([
                path.name, path.file, path.format.rawValue, NumberText.count(path.samples),
            ])
        }
        return "\(output):\n" + table.text()
    }

    static func json(
        _ paths: [TraceImporter.ImportedPath], into output: String
    ) -> JSONValue {
        [
            "trace": .string(output),
            "paths": .array(
                paths.enumerated().map { index, path in
                    [
                        "path": .count(index), "name": .string(path.name),
                        "file": .string(path.file), "format": .string(path.format.rawValue),
                        "samples": .count(path.samples),
                    ]
                }),
        ]
    }

    /// Warns on standard error of data in a trace that the command could not use.
    static func warn(of reader: TraceReader) throws {
        for sentence in try reader.orphans() {
            let line = "trace '\(reader.path)': \(sentence); 'pathwise trace verify' lists them"
            try? Console.standardError.write(CommandFailure("warning: " + line, .dataError).line)
        }
    }

    static func report(_ report: TraceReport, trace: String) -> String {
        var text = "\(trace): \(NumberText.counted(report.decisions, "decision")), "
        text += "\(NumberText.counted(report.outcomes, "outcome")), "
        guard !report.isSound else { return text + "sound\n" + coverage(report) }
        text += "\(NumberText.counted(report.issueCount, "contradiction"))\n"
        for issue in report.issues { text += "  \(EscapedText(issue.description))\n" }
        let unlisted = report.issueCount - report.issues.count
        if unlisted > 0 { text += "  and \(NumberText.count(unlisted)) more\n" }
        return text + coverage(report)
    }

    /// Describes the parts without checksums.
    private static func coverage(_ report: TraceReport) -> String {
        let all = report.checkedSessions + report.uncheckedSessions
        guard report.uncheckedSessions > 0 else { return "" }
        let which =
            report.checkedSessions == 0
            ? "the trace was"
            : "\(NumberText.count(report.uncheckedSessions)) of "
                + "\(NumberText.count(all)) sessions were"
        return """
            \(which) recorded without checksums: paths, samples, totals and events were only checked \
            for values that make sense; decisions and outcomes have hashes

            """
    }

    static func json(_ report: TraceReport, trace: String) -> JSONValue {
        [
            "trace": .string(trace), "sound": .bool(report.isSound),
            "decisions": .count(report.decisions), "outcomes": .count(report.outcomes),
            "contradictions": .count(report.issueCount),
            "sessions_with_checksums": .count(report.checkedSessions),
            "sessions_without_checksums": .count(report.uncheckedSessions),
            "counts": .object(
                TraceIssue.Kind.allCases.compactMap { kind in
                    report.counts[kind].map { (key: kind.rawValue, value: .count($0)) }
                }),
            "listed": .array(report.issues.map { .string($0.description) }),
        ]
    }
}
