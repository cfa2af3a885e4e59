package import PathTelemetry
internal import PathNetwork
internal import Synchronization

/// One flow, for status.
package struct FlowStatus: Sendable {
    /// What carries the flow.
    package enum Kind: String, Sendable {
        case tcp, udp, socks, http
    }

    package let kind: Kind
    /// Who opened it: the address of the application, or of the peer's application.
    package let source: String
    /// Where it leads, once that is known.
    package let target: String
    package let flowClass: FlowClass
    /// Payload into the session, bytes.
    package let sentBytes: UInt64
    /// Payload out of the session, bytes.
    package let receivedBytes: UInt64
    package let since: Instant
    /// What became of the datagrams; nil for connections.
    package var datagrams: DatagramCounters?
}

/// All flows of a forward or a service since it began.
package struct FlowTotals: Hashable, Sendable {
    /// How many are open.
    package var open = 0
    /// How many were opened.
    package var flows: UInt64 = 0
    /// How many failed before any byte: denied, refused, or without an answer.
    package var failed: UInt64 = 0
    /// Payload into the session, bytes; of ended flows too.
    package var sentBytes: UInt64 = 0
    /// Payload out of the session, bytes; of ended flows too.
    package var receivedBytes: UInt64 = 0
    /// What became of datagrams; of ended flows too.
    package var datagrams = DatagramCounters()

    /// Adds the totals of another forward.
    package mutating func add(_ other: FlowTotals) {
        open += other.open
        flows += other.flows
        failed += other.failed
        sentBytes += other.sentBytes
        receivedBytes += other.receivedBytes
        datagrams += other.datagrams
    }

    /// Adds the counters of flows of datagrams.
    mutating func add(_ counters: DatagramCounters) {
        sentBytes += counters.bytesSent
        receivedBytes += counters.bytesReceived
        datagrams += counters
    }
}

/// What status shows of one flow; its owner counts, any thread reads.
final class FlowRecord: Sendable {
    let kind: FlowStatus.Kind
    let source: String
    let flowClass: FlowClass
    let since: Instant
    private let target: Mutex<String>
    private let sent = Atomic<UInt64>(0)
    private let received = Atomic<UInt64>(0)

    init(
        _ kind: FlowStatus.Kind, source: String, target: String, flowClass: FlowClass
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
    private struct State {
        var open: [ObjectIdentifier: FlowRecord] = [:]
        /// Of ended flows.
        var past = FlowTotals()
    }
    private let state = Mutex(State())

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
    func end(_ record: FlowRecord, hasFailed: Bool = false) {
        state.withLock { state in
            guard state.open.removeValue(forKey: ObjectIdentifier(record)) != nil else { return }
            state.past.flows += 1
            if hasFailed { state.past.failed += 1 }
            state.past.sentBytes += record.sentBytes
            state.past.receivedBytes += record.receivedBytes
        }
    }

    /// How many flows are open.
    var openCount: Int { state.withLock { $0.open.count } }

    /// The open flows, oldest first.
    var flows: [FlowStatus] {
        state.withLock { Array($0.open.values) }.map(\.status).sorted { $0.since < $1.since }
    }

    /// All flows, open and ended.
    var totals: FlowTotals {
        state.withLock { state in
            var totals = state.past
            totals.open = state.open.count
            totals.flows += UInt64(state.open.count)
            for record in state.open.values {
                totals.sentBytes += record.sentBytes
                totals.receivedBytes += record.receivedBytes
            }
            return totals
        }
    }
}
