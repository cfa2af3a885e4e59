import CSQLite
import PathLearning
import PathTelemetry

/// The decisions of a trace one after the other, by session and number, each with its outcome.
///
/// Holds one row at a time, whatever the size of the trace.
public struct DecisionCursor: ~Copyable {
    private let statement: Statement
    private let reader: TraceReader
    /// True once the file itself could not be read any further.
    private(set) var isBroken = false

    init(reader: TraceReader, session: SessionID?) throws(TraceError) {
        self.reader = reader
        var condition = ""
        if let session {
            let first = Int64(session.rawValue) << 40
            condition = "WHERE d.id BETWEEN \(first) AND \(first + (1 << 40) - 1)"
        }
        statement = try reader.database.prepare(
            """
            SELECT d.id, d.time_ns, d.class, d.bytes, d.deadline_ns, d.current_path, d.forced,
                d.chosen, d.draw, d.probabilities, d.actions, d.candidates, d.features,
                o.decision, o.delivery_s, o.late, o.deadline_s, o.packets, o.lost, o.closed_ns,
                d.action, d.propensity, d.path
                FROM decisions d LEFT JOIN outcomes o ON o.decision = d.id
                \(condition) ORDER BY d.id
            """, while: "reading the decisions")
    }

    /// Reads the next decision over the previous one.
    ///
    /// - Returns: false at the end.
    /// - Throws: `TraceError.damaged` with the session and number of a row that makes no sense.
    public mutating func next(into decision: inout LoggedDecision) throws(TraceError) -> Bool {
        let code = statement.step()
        if code == SQLITE_DONE { return false }
        guard code == SQLITE_ROW else {
            isBroken = true
            throw reader.database.readError(code, while: "reading the decisions")
        }
        let row = statement.int(0)
        let session = row >> 40
        guard session > 0, session < Int64(SessionID.limit) else {
            throw reader.damaged("a decision has the row number \(row)")
        }
        decision.session = SessionID(rawValue: UInt32(session))
        decision.record.number = UInt64(row & 0xff_ffff_ffff)
        decision.record.time = Instant(nanoseconds: statement.int(1))
        decision.record.draw = statement.double(8)
        try readBurst(into: &decision)
        try readCandidates(into: &decision)
        try readDistribution(into: &decision)
        if statement.isNull(13) {
            decision.outcome = nil
        } else {
            decision.outcome = Outcome(
                decision: decision.record.number, delivery: statement.optionalDouble(14),
                isLate: statement.int(15) != 0, deadline: statement.double(16),
                packets: try reader.count(statement.int(17), "packets"),
                lostPackets: try reader.count(statement.int(18), "lost"),
                closedAt: Instant(nanoseconds: statement.int(19)))
        }
        return true
    }

    /// What the columns for SQL say of the decision read last.
    var columns: DecisionChecks.Columns {
        DecisionChecks.Columns(
            action: statement.int(20), propensity: statement.double(21),
            path: statement.optionalInt(22))
    }

    private func damaged(_ decision: borrowing LoggedDecision, _ what: String) -> TraceError {
        reader.damaged(
            "decision \(decision.record.number) of session \(decision.session.rawValue) " + what)
    }

    private func readBurst(into decision: inout LoggedDecision) throws(TraceError) {
        let word = statement.text(2)
        guard let trafficClass = TrafficClass.allCases.first(where: { $0.name == word }) else {
            throw damaged(decision, "has the class '\(word)'")
        }
        var current: PathID?
        if let path = statement.optionalInt(5) {
            guard path >= 0, path < Int64(PathID.limit) else {
                throw damaged(decision, "has the current path \(path)")
            }
            current = PathID(rawValue: UInt8(path))
        }
        decision.record.burst = BurstContext(
            bytes: try reader.count(statement.int(3), "bytes"),
            deadline: TimeDelta(nanoseconds: statement.int(4)),
            trafficClass: trafficClass, currentPath: current)
    }

    private func readCandidates(into decision: inout LoggedDecision) throws(TraceError) {
        let candidates = statement.blob(11)
        let features = statement.blob(12)
        let count = candidates.count / FrameLayout.candidateBytes
        guard count <= PathID.limit, count * FrameLayout.candidateBytes == candidates.count,
            features.count == count * FrameLayout.featureBytes
        else {
            throw damaged(
                decision,
                "has \(candidates.count) bytes of candidates, \(features.count) of features")
        }
        decision.record.candidates.removeAll()
        guard count > 0, let candidates = candidates.baseAddress,
            let features = features.baseAddress
        else { return }
        for index in 0..<count {
            var reader = FrameReader(pointer: candidates + index * FrameLayout.candidateBytes)
            let path = reader.take(UInt8.self)
            let kind = LinkKind(rawValue: reader.take(UInt8.self))
            guard path < UInt8(PathID.limit), let kind else {
                throw damaged(decision, "has a candidate with the path number \(path)")
            }
            var candidate = Candidate(path: PathID(rawValue: path))
            candidate.traits.kind = kind
            candidate.traits.isBackup = reader.take(UInt8.self) != 0
            reader.pointer += 5
            candidate.predictedDelivery = reader.takeDouble()
            candidate.smoothedRTT = reader.takeDouble()
            candidate.rttVariation = reader.takeDouble()
            candidate.unansweredAge = reader.takeDouble()
            candidate.lossRate = reader.takeDouble()
            candidate.rate = reader.takeDouble()
            candidate.room = try self.reader.count(reader.takeInt(), "room")
            candidate.bytesInFlight = try self.reader.count(reader.takeInt(), "bytes in flight")
            candidate.congestionWindow = try self.reader.count(reader.takeInt(), "window")
            candidate.traits.weight = reader.takeDouble()
            candidate.traits.pricePerGB = reader.takeDouble()
            candidate.traits.rateLimit = reader.takeDouble()
            reader = FrameReader(pointer: features + index * FrameLayout.featureBytes)
            for feature in 0..<FeatureVector.count {
                candidate.features[feature] = reader.takeDouble()
            }
            decision.record.candidates.append(candidate)
        }
    }

    private func readDistribution(into decision: inout LoggedDecision) throws(TraceError) {
        let probabilities = statement.blob(9)
        let actions = statement.blob(10)
        let count = actions.count / 2
        let chosen = statement.int(7)
        guard count * 2 == actions.count, probabilities.count == count * 8,
            count <= ActionDistribution.capacity
        else {
            throw damaged(
                decision,
                "has \(actions.count) bytes of actions, \(probabilities.count) of probabilities")
        }
        guard chosen >= 0, chosen < Int64(count) else {
            throw damaged(decision, "chose action \(chosen) of \(count)")
        }
        var distribution = ActionDistribution()
        if let actions = actions.baseAddress, let probabilities = probabilities.baseAddress {
            var action = FrameReader(pointer: actions)
            var probability = FrameReader(pointer: probabilities)
            for _ in 0..<count {
                distribution.append(
                    PathSet(rawValue: UInt16(littleEndian: action.take(UInt16.self))),
                    probability.takeDouble())
            }
        }
        decision.record.decision = Decision(
            distribution: distribution, chosen: Int(chosen), isForced: statement.int(6) != 0)
    }
}

extension TraceReader {
    /// The decisions of one session, or of all, in order.
    public func decisions(of session: SessionID? = nil) throws(TraceError) -> DecisionCursor {
        try DecisionCursor(reader: self, session: session)
    }

    /// Calls `body` with every decision of one session, or of all, in order.
    public func forEachDecision(
        of session: SessionID? = nil,
        _ body: (borrowing LoggedDecision) throws(TraceError) -> Void
    ) throws(TraceError) {
        var cursor = try decisions(of: session)
        var decision = LoggedDecision.empty
        while try cursor.next(into: &decision) { try body(decision) }
    }
}
