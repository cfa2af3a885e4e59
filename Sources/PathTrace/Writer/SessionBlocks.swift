/// The writer's state of one session: the open block, and the outcomes of recent blocks.
///
/// Only the writer's thread uses it.
final class SessionBlocks {
    /// The outcomes of a block that is already written.
    struct Closed {
        /// The block's row number.
        var id: Int64
        var firstNumber: UInt64
        var firstTime: Int64
        var count: Int
        /// The difference of each number from the first number plus its position; empty if all are
        /// zero.
        var gaps: [Int64]
        var outcomes: OutcomeStore
        var isDirty = false

        func position(of number: UInt64) -> Int? {
            guard number >= firstNumber else { return nil }
            let distance = number &- firstNumber
            guard !gaps.isEmpty else { return distance < UInt64(count) ? Int(distance) : nil }
            // Numbers ascend, so a binary search finds the position.
            var low = 0
            var high = count
            while low < high {
                let middle = (low + high) / 2
                let found = UInt64(middle) &+ UInt64(bitPattern: gaps[middle])
                if found == distance { return middle }
                if found < distance { low = middle + 1 } else { high = middle }
            }
            return nil
        }
    }

    /// The most blocks whose outcomes are kept in memory; those of older ones are read back.
    static let closedLimit = 64
    /// The most outcomes that may wait for decisions that have not arrived.
    static let earlyLimit = 8192

    let session: SessionID
    let builder = DecisionBlockBuilder()
    /// Outcomes of the open block.
    @exclusivity(unchecked) var outcomes = OutcomeStore()
    /// When the open block got its first decision.
    @exclusivity(unchecked) var begun: Int64 = 0
    @exclusivity(unchecked) var hasNewDecisions = false
    @exclusivity(unchecked) var hasNewOutcomes = false
    /// Written blocks that lack some outcomes, in the order of their numbers.
    @exclusivity(unchecked) var closed: [Closed] = []
    @exclusivity(unchecked) var early: [OutcomeFrame] = []
    @exclusivity(unchecked) var lastNumber: UInt64?
    @exclusivity(unchecked) var isEnded = false

    init(session: SessionID) { self.session = session }

    var isDirty: Bool { hasNewDecisions || hasNewOutcomes || closed.contains { $0.isDirty } }

    /// The row number of the open block.
    var openID: Int64 {
        Int64(session.rawValue) << 40 | Int64(bitPattern: builder.firstNumber)
    }

    /// Closes the open block and begins the next.
    func close() {
        var gaps: [Int64] = []
        let count = builder.count
        if builder.lastNumber != builder.firstNumber &+ UInt64(count - 1) {
            gaps = (0..<count).map {
                Int64(bitPattern: builder.number(at: $0) &- builder.firstNumber &- UInt64($0))
            }
        }
        if outcomes.count < count {
            closed.append(
                Closed(
                    id: openID, firstNumber: builder.firstNumber, firstTime: builder.firstTime,
                    count: count, gaps: gaps, outcomes: outcomes))
            outcomes = OutcomeStore()
        } else {
            outcomes.removeAll()
        }
        builder.begin()
    }

    /// Stores an outcome of the open block or of a recent one.
    ///
    /// - Returns: false if there is one already; nil if the decision is in neither.
    func add(_ outcome: OutcomeFrame) -> Bool? {
        if builder.count > 0, outcome.number >= builder.firstNumber {
            guard let position = builder.position(of: outcome.number) else { return nil }
            guard outcomes.set(position, outcome) else { return false }
            hasNewOutcomes = true
            return true
        }
        for index in closed.indices.reversed() where closed[index].firstNumber <= outcome.number {
            guard let position = closed[index].position(of: outcome.number) else { return nil }
            guard closed[index].outcomes.set(position, outcome) else { return false }
            closed[index].isDirty = true
            return true
        }
        return nil
    }
}
