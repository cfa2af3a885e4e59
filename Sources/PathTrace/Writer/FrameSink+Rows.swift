import CSQLite
import Glibc
import PathTelemetry

extension FrameSink {
    func write(_ control: WriterCore.Control) throws(TraceError) {
        try beginIfNeeded()
        switch control {
        case .begin(let id, let info):
            insertSession.bind(1, Int64(id.rawValue))
            insertSession.bind(2, info.startedWallClock)
            insertSession.bind(3, info.started.nanoseconds)
            insertSession.bind(4, info.role)
            insertSession.bind(5, info.peer)
            insertSession.bind(6, info.policy)
            insertSession.bind(7, info.modelHash)
            insertSession.bind(8, String(info.seed))
            insertSession.bind(9, info.programVersion)
            insertSession.bind(10, info.command)
            try execute(insertSession)
        case .end(let id, let time):
            endSession.bind(1, Int64(id.rawValue))
            endSession.bind(2, time.nanoseconds)
            try execute(endSession)
        }
        bytesSinceCheckpoint += 64
    }

    func write(drops: TraceRing.Drops, ring: Int) throws(TraceError) {
        try beginIfNeeded()
        insertDrops.bind(1, nanoseconds(of: CLOCK_REALTIME))
        insertDrops.bind(2, ring)
        insertDrops.bind(3, Int64(clamping: drops.decisions))
        insertDrops.bind(4, Int64(clamping: drops.outcomes))
        insertDrops.bind(5, Int64(clamping: drops.samples))
        insertDrops.bind(6, Int64(clamping: drops.events))
        try execute(insertDrops)
    }

    func write(
        _ kind: FrameKind, session: SessionID, frame: UnsafeRawPointer
    ) throws(TraceError) {
        try beginIfNeeded()
        var reader = FrameReader(pointer: frame)
        switch kind {
        case .padding: break
        case .decision: try writeDecision(session, &reader)
        case .outcome: try writeOutcome(session, &reader)
        case .sample: try writeSample(session, &reader)
        case .event: try writeEvent(session, &reader)
        case .pathAdded: try writePath(session, &reader)
        case .pathRemoved:
            removePath.bind(3, reader.takeInt())
            removePath.bind(1, Int64(session.rawValue))
            removePath.bind(2, reader.takeInt())
            try execute(removePath)
        }
        bytesSinceCheckpoint += 64
    }

    private func writeDecision(
        _ session: SessionID, _ reader: inout FrameReader
    ) throws(TraceError) {
        let number = UInt64(bitPattern: reader.takeInt())
        guard let row = TraceFormat.row(session: session, decision: number) else {
            statistics.refused += 1
            return
        }
        let statement = insertDecision.handle
        sqlite3_bind_int64(statement, 1, row)
        sqlite3_bind_int64(statement, 2, reader.takeInt())
        sqlite3_bind_int64(statement, 4, reader.takeInt())
        sqlite3_bind_int64(statement, 5, reader.takeInt())
        insertDecision.bind(12, reader.takeDouble())
        let isStream = reader.take(UInt8.self) == TrafficClass.stream.rawValue
        insertDecision.bind(3, constant: isStream ? "stream" : "message")
        let current = reader.take(UInt8.self)
        insertDecision.bind(6, optional: current == 255 ? nil : Int64(current))
        let candidates = Int(reader.take(UInt8.self))
        let actions = Int(reader.take(UInt8.self))
        let chosen = Int(reader.take(UInt8.self))
        insertDecision.bind(11, chosen)
        insertDecision.bind(10, Int64(reader.take(UInt8.self)))
        reader.pointer += 2

        let candidateBlob = reader.pointer
        let featureBlob = candidateBlob + candidates * FrameLayout.candidateBytes
        let probabilityBlob = featureBlob + candidates * FrameLayout.featureBytes
        let actionBlob = probabilityBlob + actions * 8
        let action = UInt16(
            littleEndian: actionBlob.loadUnaligned(fromByteOffset: chosen * 2, as: UInt16.self))
        insertDecision.bind(7, Int64(action))
        let propensity = UInt64(
            littleEndian: probabilityBlob.loadUnaligned(
                fromByteOffset: chosen * 8, as: UInt64.self))
        insertDecision.bind(9, Double(bitPattern: propensity))
        let path = PathSet(rawValue: action).first
        insertDecision.bind(8, optional: path.map { Int64($0.rawValue) })
        insertDecision.bindNull(13)
        var paths = PathSet.wait
        for index in 0..<candidates {
            let candidate = candidateBlob + index * FrameLayout.candidateBytes
            let id = PathID(rawValue: candidate.load(as: UInt8.self) & 15)
            paths.formUnion(PathSet(id))
            if id == path {
                let predicted = candidate.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
                insertDecision.bind(13, Double(bitPattern: UInt64(littleEndian: predicted)))
            }
        }
        insertDecision.bind(14, Int64(paths.rawValue))
        insertDecision.bindStatic(15, bytes: probabilityBlob, count: actions * 8)
        insertDecision.bindStatic(16, bytes: actionBlob, count: actions * 2)
        insertDecision.bindStatic(
            17, bytes: candidateBlob, count: candidates * FrameLayout.candidateBytes)
        insertDecision.bindStatic(
            18, bytes: featureBlob, count: candidates * FrameLayout.featureBytes)
        try executeUnlessPresent(insertDecision)
        bytesSinceCheckpoint += FrameLayout.decisionBytes(candidates: candidates, actions: actions)
    }

    private func writeOutcome(
        _ session: SessionID, _ reader: inout FrameReader
    ) throws(TraceError) {
        let number = UInt64(bitPattern: reader.takeInt())
        guard let row = TraceFormat.row(session: session, decision: number) else {
            statistics.refused += 1
            return
        }
        insertOutcome.bind(1, row)
        insertOutcome.bind(7, reader.takeInt())
        let delivery = reader.takeDouble()
        insertOutcome.bind(4, reader.takeDouble())
        insertOutcome.bind(5, reader.takeInt())
        insertOutcome.bind(6, reader.takeInt())
        insertOutcome.bind(3, Int64(UInt32(littleEndian: reader.take(UInt32.self))))
        let isDelivered = reader.take(UInt32.self) != 0
        insertOutcome.bind(2, optional: isDelivered ? delivery : nil)
        try executeUnlessPresent(insertOutcome)
    }

    /// As `execute`; a row whose number is taken is counted as refused and changes nothing.
    private func executeUnlessPresent(
        _ statement: Statement
    ) throws(TraceError) {
        try execute(statement)
        if sqlite3_changes(database.handle) == 0 { statistics.refused += 1 }
    }

    private func writeSample(
        _ session: SessionID, _ reader: inout FrameReader
    ) throws(TraceError) {
        insertSample.bind(1, Int64(session.rawValue))
        insertSample.bind(2, reader.takeInt())
        for column in Int32(5)...10 { insertSample.bind(column, reader.takeInt()) }
        insertSample.bind(11, reader.takeDouble())
        insertSample.bind(12, reader.takeDouble())
        insertSample.bind(13, reader.takeInt())
        let oldest = reader.takeInt()
        let reply = reader.takeInt()
        insertSample.bind(16, reader.takeInt())
        bindTraits(insertSample, first: 17, &reader)
        insertSample.bind(3, Int64(reader.take(UInt8.self)))
        let state = PathState(rawValue: reader.take(UInt8.self)) ?? .closed
        insertSample.bind(4, state.name)
        insertSample.bind(14, optional: reader.take(UInt8.self) == 0 ? nil : oldest)
        insertSample.bind(15, optional: reader.take(UInt8.self) == 0 ? nil : reply)
        try execute(insertSample)
    }

    private func writeEvent(
        _ session: SessionID, _ reader: inout FrameReader
    ) throws(TraceError) {
        insertEvent.bind(1, Int64(session.rawValue))
        insertEvent.bind(2, reader.takeInt())
        let value = reader.takeDouble()
        insertEvent.bind(6, optional: reader.take(UInt32.self) == 0 ? nil : value)
        let path = UInt32(littleEndian: reader.take(UInt32.self))
        insertEvent.bind(4, optional: path == 255 ? nil : Int64(path))
        insertEvent.bind(3, utf8: reader.takeText())
        insertEvent.bind(5, utf8: reader.takeText())
        try execute(insertEvent)
    }

    private func writePath(
        _ session: SessionID, _ reader: inout FrameReader
    ) throws(TraceError) {
        insertPath.bind(1, Int64(session.rawValue))
        insertPath.bind(11, reader.takeInt())
        bindTraits(insertPath, first: 6, &reader)
        insertPath.bind(2, Int64(UInt32(littleEndian: reader.take(UInt32.self))))
        insertPath.bind(3, utf8: reader.takeText())
        insertPath.bind(4, utf8: reader.takeText())
        insertPath.bind(5, utf8: reader.takeText())
        try execute(insertPath)
    }

    /// Five columns: weight, price, rate limit, backup, kind.
    private func bindTraits(
        _ statement: Statement, first: Int32, _ reader: inout FrameReader
    ) {
        for column in first...first + 2 { statement.bind(column, reader.takeDouble()) }
        let kind = UInt16(littleEndian: reader.take(UInt16.self))
        statement.bind(first + 3, Int64(UInt16(littleEndian: reader.take(UInt16.self))))
        let link = LinkKind(rawValue: UInt8(truncatingIfNeeded: kind)) ?? .unknown
        statement.bind(first + 4, constant: link.word)
    }
}
