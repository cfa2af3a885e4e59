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
            let limit = TraceFormat.textLimit
            insertSession.bind(4, info.role, limit: limit)
            insertSession.bind(5, info.peer, limit: limit)
            insertSession.bind(6, info.policy, limit: limit)
            insertSession.bind(7, info.modelHash, limit: limit)
            insertSession.bind(8, String(info.seed))
            insertSession.bind(9, info.programVersion, limit: limit)
            insertSession.bind(10, info.command, limit: TraceFormat.commandLimit)
            try execute(insertSession, checksums.begin)
            if info.share < 1 { try writeShare(info.share, id, info.started) }
        case .end(let id, let time):
            endSession.bind(1, Int64(id.rawValue))
            endSession.bind(2, time.nanoseconds)
            try execute(endSession, checksums.end)
            sessions[id]?.isEnded = true
            learning[id] = nil
        }
        bytesSinceCheckpoint += 64
    }

    /// Says that not every decision of a session is recorded.
    private func writeShare(
        _ share: Double, _ session: SessionID, _ time: Instant
    ) throws(TraceError) {
        insertEvent.bind(1, Int64(session.rawValue))
        insertEvent.bind(2, time.nanoseconds)
        insertEvent.bind(3, TraceEventKind.sampling.rawValue)
        insertEvent.bindNull(4)
        insertEvent.bind(5, "each decision is recorded with this probability")
        insertEvent.bind(6, share)
        try execute(insertEvent)
    }

    func write(drops: TraceRing.Drops, ring: Int) throws(TraceError) {
        try beginIfNeeded()
        insertDrops.bind(1, nanoseconds(of: CLOCK_REALTIME))
        insertDrops.bind(2, ring)
        insertDrops.bind(3, Int64(clamping: drops.decisions))
        insertDrops.bind(4, Int64(clamping: drops.outcomes))
        insertDrops.bind(5, Int64(clamping: drops.samples))
        insertDrops.bind(6, Int64(clamping: drops.events))
        try execute(insertDrops, checksums.addDrops)
    }

    func write(
        _ kind: FrameKind, session: SessionID, frame: UnsafeRawPointer
    ) throws(TraceError) {
        try beginIfNeeded()
        switch kind {
        case .padding: return
        case .decision:
            let frame = DecisionFrame(frame)
            if !frame.isForced { learning[session, default: LearningWindow()].add(frame) }
            return try add(frame, session, now: transactionTime)
        case .outcome: return try add(OutcomeFrame(frame), session)
        case .sample: try writeSample(session, frame)
        case .event: try writeEvent(session, frame)
        case .pathAdded: try writePath(session, frame)
        case .pathRemoved:
            var reader = FrameReader(pointer: frame)
            removePath.bind(3, reader.takeInt())
            removePath.bind(1, Int64(session.rawValue))
            removePath.bind(2, reader.takeInt())
            try execute(removePath, checksums.removePath)
        }
        statistics.records += 1
        bytesSinceCheckpoint += 128
    }

    private func writeSample(
        _ session: SessionID, _ frame: UnsafeRawPointer
    ) throws(TraceError) {
        var reader = FrameReader(pointer: frame)
        insertSample.bind(1, Int64(session.rawValue))
        let time = reader.takeInt()
        insertSample.bind(2, time)
        for column in Int32(5)...10 { insertSample.bind(column, reader.takeInt()) }
        insertSample.bind(11, reader.takeDouble())
        insertSample.bind(12, reader.takeDouble())
        insertSample.bind(13, reader.takeInt())
        let oldest = reader.takeInt()
        let reply = reader.takeInt()
        insertSample.bind(16, reader.takeInt())
        bindTraits(insertSample, first: 17, &reader)
        let path = Int64(reader.take(UInt8.self))
        insertSample.bind(3, path)
        let state = PathState(rawValue: reader.take(UInt8.self)) ?? .closed
        insertSample.bind(4, state.name)
        insertSample.bind(14, optional: reader.take(UInt8.self) == 0 ? nil : oldest)
        insertSample.bind(15, optional: reader.take(UInt8.self) == 0 ? nil : reply)
        try execute(insertSample)
        guard reader.takeInt() != 0 else { return }
        insertTotals.bind(1, Int64(session.rawValue))
        insertTotals.bind(2, path)
        insertTotals.bind(3, time)
        for column in Int32(4)...8 { insertTotals.bind(column, reader.takeInt()) }
        try execute(insertTotals)
        try checksums.changeTotals(of: Int64(session.rawValue))
    }

    private func writeEvent(
        _ session: SessionID, _ frame: UnsafeRawPointer
    ) throws(TraceError) {
        var reader = FrameReader(pointer: frame)
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
        _ session: SessionID, _ frame: UnsafeRawPointer
    ) throws(TraceError) {
        var reader = FrameReader(pointer: frame)
        insertPath.bind(1, Int64(session.rawValue))
        insertPath.bind(11, reader.takeInt())
        bindTraits(insertPath, first: 6, &reader)
        insertPath.bind(2, Int64(UInt32(littleEndian: reader.take(UInt32.self))))
        insertPath.bind(3, utf8: reader.takeText())
        insertPath.bind(4, utf8: reader.takeText())
        insertPath.bind(5, utf8: reader.takeText())
        try execute(insertPath, checksums.addPath)
    }

    /// Binds five columns: weight, price, rate limit, backup, kind.
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
