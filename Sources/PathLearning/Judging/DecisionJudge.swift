import DenseMath
import PathTelemetry

/// Notes of each decision what others would have done: a policy in the shadow, the steady rule, and
/// each path alone.
///
/// It decides nothing and draws nothing that a decision uses, so traffic is the same, packet for packet,
/// with and without it. The policy in the shadow learns from all outcomes, as in a replay of a recording
/// (`PolicyReplay`). Nothing is allocated once its buffers have grown. `lin-ts` in the shadow, or while
/// it decides, costs microseconds a decision, because its probabilities are worked out here.
///
/// - *handle*: `note` once a decision is open, `close` when its outcome is known, `learn` before the next
///   decision; `exchange`;
/// - *poll*: `poll` until it returns nil.
public struct DecisionJudge: Sendable {
    /// Who is judged.
    private(set) var shadow: PathSelector?
    /// The number of the rows from now on; each change of a policy has another one.
    private var number: UInt32 = 0
    private let cost: Cost
    private var steady = SteadyPolicy()
    private var expectations = PathExpectations()
    /// The shadow's latest decision.
    private var own = Decision()
    /// What was noted of decisions, by their numbers.
    private var notes: [Note] = []
    private var mask = -1
    /// The first decision from whose outcome the shadow learns.
    private var firstOwn: UInt64 = 0
    private var rows: [JudgedDecision] = []
    private var rowsHead = 0

    /// The most rows that wait to be polled; beyond that the outcomes are not judged.
    private static let rowLimit = 8192

    private struct Note: Sendable {
        /// Of the decision; nil if the note is of none.
        var decision: UInt64?
        var memo: UInt64 = 0
        var isJudged = false
        /// Complete but for the outcome.
        var row: JudgedDecision
        var bytes = 0
        /// Prices of 10^9 bytes by path number.
        var prices = InlineArray<16, Double>(repeating: 0)
    }

    /// - Parameters:
    ///   - judging: who is judged; nil is returned for nobody.
    ///   - cost: the cost of a decision.
    public init?(_ judging: Judging, cost: Cost = Cost()) {
        guard judging.isOn else { return nil }
        self.cost = cost
        shadow = judging.shadow.map { PathSelector($0.policy, cost: cost) }
    }

    // MARK: handle

    /// Notes a decision that was opened.
    ///
    /// - Parameters:
    ///   - decision: its number.
    ///   - ledger: knows which earlier decisions still wait for their outcomes.
    mutating func note(
        _ decision: UInt64, _ candidates: borrowing CandidateSet, _ burst: BurstContext,
        now: Instant, _ made: borrowing Decision, _ ledger: borrowing BurstLedger
    ) {
        let slot = slot(of: decision, ledger)
        notes[slot].decision = decision
        notes[slot].memo = 0
        notes[slot].isJudged = false
        let all = candidates.storage.span.extracting(first: candidates.count)
        shadow?.decide(
            among: all, burst: burst, now: now, taking: made.action, into: &own)
        if shadow != nil { notes[slot].memo = own.memo }
        guard !made.isForced, candidates.count > 1 else { return }
        let usual = steady.choice(among: all, burst: burst)
        if made.distribution.isOpen {
            var worked = made.distribution
            worked.workOut(chosen: made.chosen)
            judge(slot, decision, all, burst, worked, made.chosen, usual)
        } else {
            judge(slot, decision, all, burst, made.distribution, made.chosen, usual)
        }
    }

    /// The place of a decision's note; notes of decisions that are still open keep theirs while there
    /// is room.
    private mutating func slot(of decision: UInt64, _ ledger: borrowing BurstLedger) -> Int {
        let place = Int(truncatingIfNeeded: decision) & mask
        if mask >= 0 {
            guard let earlier = notes[place].decision, ledger.isOpen(earlier),
                notes.count < BurstLedger.capacityLimit
            else { return place }
        }
        grow()
        return Int(truncatingIfNeeded: decision) & mask
    }

    @inline(never)
    private mutating func grow() {
        let size = max(64, notes.count * 2)
        var larger = [Note](repeating: Note(row: JudgedDecision(judge: number)), count: size)
        for note in notes {
            guard let decision = note.decision else { continue }
            larger[Int(truncatingIfNeeded: decision) & (size - 1)] = note
        }
        notes = larger
        mask = size - 1
        rows.reserveCapacity(64)
    }

    private mutating func judge(
        _ slot: Int, _ decision: UInt64, _ all: Span<Candidate>, _ burst: BurstContext,
        _ made: borrowing ActionDistribution, _ chosen: Int, _ usual: Int
    ) {
        let trafficClass = burst.trafficClass
        let taken = made.action(chosen)
        // Without price: the best of several paths counts, but each one's bytes are paid.
        var expected = ExpectedCosts(burst: burst, rule: cost)
        notes[slot].row.offered = .wait
        notes[slot].row.load = 0
        for index in all.indices {
            let path = all[index].path
            let place = path.index & 15
            let prediction = SafeSet.bounded(all[index].predictedDelivery)
            expected.costs[place] =
                naturalLogarithm(prediction) + expectations.residual(path, trafficClass)
            expected.prices[place] = all[index].traits.pricePerGB
            notes[slot].row.offered.insert(PathSet(path))
            let opinion = JudgedDecision.PathOpinion(
                probability: ExpectedCosts.probability(of: PathSet(path), in: made),
                expectedCost: expected.cost(of: PathSet(path)))
            notes[slot].row.paths[place] = opinion
            if taken.first == path, all[index].congestionWindow > 0 {
                let load =
                    Double(all[index].bytesInFlight) / Double(all[index].congestionWindow)
                notes[slot].row.load = min(1, max(0, load))
            }
        }
        notes[slot].isJudged = true
        notes[slot].bytes = burst.bytes
        notes[slot].prices = expected.prices
        notes[slot].row.judge = number
        notes[slot].row.number = decision
        notes[slot].row.trafficClass = trafficClass
        notes[slot].row.action = taken
        notes[slot].row.propensity = made[chosen]
        notes[slot].row.expectedCost = expected.cost(of: taken)
        notes[slot].row.pricePerGB = expected.price(of: taken)
        notes[slot].row.shadow =
            shadow == nil ? nil : expected.opinion(own.distribution, taken, made)
        notes[slot].row.steady = expected.opinion(PathSet(all[usual].path), taken, made)
    }

    // MARK: outcomes

    private func index(of decision: UInt64) -> Int? {
        guard mask >= 0 else { return nil }
        let place = Int(truncatingIfNeeded: decision) & mask
        return notes[place].decision == decision ? place : nil
    }

    /// Takes the outcome of a decision; the next decisions expect what it shows.
    mutating func close(_ closed: borrowing BurstLedger.Closed) {
        let outcome = closed.outcome
        let open = closed.open
        expectations.learn(
            open.path, open.burst.trafficClass,
            residual: cost.residual(
                predictedDelivery: open.predictedDelivery, outcome: outcome),
            now: outcome.closedAt)
        guard let place = index(of: outcome.decision), notes[place].isJudged,
            rows.count < DecisionJudge.rowLimit
        else { return }
        notes[place].isJudged = false
        var price = 0.0
        var paths = notes[place].row.offered
        while let path = paths.popFirst() {
            let bytes =
                outcome.bytes.isEmpty
                ? (notes[place].row.action.contains(path) ? notes[place].bytes : 0)
                : outcome.bytes[path]
            price += cost.price(bytes: bytes, pricePerGB: notes[place].prices[path.index & 15])
        }
        notes[place].row.cost = cost.total(outcome: outcome, price: price)
        notes[place].row.isLate = outcome.isLate
        notes[place].row.delivery = outcome.delivery
        notes[place].row.deadline = outcome.deadline
        let copies = Double(max(1, notes[place].row.action.count))
        notes[place].row.bytes =
            outcome.bytes.isEmpty
            ? Double(notes[place].bytes) : Double(outcome.bytes.total) / copies
        rows.append(notes[place].row)
    }

    /// Teaches the shadow an outcome, in the order in which the policy that decides learns them.
    mutating func learn(_ closed: borrowing BurstLedger.Closed) {
        let outcome = closed.outcome
        guard shadow != nil, outcome.decision >= firstOwn,
            let place = index(of: outcome.decision)
        else { return }
        shadow?.learn(Feedback(closed, memo: notes[place].memo))
    }

    /// The next judged decision.
    public mutating func poll() -> JudgedDecision? {
        guard rowsHead < rows.count else { return nil }
        defer { rowsHead += 1 }
        let row = rows[rowsHead]
        if rowsHead + 1 == rows.count {
            rows.removeAll(keepingCapacity: true)
            rowsHead = -1
        }
        return row
    }

    // MARK: change

    /// Begins another number of rows; decisions that were noted before are not judged.
    mutating func begin(_ number: UInt32) {
        self.number = number
        for index in notes.indices { notes[index].isJudged = false }
        rows.removeAll(keepingCapacity: true)
        rowsHead = 0
    }

    /// Lets the shadow decide, and the policy that decided be the shadow, each with all that it has
    /// learned; returns false without a shadow.
    ///
    /// Outcomes of earlier decisions teach neither of them. A former policy that cannot be in the shadow
    /// is dropped.
    ///
    /// - Parameters:
    ///   - selector: of the policy that decides.
    ///   - next: the number of the next decision.
    mutating func exchange(with selector: inout PathSelector, next: UInt64) -> Bool {
        guard shadow != nil else { return false }
        shadow?.exchangePolicy(with: &selector)
        if let former = shadow, !ShadowPolicy.allows(former.specification) { shadow = nil }
        firstOwn = next
        return true
    }
}

extension JudgedDecision {
    /// A row without a decision.
    init(judge: UInt32) {
        self.init(
            judge: judge, number: 0, trafficClass: .stream, action: .wait, propensity: 0,
            expectedCost: 0, cost: 0, isLate: false, delivery: nil, deadline: 0, bytes: 0,
            pricePerGB: 0, load: 0, shadow: nil, steady: Opinion(), offered: .wait,
            paths: InlineArray(repeating: PathOpinion()))
    }
}
