import CSQLite
import PathTelemetry

/// Collects decisions and outcomes in memory and writes them as blocks with each commit.
extension FrameSink {
    /// A block that has `wholeBlock` decisions when it is written is complete; one with fewer keeps
    /// growing and is rewritten until it is `blockAge` nanoseconds old.
    private static let wholeBlock = 256
    private static let blockAge: Int64 = 1_000_000_000

    func blocks(of session: SessionID) -> SessionBlocks {
        if let found = lastBlocks, found.session == session { return found }
        if let found = sessions[session] {
            lastBlocks = found
            return found
        }
        let found = SessionBlocks(session: session)
        found.lastNumber = endedSessions[session]
        sessions[session] = found
        lastBlocks = found
        return found
    }

    func add(_ frame: DecisionFrame, _ session: SessionID, now: Int64) throws(TraceError) {
        let blocks = blocks(of: session)
        guard session.rawValue < SessionID.limit, frame.number < TraceFormat.decisionLimit,
            frame.number > blocks.lastNumber ?? 0 || blocks.lastNumber == nil
        else {
            statistics.refused += 1
            return
        }
        if blocks.builder.isFull {
            try write(blocks)
            blocks.close()
        }
        if blocks.builder.count == 0 { blocks.begun = now }
        blocks.builder.add(frame)
        blocks.lastNumber = frame.number
        blocks.hasNewDecisions = true
        statistics.records += 1
    }

    func add(_ frame: OutcomeFrame, _ session: SessionID) throws(TraceError) {
        guard session.rawValue < SessionID.limit, frame.number < TraceFormat.decisionLimit else {
            statistics.refused += 1
            return
        }
        let blocks = blocks(of: session)
        guard frame.number <= blocks.lastNumber ?? 0, blocks.lastNumber != nil else {
            if blocks.early.count == SessionBlocks.earlyLimit {
                try writeStray(blocks.early.removeFirst(), session)
            }
            blocks.early.append(frame)
            return
        }
        var isNew = blocks.add(frame)
        if isNew == nil, try readBack(frame.number, blocks) { isNew = blocks.add(frame) }
        switch isNew {
        case true?: statistics.records += 1
        case false?: statistics.refused += 1
        case nil: try writeStray(frame, session)
        }
    }

    /// Writes the collected records of all sessions; `isLast` completes every block.
    func writeBlocks(now: Int64, isLast: Bool = false) throws(TraceError) {
        // The order of a dictionary differs from run to run.
        for blocks in sessions.values.sorted(by: { $0.session < $1.session }) {
            if !blocks.early.isEmpty { try settleEarly(blocks, isLast: isLast) }
            let isDone =
                blocks.builder.count >= FrameSink.wholeBlock
                || now &- blocks.begun >= FrameSink.blockAge || isLast || blocks.isEnded
                || completesBlocks
            if blocks.isDirty { try write(blocks) }
            if blocks.builder.count > 0, isDone { blocks.close() }
            if blocks.isEnded, blocks.early.isEmpty { release(blocks) }
        }
    }

    /// Frees the memory of a session that has ended; its late records are still accepted.
    private func release(_ blocks: SessionBlocks) {
        endedSessions[blocks.session] = blocks.lastNumber
        sessions[blocks.session] = nil
        lastBlocks = nil
    }

    /// Assigns early outcomes whose decisions have arrived since.
    private func settleEarly(_ blocks: SessionBlocks, isLast: Bool) throws(TraceError) {
        let waiting = blocks.early
        blocks.early.removeAll()
        for frame in waiting {
            if isLast, frame.number > blocks.lastNumber ?? 0 || blocks.lastNumber == nil {
                try writeStray(frame, blocks.session)
            } else {
                try add(frame, blocks.session)
            }
        }
    }

    private func write(_ blocks: SessionBlocks) throws(TraceError) {
        if blocks.hasNewDecisions {
            let builder = blocks.builder
            builder.encode(into: &data)
            insertBlock.bind(1, blocks.openID)
            insertBlock.bind(2, builder.count)
            insertBlock.bind(3, Int64(bitPattern: builder.lastNumber))
            insertBlock.bind(4, builder.firstTime)
            insertBlock.bind(5, builder.lastTime)
            insertBlock.bindStatic(6, bytes: data.base, count: data.count)
            try execute(insertBlock)
            bytesSinceCheckpoint += data.count
            insertRows.bind(1, blocks.openID)
            insertRows.bind(2, builder.firstTime)
            let failure: TraceError? = builder.withText { text in
                insertRows.bindStatic(3, text: text)
                bytesSinceCheckpoint += text.count
                do throws(TraceError) { try execute(insertRows) } catch { return error }
                return nil
            }
            if let failure { throw failure }
            blocks.hasNewDecisions = false
        }
        if blocks.hasNewOutcomes {
            try write(blocks.outcomes, of: blocks.openID, after: blocks.builder.firstTime)
            blocks.hasNewOutcomes = false
        }
        for index in blocks.closed.indices where blocks.closed[index].isDirty {
            let closed = blocks.closed[index]
            try write(closed.outcomes, of: closed.id, after: closed.firstTime)
            blocks.closed[index].isDirty = false
        }
        blocks.closed.removeAll { $0.outcomes.count == $0.count }
        let surplus = blocks.closed.count - SessionBlocks.closedLimit
        if surplus > 0 { blocks.closed.removeFirst(surplus) }
    }

    private func write(
        _ outcomes: borrowing OutcomeStore, of block: Int64, after firstTime: Int64
    ) throws(TraceError) {
        outcomes.encode(after: firstTime, into: &data, text: &text)
        insertOutcomes.bind(1, block)
        insertOutcomes.bind(2, outcomes.count)
        insertOutcomes.bindStatic(3, bytes: data.base, count: data.count)
        insertOutcomes.bindStatic(4, text: text.bytes)
        try execute(insertOutcomes)
        bytesSinceCheckpoint += data.count + text.count
    }

    /// Reads the block of a decision back, with its outcomes.
    private func readBack(
        _ number: UInt64, _ blocks: SessionBlocks
    ) throws(TraceError) -> Bool {
        let row = Int64(blocks.session.rawValue) << 40 | Int64(number)
        findBlock.bind(1, row)
        defer { findBlock.reset() }
        guard findBlock.step() == SQLITE_ROW else { return false }
        let id = findBlock.int(0)
        guard id >> 40 == Int64(blocks.session.rawValue), row & 0xff_ffff_ffff <= findBlock.int(1),
            blocks.builder.count == 0 || id != blocks.openID,
            !blocks.closed.contains(where: { $0.id == id })
        else { return false }
        var batch = DecisionBatch()
        var decoder = DecisionBlockDecoder(columns: [])
        var outcomes = OutcomeStore()
        do throws(BlockFault) {
            try decoder.decode(findBlock.blob(2), session: blocks.session, into: &batch)
            if !findBlock.isNull(3) {
                try outcomes.decode(findBlock.blob(3), limit: batch.count)
            }
        } catch {
            throw .damaged(path: path, what: "a block written before " + error.what)
        }
        outcomes.resize(batch.count)
        let first = batch.numbers[0]
        var gaps: [Int64] = []
        if batch.numbers[batch.count - 1] != first &+ UInt64(batch.count - 1) {
            gaps = batch.numbers.enumerated().map {
                Int64(bitPattern: $1 &- first &- UInt64($0))
            }
        }
        let place = blocks.closed.firstIndex { $0.firstNumber > first } ?? blocks.closed.count
        blocks.closed.insert(
            SessionBlocks.Closed(
                id: id, firstNumber: first, firstTime: batch.times[0].nanoseconds,
                count: batch.count, gaps: gaps, outcomes: outcomes), at: place)
        if blocks.closed.count > 2 * SessionBlocks.closedLimit { try write(blocks) }
        return true
    }

    /// Writes an outcome without a decision, which was dropped or is yet to come.
    private func writeStray(
        _ frame: OutcomeFrame, _ session: SessionID
    ) throws(TraceError) {
        insertStray.bind(1, Int64(session.rawValue) << 40 | Int64(frame.number))
        insertStray.bind(
            2, optional: frame.isDelivered ? Double(bitPattern: frame.delivery) : nil)
        insertStray.bind(3, frame.isLate ? 1 : 0)
        insertStray.bind(4, Double(bitPattern: frame.deadline))
        insertStray.bind(5, frame.packets)
        insertStray.bind(6, frame.lost)
        insertStray.bind(7, frame.closed)
        let written = try execute(insertStray, checksums.addStray)
        if written == 0 {
            statistics.refused += 1
        } else {
            statistics.records += 1
        }
    }
}
