import PathLearning
import PathTelemetry

/// The layout of a block of decisions; `docs/formats.md` describes it.
enum DecisionBlockFormat {
    /// The first bytes: "PWD" and the version of the layout.
    @inline(__always) static var magic: UInt32 { 0x0244_5750 }
    /// The same of the first layout, which lacks the last integer column.
    @inline(__always) static var firstMagic: UInt32 { 0x0144_5750 }
    /// The most decisions that a reader accepts in one block; the writer stops at half of that.
    @inline(__always) static var decisionLimit: Int { 1024 }
    /// Integer columns with one row per decision, in their order.
    enum Column: Int, CaseIterable {
        /// Decision number minus the block's first number minus the position.
        case number
        case time, bytes, deadline
        /// Bit 0: message, bit 1: forced.
        case flags
        /// 255 means none.
        case currentPath
        case candidates, actions, chosen
        /// 0: one action per candidate, in their order; 1: same as the previous decision; 2:
        /// listed.
        case actionForm
        /// Bit i: the probability of action i differs from that of the previous decision.
        case changedProbabilities
        /// Bytes that wait to be sent, minus those of the burst.
        case bytesBehind
    }
    @inline(__always) static var columnCount: Int { 12 }
    /// Chains of previous values: one per path, and one for the words that all candidates share.
    @inline(__always) static var chains: Int { 17 }
    /// Size of a mask of changed words, bytes.
    @inline(__always) static var maskBytes: Int { 5 }

    static func content(of word: Int) -> WordColumn.Content {
        switch word {
        case CandidateWord.smoothedRTT, CandidateWord.rttVariation, CandidateWord.unansweredAge:
            .seconds
        case CandidateWord.room, CandidateWord.bytesInFlight, CandidateWord.congestionWindow,
            CandidateWord.identity:
            .integer
        default: .number
        }
    }
}

/// Collects decisions from the ring and encodes them into a block.
///
/// It keeps only the words of each candidate that differ from those of the same path in the
/// previous decision, so that `encode` is cheap and may be called repeatedly while the block grows.
///
/// Only the writer's thread uses it, so its properties have no run-time checks of exclusive access,
/// which cost a tenth of the writer's time.
final class DecisionBlockBuilder {
    typealias Column = DecisionBlockFormat.Column

    @inline(__always) static var decisionLimit: Int { 512 }
    @inline(__always) private static var rowLimit: Int { 4096 }

    /// The number and time of the first decision, and the number of the last.
    @exclusivity(unchecked) private(set) var firstNumber: UInt64 = 0
    @exclusivity(unchecked) private(set) var firstTime: Int64 = 0
    @exclusivity(unchecked) private(set) var lastNumber: UInt64 = 0
    @exclusivity(unchecked) private(set) var lastTime: Int64 = 0
    @exclusivity(unchecked) private(set) var count = 0
    @exclusivity(unchecked) private(set) var rows = 0
    @exclusivity(unchecked) private var listedActions = 0
    @exclusivity(unchecked) private var changedProbabilities = 0

    private let columns: UnsafeMutablePointer<Int64>
    private let draws: UnsafeMutablePointer<UInt64>
    private let paths: UnsafeMutablePointer<UInt8>
    private let masks: UnsafeMutablePointer<UInt64>
    private let listed: UnsafeMutablePointer<UInt16>
    private let probabilities: UnsafeMutablePointer<UInt64>
    private let chains: UnsafeMutablePointer<UInt64>
    private let previousProbabilities: UnsafeMutablePointer<UInt64>
    private let previousActions: UnsafeMutablePointer<UInt16>
    @exclusivity(unchecked) private var previousActionCount = 0
    private let lengths: UnsafeMutablePointer<Int>
    // `wordCapacity` words per column.
    @exclusivity(unchecked) private var words: UnsafeMutablePointer<UInt64>
    @exclusivity(unchecked) private var wordCapacity = 64
    // The rows for SQL as a JSON array without its closing bracket.
    @exclusivity(unchecked) private var text = BlockBytes()

    init() {
        let decisions = DecisionBlockBuilder.decisionLimit
        columns = .allocate(capacity: DecisionBlockFormat.columnCount * decisions)
        draws = .allocate(capacity: decisions)
        paths = .allocate(capacity: DecisionBlockBuilder.rowLimit)
        masks = .allocate(capacity: DecisionBlockBuilder.rowLimit)
        listed = .allocate(capacity: decisions * ActionDistribution.capacity)
        probabilities = .allocate(capacity: decisions * ActionDistribution.capacity)
        chains = .allocate(capacity: DecisionBlockFormat.chains * CandidateWord.count)
        previousProbabilities = .allocate(capacity: ActionDistribution.capacity)
        previousActions = .allocate(capacity: ActionDistribution.capacity)
        lengths = .allocate(capacity: CandidateWord.count)
        words = .allocate(capacity: CandidateWord.count * wordCapacity)
        begin()
    }

    deinit {
        columns.deallocate()
        draws.deallocate()
        paths.deallocate()
        masks.deallocate()
        listed.deallocate()
        probabilities.deallocate()
        chains.deallocate()
        previousProbabilities.deallocate()
        previousActions.deallocate()
        lengths.deallocate()
        words.deallocate()
    }

    var isFull: Bool {
        count == DecisionBlockBuilder.decisionLimit
            || rows > DecisionBlockBuilder.rowLimit - PathID.limit
    }

    func number(at position: Int) -> UInt64 {
        firstNumber &+ UInt64(position) &+ UInt64(bitPattern: column(.number)[position])
    }

    /// The position of the decision with this number.
    func position(of number: UInt64) -> Int? {
        guard count > 0, number >= firstNumber, number <= lastNumber else { return nil }
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            let found = self.number(at: middle)
            if found == number { return middle }
            if found < number { low = middle + 1 } else { high = middle }
        }
        return nil
    }

    @inline(__always)
    private func column(_ column: Column) -> UnsafeMutablePointer<Int64> {
        columns + column.rawValue &* DecisionBlockBuilder.decisionLimit
    }

    /// Begins the next block.
    func begin() {
        count = 0
        rows = 0
        listedActions = 0
        changedProbabilities = 0
        previousActionCount = 0
        chains.update(
            repeating: 0, count: DecisionBlockFormat.chains * CandidateWord.count)
        previousProbabilities.update(repeating: 0, count: ActionDistribution.capacity)
        lengths.update(repeating: 0, count: CandidateWord.count)
        text.removeAll()
        text.put(character: 0x5b)
    }

    /// Adds a decision from the ring; its number has to exceed the last one.
    func add(_ frame: DecisionFrame) {
        if count == 0 {
            firstNumber = frame.number
            firstTime = frame.time
        }
        let at = count
        lastNumber = frame.number
        lastTime = frame.time
        column(.number)[at] = Int64(bitPattern: frame.number &- firstNumber &- UInt64(at))
        column(.time)[at] = frame.time
        column(.bytes)[at] = frame.bytes
        column(.bytesBehind)[at] = frame.bytesBehind
        column(.deadline)[at] = frame.deadline
        column(.flags)[at] = (frame.isMessage ? 1 : 0) | (frame.isForced ? 2 : 0)
        column(.currentPath)[at] = Int64(frame.currentPath)
        column(.candidates)[at] = Int64(frame.candidates)
        column(.actions)[at] = Int64(frame.actions)
        column(.chosen)[at] = Int64(frame.chosen)
        draws[at] = frame.draw
        if rows &+ frame.candidates > wordCapacity { growWords() }
        for index in 0..<frame.candidates {
            add(candidate: frame.words + index &* CandidateWord.count)
        }
        column(.actionForm)[at] = addActions(frame)
        column(.changedProbabilities)[at] = Int64(addProbabilities(frame))
        DecisionRowText.append(
            frame, offset: frame.number &- firstNumber, after: firstTime, isFirst: at == 0,
            to: &text)
        count = at &+ 1
    }

    private func growWords() {
        let larger = UnsafeMutablePointer<UInt64>.allocate(
            capacity: CandidateWord.count * wordCapacity * 2)
        for word in 0..<CandidateWord.count {
            (larger + word * wordCapacity * 2).update(
                from: words + word * wordCapacity, count: lengths[word])
        }
        words.deallocate()
        words = larger
        wordCapacity *= 2
    }

    @inline(__always)
    private func add(candidate: UnsafePointer<UInt64>) {
        let path = UInt8(truncatingIfNeeded: candidate[CandidateWord.identity]) & 15
        let chain = chains + Int(path) &* CandidateWord.count
        let common = chains + PathID.limit &* CandidateWord.count
        let words = words
        let lengths = lengths
        let capacity = wordCapacity
        var changed: UInt64 = 0
        for word in 0..<CandidateWord.count {
            changed |= (candidate[word] == chain[word] ? 0 : 1) &<< UInt64(word)
        }
        changed &= ~CandidateWord.shared
        for word in CandidateWord.sharedWords where candidate[word] != common[word] {
            changed |= 1 &<< UInt64(word)
            common[word] = candidate[word]
        }
        paths[rows] = path
        masks[rows] = changed
        rows &+= 1
        var rest = changed
        while rest != 0 {
            let word = rest.trailingZeroBitCount
            let value = candidate[word]
            let length = lengths[word]
            chain[word] = value
            words[word &* capacity &+ length] = value
            lengths[word] = length &+ 1
            rest &= rest &- 1
        }
    }

    private func addActions(_ frame: DecisionFrame) -> Int64 {
        var isPlain = frame.actions == frame.candidates
        for index in 0..<min(frame.actions, frame.candidates) where isPlain {
            let word = frame.words[index &* CandidateWord.count &+ CandidateWord.identity]
            isPlain = frame.action(index) == 1 &<< UInt16(truncatingIfNeeded: word & 15)
        }
        var isSame = frame.actions == previousActionCount
        for index in 0..<frame.actions {
            let action = frame.action(index)
            if isSame, previousActions[index] != action { isSame = false }
            previousActions[index] = action
        }
        previousActionCount = frame.actions
        if isPlain { return 0 }
        if isSame { return 1 }
        for index in 0..<frame.actions { listed[listedActions &+ index] = previousActions[index] }
        listedActions &+= frame.actions
        return 2
    }

    private func addProbabilities(_ frame: DecisionFrame) -> UInt32 {
        var changed: UInt32 = 0
        for index in 0..<frame.actions {
            let probability = frame.probability(index)
            if probability != previousProbabilities[index] {
                previousProbabilities[index] = probability
                probabilities[changedProbabilities] = probability
                changedProbabilities &+= 1
                changed |= 1 &<< UInt32(index)
            }
        }
        return changed
    }

    /// Lends the rows for SQL of the decisions so far.
    func withText<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        text.put(character: 0x5d)
        defer { text.removeLast() }
        return body(text.bytes)
    }

    /// Encodes the decisions so far.
    func encode(into bytes: inout BlockBytes) {
        bytes.removeAll()
        bytes.put(DecisionBlockFormat.magic)
        bytes.put(UInt32(FeatureVector.count))
        bytes.put(UInt32(count))
        bytes.put(UInt32(rows))
        bytes.put(firstNumber)
        for column in Column.allCases {
            IntegerColumn.put(
                UnsafeBufferPointer(start: self.column(column), count: count), into: &bytes)
        }
        bytes.put(draws, count: count)
        bytes.put(bytes: paths, count: rows)
        let target = bytes.extend(rows &* DecisionBlockFormat.maskBytes)
        for row in 0..<rows {
            let mask = masks[row]
            let place = target + row &* DecisionBlockFormat.maskBytes
            place.storeBytes(
                of: UInt32(truncatingIfNeeded: mask).littleEndian, as: UInt32.self)
            place.storeBytes(
                of: UInt8(truncatingIfNeeded: mask &>> 32), toByteOffset: 4, as: UInt8.self)
        }
        for word in 0..<CandidateWord.count {
            WordColumn.put(
                UnsafeBufferPointer(start: words + word * wordCapacity, count: lengths[word]),
                DecisionBlockFormat.content(of: word), into: &bytes)
        }
        bytes.put(UInt32(listedActions))
        bytes.put(bytes: listed, count: listedActions * 2)
        WordColumn.put(
            UnsafeBufferPointer(start: probabilities, count: changedProbabilities), .number,
            into: &bytes)
        bytes.put(XXHash64.value(bytes.bytes))
    }
}
