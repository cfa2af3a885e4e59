import PathLearning
import PathTelemetry

/// Decodes the candidates of a block, but only the words that the requested columns need.
///
/// It works by column where a column has a value for every candidate, and otherwise candidate by
/// candidate with the latest values of each path, its *chain*. Values are not checked one by one: a
/// column with too few or too many values is detected at the end by where reading stopped, and
/// there is room behind the last column for what is read beyond it until then.
struct CandidateDecoder: ~Copyable {
    private let columns: DecisionColumns
    /// The words that are read.
    let wanted: UInt64
    private var rows = 0
    private var paths = UnsafeRawBufferPointer(start: nil, count: 0)
    /// The changed words of each candidate, one bit per word, for at most `rowLimit` candidates.
    private let masks: UnsafeMutablePointer<UInt64>
    private static let rowLimit = DecisionBlockFormat.decisionLimit * PathID.limit
    /// Each column in its encoded form in the block.
    private let encoded: UnsafeMutablePointer<WordColumn.Encoded>
    /// Words that have a value for every candidate, and words that have some.
    private var dense: UInt64 = 0
    private var sparse: UInt64 = 0
    // The changed words of the sparse columns, concatenated; the position of each column's next
    // value, and where its values end.
    private var words: UnsafeMutablePointer<UInt64>
    private var wordCapacity = 0
    private let next: UnsafeMutablePointer<Int>
    private let ends: UnsafeMutablePointer<Int>
    private let chains: UnsafeMutablePointer<UInt64>

    init(columns: DecisionColumns) {
        self.columns = columns
        var wanted: UInt64 = 0
        if columns.contains(.chosenFeatures) || columns.contains(.candidateFeatures) {
            wanted = CandidateWord.features | 1 << UInt64(CandidateWord.predictedDelivery)
        }
        if columns.contains(.candidates) { wanted = CandidateWord.all }
        self.wanted = wanted
        masks = .allocate(capacity: wanted == 0 ? 1 : CandidateDecoder.rowLimit)
        encoded = .allocate(capacity: CandidateWord.count)
        encoded.initialize(repeating: WordColumn.Encoded.none, count: CandidateWord.count)
        words = .allocate(capacity: 1)
        next = .allocate(capacity: CandidateWord.count)
        next.initialize(repeating: 0, count: CandidateWord.count)
        ends = .allocate(capacity: CandidateWord.count)
        ends.initialize(repeating: 0, count: CandidateWord.count)
        chains = .allocate(capacity: DecisionBlockFormat.chains * CandidateWord.count)
    }

    deinit {
        masks.deallocate()
        encoded.deallocate()
        words.deallocate()
        next.deallocate()
        ends.deallocate()
        chains.deallocate()
    }

    @inline(__always)
    func path(_ row: Int) -> UInt8 { paths[row] }

    // MARK: Columns

    /// Takes the candidates' part of a block: path numbers, masks and columns of words.
    ///
    /// The results point into the block.
    mutating func take(rows: Int, from reader: inout BlockReader) throws(BlockFault) {
        self.rows = rows
        paths = try reader.take(bytes: rows)
        var all: UInt8 = 0
        for path in paths { all |= path }
        guard all < UInt8(PathID.limit) else {
            let path = paths.first { $0 >= UInt8(PathID.limit) } ?? all
            throw BlockFault("has a candidate with the path number \(path)")
        }
        let packed = try reader.take(bytes: rows * DecisionBlockFormat.maskBytes)
        for word in 0..<CandidateWord.count {
            encoded[word] = try WordColumn.take(from: &reader, limit: rows)
        }
        guard wanted != 0 else { return }
        try sortColumns(try readMasks(packed))
    }

    /// Returns the words that change anywhere, and those that change in every candidate.
    private func readMasks(
        _ packed: UnsafeRawBufferPointer
    ) throws(BlockFault) -> (any: UInt64, every: UInt64) {
        var any: UInt64 = 0
        var every = CandidateWord.all
        guard rows > 0, let base = packed.baseAddress else { return (0, 0) }
        for row in 0..<rows {
            let place = base + row &* DecisionBlockFormat.maskBytes
            let low = UInt32(littleEndian: place.loadUnaligned(as: UInt32.self))
            let high = place.load(fromByteOffset: 4, as: UInt8.self)
            let mask = UInt64(low) | UInt64(high) &<< 32
            masks[row] = mask
            any |= mask
            every &= mask
        }
        guard any & ~CandidateWord.all == 0 else { throw BlockFault("has an unknown column") }
        return (any, every)
    }

    /// Finds which columns have a value for every candidate, and expands those that have some.
    private mutating func sortColumns(
        _ changed: (any: UInt64, every: UInt64)
    ) throws(BlockFault) {
        // Candidates are assembled word by word from the chains.
        let isByColumn = !columns.contains(.candidates)
        dense = 0
        sparse = 0
        var total = 0
        for word in 0..<CandidateWord.count where wanted &>> UInt64(word) & 1 != 0 {
            let bit: UInt64 = 1 &<< UInt64(word)
            let count = encoded[word].count
            if changed.any & bit == 0 {
                guard count == 0 else { throw BlockFault("has changed values left over") }
            } else if isByColumn, count == rows, changed.every & bit != 0 {
                dense |= bit
            } else {
                sparse |= bit
                next[word] = total
                total &+= count
                ends[word] = total
            }
        }
        reserve(total &+ rows)
        var rest = sparse
        while rest != 0 {
            let word = rest.trailingZeroBitCount
            encoded[word].expand(into: words + next[word])
            rest &= rest &- 1
        }
    }

    private mutating func reserve(_ count: Int) {
        guard count > wordCapacity else { return }
        wordCapacity = max(4096, 2 * count)
        words.deallocate()
        words = .allocate(capacity: wordCapacity)
        words.initialize(repeating: 0, count: wordCapacity)
    }

    // MARK: Rows

    /// Fills the batch's candidate columns; its actions and candidate starts are filled already.
    mutating func fill(_ count: Int, _ batch: inout DecisionBatch) throws(BlockFault) {
        let hasChosen = columns.contains(.chosenFeatures)
        let hasFeatures = columns.contains(.candidateFeatures)
        let hasCandidates = columns.contains(.candidates)
        let width = CandidateWord.featureCount
        batch.candidatePaths.resize(hasFeatures || hasCandidates ? rows : 0, PathID(0))
        batch.chosenFeatures.resize(hasChosen ? count * width : 0, 0)
        batch.chosenPredictions.resize(hasChosen ? count : 0, .nan)
        batch.candidateFeatures.resize(hasFeatures ? rows * width : 0, 0)
        batch.candidatePredictions.resize(hasFeatures ? rows : 0, 0)
        batch.candidates.resize(hasCandidates ? rows : 0, Candidate(path: PathID(0)))
        batch.chosenCandidates.resize(count, -1)
        findChosen(batch.actions, batch.candidateStarts, &batch.chosenCandidates)
        if hasFeatures || hasCandidates {
            var target = batch.candidatePaths.mutableSpan
            for row in 0..<rows { target[row] = PathID(rawValue: paths[row]) }
        }
        guard wanted != 0 else { return }
        if hasCandidates || hasFeatures {
            try fillAll(
                &batch.candidateFeatures, &batch.candidatePredictions, &batch.candidates)
            if hasChosen { copyChosen(count, &batch) }
        } else {
            fillChosen(
                batch.chosenCandidates, batch.candidateStarts, &batch.chosenFeatures,
                &batch.chosenPredictions)
        }
        var rest = sparse
        while rest != 0 {
            let word = rest.trailingZeroBitCount
            guard next[word] <= ends[word] else { throw BlockFault("lacks changed values") }
            guard next[word] == ends[word] else {
                throw BlockFault("has changed values left over")
            }
            rest &= rest &- 1
        }
    }

    /// Finds the candidate row of the path that carried each burst.
    private func findChosen(
        _ actions: [PathSet], _ starts: [Int32], _ result: inout [Int32]
    ) {
        let actions = actions.span
        let starts = starts.span
        var chosen = result.mutableSpan
        for index in 0..<actions.count {
            chosen[index] = -1
            let action = actions[index]
            guard action.count == 1, let path = action.first else { continue }
            for row in starts[index]..<starts[index &+ 1]
            where paths[Int(row)] == path.rawValue {
                chosen[index] = row
                break
            }
        }
    }

    /// Updates the chain of a candidate's path; the last chain holds the words that all paths
    /// share.
    @inline(__always)
    private func step(_ row: Int, _ chain: UnsafeMutablePointer<UInt64>) {
        let mask = masks[row] & sparse
        take(mask & ~CandidateWord.shared, into: chain)
        take(mask & CandidateWord.shared, into: chains + 16 &* CandidateWord.count)
    }

    /// Reads the next value of each column in `set` into a chain.
    @inline(__always)
    private func take(_ set: UInt64, into chain: UnsafeMutablePointer<UInt64>) {
        var rest = set
        while rest != 0 {
            let word = rest.trailingZeroBitCount
            let at = next[word]
            next[word] = at &+ 1
            chain[word] = words[at]
            rest &= rest &- 1
        }
    }

    @inline(__always)
    private func chain(of row: Int) -> UnsafeMutablePointer<UInt64> {
        chains + Int(paths[row] & 15) &* CandidateWord.count
    }

    private func clearChains() {
        chains.update(
            repeating: 0, count: DecisionBlockFormat.chains &* CandidateWord.count)
    }

    /// Copies the features of a chain.
    @inline(__always)
    private func copy(_ chain: UnsafeMutablePointer<UInt64>, to target: UnsafeMutableRawPointer) {
        for word in CandidateWord.sharedWords {
            chain[word] = chains[16 &* CandidateWord.count &+ word]
        }
        target.copyMemory(from: chain, byteCount: CandidateWord.featureCount &* 8)
    }

    // MARK: Features of the chosen candidates

    private func fillChosen(
        _ chosen: [Int32], _ starts: [Int32], _ chosenFeatures: inout [Double],
        _ chosenPredictions: inout [Double]
    ) {
        let chosen = chosen.span
        let starts = starts.span
        let count = chosen.count
        let stride = CandidateWord.featureCount
        chosenFeatures.withUnsafeMutableBufferPointer { features in
            chosenPredictions.withUnsafeMutableBufferPointer { predictions in
                guard let features = features.baseAddress,
                    let predictions = predictions.baseAddress
                else { return }
                if sparse != 0 {
                    clearChains()
                    for index in 0..<count {
                        let row = Int(chosen[index])
                        for candidate in Int(starts[index])..<Int(starts[index &+ 1]) {
                            let chain = chain(of: candidate)
                            step(candidate, chain)
                            guard candidate == row else { continue }
                            copy(chain, to: features + index &* stride)
                            predictions[index] = Double(
                                bitPattern: chain[CandidateWord.predictedDelivery])
                        }
                    }
                } else if dense != wanted {
                    features.update(repeating: 0, count: count &* stride)
                    predictions.update(repeating: 0, count: count)
                }
                var rest = dense
                while rest != 0 {
                    let word = rest.trailingZeroBitCount
                    if word < stride {
                        encoded[word].gather(chosen, into: features + word, stride: stride)
                    } else {
                        encoded[word].gather(chosen, into: predictions, stride: 1)
                    }
                    rest &= rest &- 1
                }
                for index in 0..<count where chosen[index] < 0 {
                    (features + index &* stride).update(repeating: 0, count: stride)
                    predictions[index] = .nan
                }
            }
        }
    }

    /// Does the same from the columns of all candidates.
    private func copyChosen(_ count: Int, _ batch: inout DecisionBatch) {
        let width = CandidateWord.featureCount
        let hasColumns = columns.contains(.candidateFeatures)
        for index in 0..<count {
            let row = Int(batch.chosenCandidates[index])
            for feature in 0..<width {
                batch.chosenFeatures[index &* width &+ feature] =
                    row < 0
                    ? 0
                    : hasColumns
                        ? batch.candidateFeatures[row &* width &+ feature]
                        : batch.candidates[row].features[feature]
            }
            batch.chosenPredictions[index] =
                row < 0
                ? .nan
                : hasColumns
                    ? batch.candidatePredictions[row] : batch.candidates[row].predictedDelivery
        }
    }

    // MARK: All candidates

    private func fillAll(
        _ candidateFeatures: inout [Double], _ candidatePredictions: inout [Double],
        _ candidates: inout [Candidate]
    ) throws(BlockFault) {
        let hasFeatures = columns.contains(.candidateFeatures)
        let hasCandidates = columns.contains(.candidates)
        let width = CandidateWord.featureCount
        var fault: BlockFault?
        clearChains()
        candidateFeatures.withUnsafeMutableBufferPointer { features in
            candidatePredictions.withUnsafeMutableBufferPointer { predictions in
                candidates.withUnsafeMutableBufferPointer { candidates in
                    for row in 0..<rows {
                        let chain = chain(of: row)
                        step(row, chain)
                        if hasFeatures, let base = features.baseAddress {
                            copy(chain, to: base + row &* width)
                            predictions[row] = Double(
                                bitPattern: chain[CandidateWord.predictedDelivery])
                        }
                        guard hasCandidates else { continue }
                        if let found = put(chain, row, into: &candidates[row]) {
                            fault = found
                            return
                        }
                    }
                }
                guard let base = features.baseAddress, let first = predictions.baseAddress
                else { return }
                var rest = dense
                while rest != 0 {
                    let word = rest.trailingZeroBitCount
                    if word < width {
                        encoded[word].scatter(into: base + word, stride: width)
                    } else {
                        encoded[word].scatter(into: first, stride: 1)
                    }
                    rest &= rest &- 1
                }
            }
        }
        if let fault { throw fault }
    }

    /// Makes a candidate from a chain; returns what is wrong with it.
    @inline(__always)
    private func put(
        _ chain: UnsafeMutablePointer<UInt64>, _ row: Int, into target: inout Candidate
    ) -> BlockFault? {
        for word in CandidateWord.sharedWords {
            chain[word] = chains[16 &* CandidateWord.count &+ word]
        }
        for feature in 0..<CandidateWord.featureCount {
            target.features[feature] = Double(bitPattern: chain[feature])
        }
        target.path = PathID(rawValue: paths[row])
        target.predictedDelivery = Double(bitPattern: chain[CandidateWord.predictedDelivery])
        target.smoothedRTT = Double(bitPattern: chain[CandidateWord.smoothedRTT])
        target.rttVariation = Double(bitPattern: chain[CandidateWord.rttVariation])
        target.unansweredAge = Double(bitPattern: chain[CandidateWord.unansweredAge])
        target.lossRate = Double(bitPattern: chain[CandidateWord.lossRate])
        target.rate = Double(bitPattern: chain[CandidateWord.rate])
        target.traits.weight = Double(bitPattern: chain[CandidateWord.weight])
        target.traits.pricePerGB = Double(bitPattern: chain[CandidateWord.pricePerGB])
        target.traits.rateLimit = Double(bitPattern: chain[CandidateWord.rateLimit])
        let room = Int64(bitPattern: chain[CandidateWord.room])
        let inFlight = Int64(bitPattern: chain[CandidateWord.bytesInFlight])
        let window = Int64(bitPattern: chain[CandidateWord.congestionWindow])
        guard max(room.magnitude, inFlight.magnitude, window.magnitude) <= 1 << 53 else {
            return BlockFault("has \(room), \(inFlight) or \(window) bytes")
        }
        target.room = Int(room)
        target.bytesInFlight = Int(inFlight)
        target.congestionWindow = Int(window)
        let identity = chain[CandidateWord.identity]
        guard identity & 0xff == UInt64(paths[row]),
            let kind = LinkKind(rawValue: UInt8(truncatingIfNeeded: identity >> 8)),
            identity >> 16 <= 1
        else { return BlockFault("has a candidate with the marks \(identity)") }
        target.traits.kind = kind
        target.traits.isBackup = identity >> 16 == 1
        return nil
    }
}
