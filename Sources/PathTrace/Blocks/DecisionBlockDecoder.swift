import PathLearning
import PathTelemetry

/// Decodes blocks of decisions into a batch, but only the requested columns.
///
/// It owns the memory that decoding needs, allocated once.
struct DecisionBlockDecoder: ~Copyable {
    typealias Column = DecisionBlockFormat.Column

    private let columns: DecisionColumns
    /// The integer columns, concatenated; each is as long as the block has decisions.
    private let integers: UnsafeMutablePointer<Int64>
    private var candidates: CandidateDecoder
    private let probabilities: UnsafeMutablePointer<UInt64>

    init(columns: DecisionColumns) {
        self.columns = columns
        let limit = DecisionBlockFormat.decisionLimit
        integers = .allocate(capacity: DecisionBlockFormat.columnCount * limit)
        candidates = CandidateDecoder(columns: columns)
        probabilities = .allocate(capacity: limit * ActionDistribution.capacity)
    }

    deinit {
        integers.deallocate()
        probabilities.deallocate()
    }

    /// Decodes a block into the batch and replaces its content.
    mutating func decode(
        _ data: UnsafeRawBufferPointer, session: SessionID, into batch: inout DecisionBatch
    ) throws(BlockFault) {
        var reader = try BlockReader(checked: data)
        let magic = try reader.take(UInt32.self)
        guard magic == DecisionBlockFormat.magic || magic == DecisionBlockFormat.firstMagic else {
            throw BlockFault("is not a block of decisions of a known layout")
        }
        let features = Int(try reader.take(UInt32.self))
        guard features == FeatureVector.count else {
            throw BlockFault("has \(features) features instead of \(FeatureVector.count)")
        }
        let count = Int(try reader.take(UInt32.self))
        let rows = Int(try reader.take(UInt32.self))
        guard count > 0, count <= DecisionBlockFormat.decisionLimit,
            rows <= count * PathID.limit
        else { throw BlockFault("has \(count) decisions with \(rows) candidates") }
        let first = try reader.take(UInt64.self)
        guard first < TraceFormat.decisionLimit else {
            throw BlockFault("begins with the number \(first)")
        }
        try readIntegers(count, hasBehind: magic == DecisionBlockFormat.magic, &reader)
        batch.session = session
        batch.count = count
        try fillNumbers(first, count, &batch)
        try fillBursts(count, &batch)
        try readDraws(count, &reader, &batch)
        try fillStarts(count, rows, &batch)
        try candidates.take(rows: rows, from: &reader)
        try readDistributions(count, &reader, &batch)
        guard reader.remaining == 0 else { throw BlockFault("has bytes left over") }
        try candidates.fill(count, &batch)
    }

    /// An integer column of a block with `count` decisions.
    @inline(__always)
    private func column(_ column: Column, _ count: Int) -> UnsafeMutableBufferPointer<Int64> {
        UnsafeMutableBufferPointer(start: integers + column.rawValue &* count, count: count)
    }

    // MARK: One row per decision

    private func readIntegers(
        _ count: Int, hasBehind: Bool, _ reader: inout BlockReader
    ) throws(BlockFault) {
        for column in Column.allCases {
            let target = self.column(column, count)
            guard column != .bytesBehind || hasBehind else {
                target.update(repeating: 0)
                continue
            }
            try IntegerColumn.take(into: target, from: &reader)
        }
    }

    private func fillNumbers(
        _ first: UInt64, _ count: Int, _ batch: inout DecisionBatch
    ) throws(BlockFault) {
        let gaps = column(.number, count)
        batch.numbers.resize(count, 0)
        var numbers = batch.numbers.mutableSpan
        var least: Int64 = 0
        for index in 0..<count {
            let gap = gaps[index]
            guard gap >= least, gap < Int64(TraceFormat.decisionLimit) else {
                throw BlockFault("has decision numbers that do not ascend")
            }
            least = gap
            numbers[index] = first &+ UInt64(index) &+ UInt64(gap)
        }
        guard first &+ UInt64(count) &+ UInt64(least) <= TraceFormat.decisionLimit else {
            throw BlockFault("has decision numbers that are too large")
        }
    }

    private func fillBursts(_ count: Int, _ batch: inout DecisionBatch) throws(BlockFault) {
        batch.times.resize(count, .zero)
        batch.isForced.resize(count, false)
        batch.bursts.resize(
            count, BurstContext(bytes: 0, deadline: .zero, trafficClass: .stream))
        try fillBursts(&batch.times, &batch.isForced, &batch.bursts)
    }

    private func fillBursts(
        _ times: inout [Instant], _ isForced: inout [Bool], _ contexts: inout [BurstContext]
    ) throws(BlockFault) {
        let count = times.count
        var times = times.mutableSpan
        var forced = isForced.mutableSpan
        var bursts = contexts.mutableSpan
        let moments = column(.time, count)
        let marks = column(.flags, count)
        let currents = column(.currentPath, count)
        let sizes = column(.bytes, count)
        let behind = column(.bytesBehind, count)
        let deadlines = column(.deadline, count)
        for index in 0..<count {
            let flags = marks[index]
            guard flags >= 0, flags < 4 else {
                throw BlockFault("has a decision with the flags \(flags)")
            }
            let current = currents[index]
            guard current == 255 || current >= 0 && current < Int64(PathID.limit) else {
                throw BlockFault("has the current path \(current)")
            }
            let bytes = sizes[index]
            guard bytes.magnitude <= 1 << 53 else {
                throw BlockFault("has a burst of \(bytes) bytes")
            }
            guard behind[index].magnitude <= 1 << 53 else {
                throw BlockFault("has \(behind[index]) bytes behind a burst")
            }
            times[index] = Instant(nanoseconds: moments[index])
            forced[index] = flags & 2 != 0
            bursts[index] = BurstContext(
                bytes: Int(bytes), deadline: TimeDelta(nanoseconds: deadlines[index]),
                trafficClass: flags & 1 != 0 ? .message : .stream,
                currentPath: current == 255 ? nil : PathID(Int(current)),
                bytesLeft: Int(bytes + behind[index]))
        }
    }

    private func readDraws(
        _ count: Int, _ reader: inout BlockReader, _ batch: inout DecisionBatch
    ) throws(BlockFault) {
        let bytes = try reader.take(bytes: count * 8)
        batch.draws.resize(count, 0)
        var draws = batch.draws.mutableSpan
        for index in 0..<count {
            draws[index] = Double(
                bitPattern: UInt64(
                    littleEndian: bytes.loadUnaligned(
                        fromByteOffset: index &* 8, as: UInt64.self)))
        }
    }

    private func fillStarts(
        _ count: Int, _ rows: Int, _ batch: inout DecisionBatch
    ) throws(BlockFault) {
        batch.candidateStarts.resize(count + 1, 0)
        var starts = batch.candidateStarts.mutableSpan
        let numbers = column(.candidates, count)
        var sum: Int64 = 0
        for index in 0..<count {
            let candidates = numbers[index]
            guard candidates >= 0, candidates <= Int64(PathID.limit) else {
                throw BlockFault("has a decision with \(candidates) candidates")
            }
            sum += candidates
            starts[index &+ 1] = Int32(truncatingIfNeeded: sum)
        }
        guard sum == Int64(rows) else {
            throw BlockFault("has \(rows) candidates instead of \(sum)")
        }
    }

    // MARK: Actions and probabilities

    private func readDistributions(
        _ count: Int, _ reader: inout BlockReader, _ batch: inout DecisionBatch
    ) throws(BlockFault) {
        let listed = Int(try reader.take(UInt32.self))
        guard listed <= count * ActionDistribution.capacity else {
            throw BlockFault("lists \(listed) actions")
        }
        let sets = try reader.take(bytes: listed * 2)
        let changes = try WordColumn.take(
            from: &reader, limit: count * ActionDistribution.capacity)
        changes.expand(into: probabilities)
        let keeps = columns.contains(.distributions)
        batch.actions.resize(count, .wait)
        batch.propensities.resize(count, 0)
        batch.actionStarts.resize(keeps ? count + 1 : 1, 0)
        batch.chosenActions.resize(keeps ? count : 0, 0)
        batch.offeredActions.removeAll(keepingCapacity: true)
        batch.probabilities.removeAll(keepingCapacity: true)
        // Each number is checked where it is used, so it is only bounded here.
        let all = column(.actions, count).reduce(0) { $0 &+ min(max($1, 0), 32) }
        batch.offeredActions.resize(keeps ? Int(all) : 0, .wait)
        batch.probabilities.resize(keeps ? Int(all) : 0, 0)
        try fillDistributions(
            sets, changes: changes.count, batch.candidateStarts, &batch.actions,
            &batch.propensities, &batch.actionStarts, &batch.chosenActions,
            &batch.offeredActions, &batch.probabilities)
    }

    private func fillDistributions(
        _ sets: UnsafeRawBufferPointer, changes: Int, _ starts: [Int32],
        _ actions: inout [PathSet], _ propensities: inout [Double], _ actionStarts: inout [Int32],
        _ chosenActions: inout [UInt8], _ offered: inout [PathSet], _ shares: inout [Double]
    ) throws(BlockFault) {
        let count = actions.count
        let keeps = columns.contains(.distributions)
        let starts = starts.span
        var taken = actions.mutableSpan
        var propensities = propensities.mutableSpan
        var actionStarts = actionStarts.mutableSpan
        var chosenActions = chosenActions.mutableSpan
        var offered = offered.mutableSpan
        var shares = shares.mutableSpan
        let numbers = column(.actions, count)
        let choices = column(.chosen, count)
        let forms = column(.actionForm, count)
        let changed = column(.changedProbabilities, count)
        var previousActions = InlineArray<32, UInt16>(repeating: 0)
        var previousCount = 0
        var previous = InlineArray<32, UInt64>(repeating: 0)
        var nextListed = 0
        var nextChange = 0
        var place = 0
        for index in 0..<count {
            let chosen = choices[index]
            guard numbers[index] >= 0, numbers[index] <= 32, chosen >= 0, chosen < numbers[index]
            else { throw BlockFault("has action \(chosen) of \(numbers[index]) taken") }
            let number = Int(numbers[index])
            let start = Int(starts[index])
            switch forms[index] {
            case 0 where number == Int(starts[index &+ 1]) &- start:
                for action in 0..<number {
                    previousActions[action] = 1 &<< UInt16(candidates.path(start &+ action))
                }
            case 1 where number == previousCount: break
            case 2 where (nextListed &+ number) &* 2 <= sets.count:
                for action in 0..<number {
                    previousActions[action] = UInt16(
                        littleEndian: sets.loadUnaligned(
                            fromByteOffset: (nextListed &+ action) &* 2, as: UInt16.self))
                }
                nextListed &+= number
            default: throw BlockFault("has a list of actions that does not fit")
            }
            previousCount = number
            var mask = UInt64(bitPattern: changed[index])
            guard mask &>> UInt64(number) == 0 else {
                throw BlockFault("has probabilities without an action")
            }
            guard nextChange &+ mask.nonzeroBitCount <= changes else {
                throw BlockFault("lacks probabilities")
            }
            while mask != 0 {
                previous[mask.trailingZeroBitCount] = probabilities[nextChange]
                nextChange &+= 1
                mask &= mask &- 1
            }
            taken[index] = PathSet(rawValue: previousActions[Int(chosen)])
            propensities[index] = Double(bitPattern: previous[Int(chosen)])
            guard keeps else { continue }
            for action in 0..<number {
                offered[place] = PathSet(rawValue: previousActions[action])
                shares[place] = Double(bitPattern: previous[action])
                place &+= 1
            }
            actionStarts[index &+ 1] = Int32(truncatingIfNeeded: place)
            chosenActions[index] = UInt8(truncatingIfNeeded: chosen)
        }
        guard nextChange == changes, nextListed &* 2 == sets.count else {
            throw BlockFault("has probabilities or actions left over")
        }
    }
}
