import PathLearning
import PathTelemetry

/// Unpacks blocks of decisions into a batch: only the columns that are asked for.
///
/// Holds the room that a block needs on its way, made once.
struct DecisionBlockDecoder: ~Copyable {
    typealias Column = DecisionBlockFormat.Column

    private let columns: DecisionColumns
    /// The candidate words that are read.
    private let wanted: UInt64
    private var integers: [Int64] = []
    private var paths: [UInt8] = []
    // The changed words of all columns one after the other, and where each column's begin and end.
    private var words: UnsafeMutablePointer<UInt64>
    private var wordCapacity = 4096
    private let starts: UnsafeMutablePointer<Int>
    private let ends: UnsafeMutablePointer<Int>
    private let chains: UnsafeMutablePointer<UInt64>
    private var probabilities: [UInt64] = []

    init(columns: DecisionColumns) {
        self.columns = columns
        var wanted: UInt64 = 0
        if columns.contains(.chosenFeatures) || columns.contains(.candidateFeatures) {
            wanted = CandidateWord.features | 1 << UInt64(CandidateWord.predictedDelivery)
        }
        if columns.contains(.candidates) { wanted = CandidateWord.all }
        self.wanted = wanted
        words = .allocate(capacity: wordCapacity)
        starts = .allocate(capacity: CandidateWord.count)
        starts.initialize(repeating: 0, count: CandidateWord.count)
        ends = .allocate(capacity: CandidateWord.count)
        ends.initialize(repeating: 0, count: CandidateWord.count)
        chains = .allocate(capacity: DecisionBlockFormat.chains * CandidateWord.count)
    }

    deinit {
        words.deallocate()
        starts.deallocate()
        ends.deallocate()
        chains.deallocate()
    }

    /// Reads a block over what the batch held before.
    mutating func decode(
        _ data: UnsafeRawBufferPointer, session: SessionID, into batch: inout DecisionBatch
    ) throws(BlockFault) {
        var reader = try BlockReader(checked: data)
        let magic = try reader.take(UInt32.self)
        guard magic == DecisionBlockFormat.magic else {
            throw BlockFault("is no block of decisions of a known layout")
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
        try readIntegers(count, &reader)
        batch.session = session
        batch.count = count
        try fillNumbers(first, count, &batch)
        try fillBursts(count, &batch)
        try readDraws(count, &reader, &batch)
        try fillStarts(count, rows, &batch)
        let ids = try reader.take(bytes: rows)
        paths.removeAll(keepingCapacity: true)
        paths.append(contentsOf: ids)
        let masks = try reader.take(bytes: rows * DecisionBlockFormat.maskBytes)
        try readWords(rows, masks, &reader)
        try readDistributions(count, &reader, &batch)
        guard reader.remaining == 0 else { throw BlockFault("has bytes left over") }
        try fillCandidates(count, rows, masks, &batch)
    }

    // MARK: A row a decision

    private mutating func readIntegers(
        _ count: Int, _ reader: inout BlockReader
    ) throws(BlockFault) {
        integers.resize(Column.allCases.count * count, 0)
        for column in 0..<Column.allCases.count {
            let failure: BlockFault? = integers.withUnsafeMutableBufferPointer { all in
                do throws(BlockFault) {
                    try IntegerColumn.take(
                        into: UnsafeMutableBufferPointer(
                            rebasing: all[column * count..<(column + 1) * count]), from: &reader)
                    return nil
                } catch {
                    return error
                }
            }
            if let failure { throw failure }
        }
    }

    private func fillNumbers(
        _ first: UInt64, _ count: Int, _ batch: inout DecisionBatch
    ) throws(BlockFault) {
        let start = Column.number.rawValue * count
        batch.numbers.resize(count, 0)
        var least: Int64 = 0
        for index in 0..<count {
            let gap = integers[start + index]
            guard gap >= least, gap < Int64(TraceFormat.decisionLimit) else {
                throw BlockFault("has decision numbers that do not ascend")
            }
            least = gap
            batch.numbers[index] = first &+ UInt64(index) &+ UInt64(gap)
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
        let times = integers[Column.time.rawValue * count..<(Column.time.rawValue + 1) * count]
        for (index, time) in times.enumerated() { batch.times[index] = Instant(nanoseconds: time) }
        var bursts = batch.bursts.mutableSpan
        let integers = integers.span
        for index in 0..<count {
            let flags = integers[Column.flags.rawValue &* count &+ index]
            guard flags >= 0, flags < 4 else {
                throw BlockFault("has a decision with the flags \(flags)")
            }
            let current = integers[Column.currentPath.rawValue &* count &+ index]
            guard current == 255 || current >= 0 && current < Int64(PathID.limit) else {
                throw BlockFault("has the current path \(current)")
            }
            let bytes = integers[Column.bytes.rawValue &* count &+ index]
            guard bytes.magnitude <= 1 << 53 else {
                throw BlockFault("has a burst of \(bytes) bytes")
            }
            bursts[index] = BurstContext(
                bytes: Int(bytes),
                deadline: TimeDelta(
                    nanoseconds: integers[Column.deadline.rawValue &* count &+ index]),
                trafficClass: flags & 1 != 0 ? .message : .stream,
                currentPath: current == 255 ? nil : PathID(Int(current)))
        }
        var forced = batch.isForced.mutableSpan
        for index in 0..<count {
            forced[index] = integers[Column.flags.rawValue &* count &+ index] & 2 != 0
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
        var sum: Int64 = 0
        for index in 0..<count {
            let candidates = integers[Column.candidates.rawValue * count + index]
            guard candidates >= 0, candidates <= Int64(PathID.limit) else {
                throw BlockFault("has a decision with \(candidates) candidates")
            }
            sum += candidates
            batch.candidateStarts[index + 1] = Int32(truncatingIfNeeded: sum)
        }
        guard sum == Int64(rows) else {
            throw BlockFault("has \(rows) candidates instead of \(sum)")
        }
    }

    // MARK: Candidates

    /// Takes the columns of changed words; expands those that are wanted.
    private mutating func readWords(
        _ rows: Int, _ masks: UnsafeRawBufferPointer, _ reader: inout BlockReader
    ) throws(BlockFault) {
        for path in paths where path >= UInt8(PathID.limit) {
            throw BlockFault("has a candidate with the path number \(path)")
        }
        var end = 0
        for word in 0..<CandidateWord.count {
            let column = try WordColumn.take(from: &reader, limit: rows)
            guard wanted & 1 << UInt64(word) != 0 else { continue }
            starts[word] = end
            end += column.count
            ends[word] = end
            if end > wordCapacity { growWords(to: end, used: starts[word]) }
            column.expand(into: words + starts[word])
        }
    }

    private mutating func growWords(to count: Int, used: Int) {
        while wordCapacity < count { wordCapacity *= 2 }
        let larger = UnsafeMutablePointer<UInt64>.allocate(capacity: wordCapacity)
        larger.update(from: words, count: used)
        words.deallocate()
        words = larger
    }

    private mutating func fillCandidates(
        _ count: Int, _ rows: Int, _ masks: UnsafeRawBufferPointer, _ batch: inout DecisionBatch
    ) throws(BlockFault) {
        let hasChosen = columns.contains(.chosenFeatures)
        let hasFeatures = columns.contains(.candidateFeatures)
        let hasCandidates = columns.contains(.candidates)
        let width = FeatureVector.count
        batch.chosenCandidates.resize(count, -1)
        batch.candidatePaths.resize(hasFeatures || hasCandidates ? rows : 0, PathID(0))
        batch.chosenFeatures.resize(hasChosen ? count * width : 0, 0)
        batch.chosenPredictions.resize(hasChosen ? count : 0, .nan)
        batch.candidateFeatures.resize(hasFeatures ? rows * width : 0, 0)
        batch.candidatePredictions.resize(hasFeatures ? rows : 0, 0)
        batch.candidates.resize(hasCandidates ? rows : 0, Candidate(path: PathID(0)))
        if hasFeatures || hasCandidates {
            for row in 0..<rows { batch.candidatePaths[row] = PathID(rawValue: paths[row]) }
        }
        for index in 0..<count {
            let action = batch.actions[index]
            batch.chosenCandidates[index] = -1
            guard action.count == 1, let path = action.first else { continue }
            for row in batch.candidateStarts[index]..<batch.candidateStarts[index + 1]
            where paths[Int(row)] == path.rawValue {
                batch.chosenCandidates[index] = row
                break
            }
        }
        guard wanted != 0 else { return }
        chains.update(
            repeating: 0, count: DecisionBlockFormat.chains * CandidateWord.count)
        var index = 0
        for row in 0..<rows {
            try step(row, masks)
            let base = Int(paths[row]) * CandidateWord.count
            if hasCandidates { try put(row, base, &batch.candidates) }
            if hasFeatures {
                copyFeatures(base, into: &batch.candidateFeatures, at: row * width)
                batch.candidatePredictions[row] = Double(
                    bitPattern: chains[base + CandidateWord.predictedDelivery])
            }
            guard hasChosen else { continue }
            while index < count, row >= Int(batch.candidateStarts[index + 1]) {
                clearUnlessChosen(index, &batch)
                index += 1
            }
            if index < count, row == Int(batch.chosenCandidates[index]) {
                copyFeatures(base, into: &batch.chosenFeatures, at: index * width)
                batch.chosenPredictions[index] = Double(
                    bitPattern: chains[base + CandidateWord.predictedDelivery])
            }
        }
        while hasChosen, index < count {
            clearUnlessChosen(index, &batch)
            index += 1
        }
        for word in 0..<CandidateWord.count
        where wanted & 1 << UInt64(word) != 0 && starts[word] != ends[word] {
            throw BlockFault("has changed values left over")
        }
    }

    private func clearUnlessChosen(_ index: Int, _ batch: inout DecisionBatch) {
        guard batch.chosenCandidates[index] < 0 else { return }
        for feature in 0..<FeatureVector.count {
            batch.chosenFeatures[index * FeatureVector.count + feature] = 0
        }
        batch.chosenPredictions[index] = .nan
    }

    /// Brings the row's chain of values up to date.
    @inline(__always)
    private func step(_ row: Int, _ masks: UnsafeRawBufferPointer) throws(BlockFault) {
        let place = row &* DecisionBlockFormat.maskBytes
        let mask =
            UInt64(
                UInt32(littleEndian: masks.loadUnaligned(fromByteOffset: place, as: UInt32.self)))
            | UInt64(masks[place &+ 4]) &<< 32
        guard mask & ~CandidateWord.all == 0 else { throw BlockFault("has an unknown column") }
        let base = Int(paths[row]) &* CandidateWord.count
        let common = PathID.limit &* CandidateWord.count
        var rest = mask & wanted
        while rest != 0 {
            let word = rest.trailingZeroBitCount
            let at = starts[word]
            guard at < ends[word] else { throw BlockFault("lacks changed values") }
            starts[word] = at &+ 1
            chains[base &+ word] = words[at]
            if CandidateWord.shared &>> UInt64(word) & 1 != 0 {
                chains[common &+ word] = words[at]
            }
            rest &= rest &- 1
        }
        rest = ~mask & CandidateWord.shared
        while rest != 0 {
            let word = rest.trailingZeroBitCount
            chains[base &+ word] = chains[common &+ word]
            rest &= rest &- 1
        }
    }

    @inline(__always)
    private func copyFeatures(_ base: Int, into target: inout [Double], at start: Int) {
        var target = target.mutableSpan
        for feature in 0..<FeatureVector.count {
            target[start &+ feature] = Double(bitPattern: chains[base &+ feature])
        }
    }

    private func put(
        _ row: Int, _ base: Int, _ candidates: inout [Candidate]
    ) throws(BlockFault) {
        var target = candidates.mutableSpan
        func number(_ word: Int) -> Double { Double(bitPattern: chains[base + word]) }
        func integer(_ word: Int) throws(BlockFault) -> Int {
            let value = Int64(bitPattern: chains[base + word])
            guard value.magnitude <= 1 << 53 else {
                throw BlockFault("has a number of bytes of \(value)")
            }
            return Int(value)
        }
        for feature in 0..<FeatureVector.count {
            target[row].features[feature] = Double(bitPattern: chains[base + feature])
        }
        target[row].path = PathID(rawValue: paths[row])
        target[row].predictedDelivery = number(CandidateWord.predictedDelivery)
        target[row].smoothedRTT = number(CandidateWord.smoothedRTT)
        target[row].rttVariation = number(CandidateWord.rttVariation)
        target[row].unansweredAge = number(CandidateWord.unansweredAge)
        target[row].lossRate = number(CandidateWord.lossRate)
        target[row].rate = number(CandidateWord.rate)
        target[row].room = try integer(CandidateWord.room)
        target[row].bytesInFlight = try integer(CandidateWord.bytesInFlight)
        target[row].congestionWindow = try integer(CandidateWord.congestionWindow)
        target[row].traits.weight = number(CandidateWord.weight)
        target[row].traits.pricePerGB = number(CandidateWord.pricePerGB)
        target[row].traits.rateLimit = number(CandidateWord.rateLimit)
        let identity = chains[base + CandidateWord.identity]
        guard identity & 0xff == UInt64(paths[row]),
            let kind = LinkKind(rawValue: UInt8(truncatingIfNeeded: identity >> 8)),
            identity >> 16 <= 1
        else { throw BlockFault("has a candidate with the marks \(identity)") }
        target[row].traits.kind = kind
        target[row].traits.isBackup = identity >> 16 == 1
    }

    // MARK: Actions and probabilities

    private mutating func readDistributions(
        _ count: Int, _ reader: inout BlockReader, _ batch: inout DecisionBatch
    ) throws(BlockFault) {
        let listed = Int(try reader.take(UInt32.self))
        guard listed <= count * ActionDistribution.capacity else {
            throw BlockFault("lists \(listed) actions")
        }
        let sets = try reader.take(bytes: listed * 2)
        let changes = try WordColumn.take(
            from: &reader, limit: count * ActionDistribution.capacity)
        probabilities.resize(changes.count, 0)
        probabilities.withUnsafeMutableBufferPointer {
            if let base = $0.baseAddress { changes.expand(into: base) }
        }
        let keeps = columns.contains(.distributions)
        batch.actions.resize(count, .wait)
        batch.propensities.resize(count, 0)
        batch.actionStarts.resize(keeps ? count + 1 : 1, 0)
        batch.chosenActions.resize(keeps ? count : 0, 0)
        batch.offeredActions.removeAll(keepingCapacity: true)
        batch.probabilities.removeAll(keepingCapacity: true)
        var previousActions = InlineArray<32, UInt16>(repeating: 0)
        var previousCount = 0
        var previous = InlineArray<32, UInt64>(repeating: 0)
        var nextListed = 0
        var nextChange = 0
        for index in 0..<count {
            let actions = integers[Column.actions.rawValue * count + index]
            let chosen = integers[Column.chosen.rawValue * count + index]
            guard actions >= 0, actions <= Int64(ActionDistribution.capacity), chosen >= 0,
                chosen < actions
            else { throw BlockFault("has action \(chosen) of \(actions) taken") }
            let number = Int(actions)
            let start = Int(batch.candidateStarts[index])
            let candidates = Int(batch.candidateStarts[index + 1]) - start
            switch integers[Column.actionForm.rawValue * count + index] {
            case 0 where number == candidates:
                for action in 0..<number {
                    previousActions[action] = 1 &<< UInt16(paths[start + action])
                }
            case 1 where number == previousCount: break
            case 2 where nextListed + number <= listed:
                for action in 0..<number {
                    previousActions[action] = UInt16(
                        littleEndian: sets.loadUnaligned(
                            fromByteOffset: (nextListed + action) * 2, as: UInt16.self))
                }
                nextListed += number
            default: throw BlockFault("has a list of actions that does not fit")
            }
            previousCount = number
            let mask = UInt64(
                bitPattern: integers[Column.changedProbabilities.rawValue * count + index])
            guard mask >> UInt64(number) == 0, mask <= 0xffff_ffff else {
                throw BlockFault("has probabilities without an action")
            }
            for action in 0..<number where mask >> UInt64(action) & 1 != 0 {
                guard nextChange < probabilities.count else {
                    throw BlockFault("lacks probabilities")
                }
                previous[action] = probabilities[nextChange]
                nextChange += 1
            }
            batch.actions[index] = PathSet(rawValue: previousActions[Int(chosen)])
            batch.propensities[index] = Double(bitPattern: previous[Int(chosen)])
            guard keeps else { continue }
            for action in 0..<number {
                batch.offeredActions.append(PathSet(rawValue: previousActions[action]))
                batch.probabilities.append(Double(bitPattern: previous[action]))
            }
            batch.actionStarts[index + 1] = Int32(truncatingIfNeeded: batch.probabilities.count)
            batch.chosenActions[index] = UInt8(chosen)
        }
        guard nextChange == probabilities.count, nextListed == listed else {
            throw BlockFault("has probabilities or actions left over")
        }
    }

}
