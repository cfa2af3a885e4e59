internal import PathTelemetry
internal import PathNetwork
internal import PathTransport
internal import Synchronization

/// What status shows of one flow; its owner counts, any thread reads.
final class FlowRecord: Sendable {
    let kind: FlowStatus.Kind
    let source: String
    let flowClass: StreamPriority
    let since: Instant
    private let target: Mutex<String>
    private let sent = Atomic<UInt64>(0)
    private let received = Atomic<UInt64>(0)

    init(
        _ kind: FlowStatus.Kind, source: String, target: String, flowClass: StreamPriority
    ) {
        self.kind = kind
        self.source = source
        self.flowClass = flowClass
        since = MonotonicClock.now()
        self.target = Mutex(target)
    }

    /// Counts payload that the session took.
    func countSent(_ bytes: Int) {
        sent.add(UInt64(truncatingIfNeeded: bytes), ordering: .relaxed)
    }

    /// Counts payload that came out of the session.
    func countReceived(_ bytes: Int) {
        received.add(UInt64(truncatingIfNeeded: bytes), ordering: .relaxed)
    }

    /// Names the target, once it is known.
    func setTarget(_ text: String) { target.withLock { $0 = text } }

    var sentBytes: UInt64 { sent.load(ordering: .relaxed) }
    var receivedBytes: UInt64 { received.load(ordering: .relaxed) }

    /// The bytes of this flow as a sum.
    var totals: FlowTotals {
        var totals = FlowTotals()
        totals.flows = 1
        totals.sentBytes = sentBytes
        totals.receivedBytes = receivedBytes
        return totals
    }

    var status: FlowStatus {
        FlowStatus(
            kind: kind, source: source, target: target.withLock { $0 }, flowClass: flowClass,
            sentBytes: sentBytes, receivedBytes: receivedBytes, since: since)
    }
}

/// The flows of a forward or a service.
///
/// *Any thread.*
final class FlowLedger: Sendable {
    /// What a flow is summed up under.
    private struct Goal: Hashable {
        let kind: FlowStatus.Kind
        let target: String
    }

    private struct State {
        var open: [ObjectIdentifier: FlowRecord] = [:]
        /// The open flows of datagrams.
        var datagrams: [ObjectIdentifier: DatagramFlow] = [:]
        /// Of ended flows.
        var past = FlowTotals()
        /// Of ended flows, by target; the latest ones of a bounded number.
        var goals: [Goal: FlowTotals] = [:]
    }

    /// Targets whose ended flows are remembered.
    static let goalLimit = 64

    private let state = Mutex(State())
    private let onFailure: FailureHandler?

    /// - Parameter onFailure: is told of each flow that fails and why.
    init(onFailure: FailureHandler? = nil) { self.onFailure = onFailure }

    /// Notes a new flow.
    ///
    /// - Returns: false, and nothing is noted, if there are `limit` flows.
    @discardableResult
    func begin(_ record: FlowRecord, limit: Int = .max) -> Bool {
        state.withLock { state in
            guard state.open.count < limit else { return false }
            state.open[ObjectIdentifier(record)] = record
            return true
        }
    }

    /// Notes the end of a flow; a second call does nothing.
    ///
    /// - Parameters:
    ///   - record: of the flow.
    ///   - hasFailed: whether it ended before any byte.
    ///   - failure: why it failed, if that is known.
    func end(_ record: FlowRecord, hasFailed: Bool = false, failure: ForwardResult? = nil) {
        let isKnown = state.withLock { state in
            guard state.open.removeValue(forKey: ObjectIdentifier(record)) != nil else {
                return false
            }
            FlowLedger.add(record, hasFailed || failure != nil, failure, &state)
            return true
        }
        if isKnown, let failure { report(record, failure) }
    }

    /// Notes a flow that is refused before it begins.
    func refuse(_ record: FlowRecord, _ failure: ForwardResult) {
        state.withLock { FlowLedger.add(record, true, failure, &$0) }
        report(record, failure)
    }

    private static func add(
        _ record: FlowRecord, _ hasFailed: Bool, _ failure: ForwardResult?, _ state: inout State
    ) {
        var totals = record.totals
        if hasFailed { totals.addFailure(failure) }
        add(totals, to: Goal(kind: record.kind, target: record.status.target), &state)
    }

    private static func add(_ totals: FlowTotals, to goal: Goal, _ state: inout State) {
        state.past.add(totals)
        if state.goals[goal] == nil, state.goals.count >= goalLimit,
            let least = state.goals.min(by: { $0.value.flows < $1.value.flows })
        {
            state.goals[least.key] = nil
        }
        state.goals[goal, default: FlowTotals()].add(totals)
    }

    private func report(_ record: FlowRecord, _ failure: ForwardResult) {
        let status = record.status
        onFailure?(
            FlowFailure(
                kind: status.kind, source: status.source, target: status.target, result: failure))
    }

    // MARK: flows of datagrams

    /// Notes a new flow of datagrams.
    func begin(_ flow: DatagramFlow) {
        state.withLock { $0.datagrams[ObjectIdentifier(flow)] = flow }
    }

    /// Notes the end of a flow of datagrams; a second call does nothing.
    ///
    /// - Parameter wasReplaced: whether it made room for another source.
    func end(_ flow: DatagramFlow, wasReplaced: Bool = false) {
        state.withLock { state in
            guard state.datagrams.removeValue(forKey: ObjectIdentifier(flow)) != nil else { return }
            let status = flow.status
            var totals = FlowTotals(of: status)
            totals.replaced = wasReplaced ? 1 : 0
            FlowLedger.add(totals, to: Goal(kind: status.kind, target: status.target), &state)
        }
    }

    /// Notes that the peer refuses a flow of datagrams that has begun.
    ///
    /// The flow stays, and asks again later.
    func note(_ failure: ForwardResult, of flow: FlowStatus) {
        state.withLock { state in
            var totals = FlowTotals()
            totals.addFailure(failure)
            FlowLedger.add(totals, to: Goal(kind: flow.kind, target: flow.target), &state)
        }
        report(
            FlowFailure(kind: flow.kind, source: flow.source, target: flow.target, result: failure))
    }

    /// Reports what happened to a flow, without counting it.
    func report(_ failure: FlowFailure) { onFailure?(failure) }

    // MARK: status

    /// How many connections are open.
    var openCount: Int { state.withLock { $0.open.count } }

    /// The open flows, oldest first.
    var flows: [FlowStatus] {
        let (records, datagrams) = state.withLock {
            (Array($0.open.values), Array($0.datagrams.values))
        }
        return (records.map(\.status) + datagrams.map(\.status)).sorted { $0.since < $1.since }
    }

    /// All flows, open and ended.
    var totals: FlowTotals {
        state.withLock { state in
            var totals = state.past
            for record in state.open.values { totals.add(FlowLedger.open(record.totals)) }
            for flow in state.datagrams.values {
                totals.add(FlowLedger.open(FlowTotals(of: flow.status)))
            }
            return totals
        }
    }

    private static func open(_ totals: FlowTotals) -> FlowTotals {
        var totals = totals
        totals.open = Int(clamping: totals.flows)
        return totals
    }

    /// The flows by target, open and ended; those with the most bytes first.
    var targets: [TargetStatus] {
        let goals = state.withLock { state in
            var goals = state.goals
            for record in state.open.values {
                let goal = Goal(kind: record.kind, target: record.status.target)
                goals[goal, default: FlowTotals()].add(FlowLedger.open(record.totals))
            }
            for status in state.datagrams.values.map(\.status) {
                let goal = Goal(kind: status.kind, target: status.target)
                goals[goal, default: FlowTotals()].add(FlowLedger.open(FlowTotals(of: status)))
            }
            return goals
        }
        return goals.map {
            TargetStatus(kind: $0.key.kind, target: $0.key.target, totals: $0.value)
        }.sorted {
            ($1.totals.sentBytes &+ $1.totals.receivedBytes, $0.target)
                < ($0.totals.sentBytes &+ $0.totals.receivedBytes, $1.target)
        }
    }
}
