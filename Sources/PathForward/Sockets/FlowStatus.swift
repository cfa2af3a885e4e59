package import PathTelemetry
package import PathTransport

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
    package let flowClass: StreamPriority
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
    /// The failed ones whose reason is known, by reason.
    package var failures: [ForwardResult.Code: UInt64] = [:]
    /// How many flows of datagrams were ended because a new source needed their place.
    package var replaced: UInt64 = 0
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
        failures.merge(other.failures) { $0 &+ $1 }
        replaced += other.replaced
        sentBytes += other.sentBytes
        receivedBytes += other.receivedBytes
        datagrams += other.datagrams
    }

    /// Counts a flow that was opened and failed.
    mutating func addFailure(_ result: ForwardResult?) {
        failed += 1
        if let result { failures[result.code, default: 0] += 1 }
    }

    /// Adds the counters of flows of datagrams.
    mutating func add(_ counters: DatagramCounters) {
        sentBytes += counters.bytesSent
        receivedBytes += counters.bytesReceived
        datagrams += counters
    }
}

extension FlowTotals {
    /// The sum of one flow of datagrams.
    init(of flow: FlowStatus) {
        self.init(flows: 1)
        if let datagrams = flow.datagrams { add(datagrams) }
    }
}

/// A flow that failed before any byte, or was ended for another one; for logs.
package struct FlowFailure: Sendable {
    package let kind: FlowStatus.Kind
    /// Who opened it; see `FlowStatus`.
    package let source: String
    package let target: String
    package let result: ForwardResult
    /// Whether the flow had begun, and was ended because a new source needed its place.
    package var wasReplaced = false
}

/// Takes failures as they happen, on a thread that must not be held up.
package typealias FailureHandler = @Sendable (FlowFailure) -> Void

/// The flows to one target of a service.
package struct TargetStatus: Sendable {
    package let kind: FlowStatus.Kind
    package let target: String
    package let totals: FlowTotals
}
