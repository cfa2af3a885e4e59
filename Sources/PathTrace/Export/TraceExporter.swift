import PathLearning
import PathTelemetry

/// The tables that can be exported from a trace.
public enum TraceExportTable: String, Sendable, CaseIterable {
    /// One row per decision, with its distribution and its outcome.
    case decisions
    /// One row per candidate of each decision, with all features by name.
    case candidates
    case sessions, paths, samples, events
}

/// Writes the rows of a trace as CSV, JSON Lines or dsjson, in pieces.
public struct TraceExporter {
    /// Size at which a piece is passed on, bytes.
    private static let pieceBytes = 1 << 16

    private let reader: TraceReader
    private let session: SessionID?

    /// - Parameter session: only this session's rows; nil for all.
    public init(_ reader: TraceReader, session: SessionID? = nil) {
        self.reader = reader
        self.session = session
    }

    /// Passes the rows of one table to `write`, piece by piece, in the trace's order.
    ///
    /// - Parameter progress: called with the number of written decisions and of all decisions.
    /// - Throws: `.exportFailed`, also if a table other than decisions is requested as dsjson.
    public func export(
        _ table: TraceExportTable, as format: TraceExportFormat,
        progress: (_ done: Int, _ of: Int) -> Void = { _, _ in },
        write: ([UInt8]) throws(TraceError) -> Void
    ) throws(TraceError) {
        let all = try reader.announcedDecisions()
        var done = 0
        func step() {
            done += 1
            if done & 0xfff == 0 { progress(done, all) }
        }
        if format == .dsjson {
            guard table == .decisions else {
                throw .exportFailed(reason: "dsjson holds decisions, not \(table.rawValue)")
            }
            return try exportDecisionService(step, write)
        }
        var text = RowText(format: format, columns: columns(of: table))
        func flush(_ text: inout RowText, atLeast bytes: Int) throws(TraceError) {
            guard text.bytes.count >= bytes, !text.bytes.isEmpty else { return }
            try write(text.bytes)
            text.removeAll()
        }
        switch table {
        case .decisions:
            try reader.forEachDecision(of: session) { decision throws(TraceError) in
                step()
                TraceExporter.row(decision, into: &text)
                try flush(&text, atLeast: TraceExporter.pieceBytes)
            }
        case .candidates:
            try reader.forEachDecision(of: session) { decision throws(TraceError) in
                step()
                for index in 0..<decision.record.candidates.count {
                    TraceExporter.row(decision, candidate: index, into: &text)
                }
                try flush(&text, atLeast: TraceExporter.pieceBytes)
            }
        case .sessions:
            for recorded in try reader.sessions() where session == nil || recorded.id == session {
                TraceExporter.row(recorded, into: &text)
            }
        case .paths:
            for recorded in try reader.paths(of: session) {
                TraceExporter.row(recorded, into: &text)
            }
        case .samples:
            try reader.forEachSample(of: session) { id, sample throws(TraceError) in
                TraceExporter.row(id, sample, into: &text)
                try flush(&text, atLeast: TraceExporter.pieceBytes)
            }
        case .events:
            try reader.forEachEvent(of: session) { id, event throws(TraceError) in
                TraceExporter.row(id, event, into: &text)
                try flush(&text, atLeast: TraceExporter.pieceBytes)
            }
        }
        try flush(&text, atLeast: 0)
    }

    private func exportDecisionService(
        _ step: () -> Void, _ write: ([UInt8]) throws(TraceError) -> Void
    ) throws(TraceError) {
        let sessions = Dictionary(
            try reader.sessions().map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        var info: RecordedSession?
        var text = DecisionServiceText(names: reader.schema.names)
        try reader.forEachDecision(of: session) { decision throws(TraceError) in
            if info?.id != decision.session {
                info = sessions[decision.session]
            }
            step()
            text.append(decision, session: info?.info)
            guard text.bytes.count >= TraceExporter.pieceBytes else { return }
            try write(text.bytes)
            text.removeAll()
        }
        if !text.bytes.isEmpty { try write(text.bytes) }
    }

    private func columns(of table: TraceExportTable) -> [String] {
        switch table {
        case .decisions:
            [
                "session", "number", "time_ns", "class", "planned_bytes", "deadline_ns",
                "current_path",
                "candidates", "action", "propensity", "forced", "draw", "actions",
                "probabilities", "predicted_s", "delivery_s", "late", "outcome_deadline_s",
                "packets", "lost", "closed_ns", "bytes", "bytes_by_path",
            ]
        case .candidates:
            [
                "session", "number", "path", "chosen", "predicted_s", "smoothed_rtt_s",
                "rtt_variation_s", "unanswered_age_s", "loss_rate", "rate", "room",
                "bytes_in_flight", "congestion_window", "weight", "price_per_gb", "rate_limit",
                "backup", "kind",
            ]
                + (0..<FeatureVector.count).map {
                    $0 < reader.schema.names.count ? reader.schema.names[$0] : "feature_\($0)"
                }
        case .sessions:
            [
                "id", "started_unix_ns", "started_ns", "ended_ns", "role", "peer", "policy",
                "model_hash", "seed", "program_version", "command",
            ]
        case .paths:
            [
                "session", "path", "name", "local", "remote", "weight", "price_per_gb",
                "rate_limit", "backup", "kind", "added_ns", "removed_ns",
            ]
        case .samples:
            [
                "session", "time_ns", "path", "state", "smoothed_rtt_ns", "rtt_variation_ns",
                "latest_rtt_ns", "min_rtt_ns", "bytes_in_flight", "congestion_window",
                "pacing_rate", "delivery_rate", "pacing_delay_ns", "oldest_unanswered_ns",
                "last_reply_ns", "probe_timeouts",
            ]
        case .events: ["session", "time_ns", "kind", "path", "text", "value"]
        }
    }
}
