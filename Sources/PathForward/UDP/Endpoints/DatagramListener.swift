import PathNetwork
import PathTelemetry
import PathTransport
import Pathwise
import Synchronization

/// A local UDP socket whose senders become flows, one for each source address.
///
/// It is bound once and outlives sessions: `attach` gives it the router of the current one, and each
/// flow that has something to send opens its lease there. Without a session its datagrams are
/// dropped and counted.
final class DatagramListener: Sendable {
    /// What a listener's flows ask of the peer.
    enum Destination: Hashable, Sendable {
        /// All flows go to one target.
        case target(ForwardTarget)
        /// The peer asked for the listener by the stream `lease`, and knows where flows go.
        case lease(UInt64)
        /// A relay of SOCKS, whose client names a target in each datagram.
        ///
        /// Only datagrams of this client are taken. If its port is zero, the first of its datagrams
        /// tells the port.
        case socks(client: SocketAddress)
    }

    private struct State {
        var router: DatagramRouter?
        var flows: [SocketAddress: DatagramFlow] = [:]
        /// Counters of flows that have ended, and of datagrams without a flow.
        var ended = DatagramCounters()
        /// How many flows there were.
        var begun: UInt64 = 0
        /// How many were ended because another source needed their place, and when that was last said.
        var replaced: UInt64 = 0
        var saidReplaced: Instant?
        /// Those whose openings the peer refused.
        var refused = FlowTotals()
        var refusal: ForwardResult?
        var isClosed = false
    }

    /// The address that it is bound to, with the port that the system chose if none was given.
    let localAddress: SocketAddress
    let destination: Destination
    let options: FlowOptions
    let limits: DatagramLimits
    private let onFailure: FailureHandler?
    private let ledger: FlowLedger?
    private let shared: SharedSocket
    private let loop: DatagramLoop
    private let token = Mutex<UInt64?>(nil)
    private let state = Mutex(State())

    /// Replaced flows are said once in this time.
    private static let noticeInterval = TimeDelta.seconds(60)

    /// Binds the socket and begins to take datagrams.
    ///
    /// - Parameters:
    ///   - listen: the address.
    ///   - destination: where the flows lead.
    ///   - options: of the flows.
    ///   - limits: of the flows.
    ///   - onFailure: is told of each flow that the peer refuses, and now and then of one that made
    ///     room for another.
    ///   - ledger: counts the flows, too, and is told of failures instead; nil for a listener of this
    ///     side's forwards, which are counted here alone.
    /// - Throws: `NetworkError.system` with the step that failed; a port in use is one.
    init(
        listen: SocketAddress, destination: Destination, options: FlowOptions = FlowOptions(),
        limits: DatagramLimits = DatagramLimits(), onFailure: FailureHandler? = nil,
        ledger: FlowLedger? = nil
    ) throws(NetworkError) {
        let shared = SharedSocket(try DatagramSocket(local: listen))
        loop = try DatagramLoop.shared()
        self.shared = shared
        self.destination = destination
        self.options = options
        self.limits = limits
        self.onFailure = onFailure
        self.ledger = ledger
        localAddress = shared.socket.localAddress
        let added = try loop.add(shared.socket.descriptor, self, sweepEvery: limits.idle / 4)
        token.withLock { $0 = added }
    }

    /// Uses the session of a router from now on.
    func attach(_ router: DatagramRouter) { state.withLock { $0.router = router } }

    /// Keeps the flows and waits for another session.
    func detach() {
        let flows = state.withLock { state in
            state.router = nil
            return Array(state.flows.values)
        }
        for flow in flows { flow.end() }
    }

    /// Ends all flows and closes the socket.
    func close() {
        let added = token.withLock { token in
            defer { token = nil }
            return token
        }
        if let added { loop.remove(shared.socket.descriptor, added) }
        let flows = state.withLock { state in
            state.isClosed = true
            state.router = nil
            let flows = state.flows
            for (source, flow) in flows { remove(flow, of: source, &state) }
            return Array(flows.values)
        }
        for flow in flows { flow.end() }
        // Readers of sessions may keep the socket for a moment; the port is free at once.
        shared.socket.unbind()
    }

    /// Forgets a flow that ends, and counts it.
    private func remove(
        _ flow: DatagramFlow, of source: SocketAddress, _ state: inout State,
        wasReplaced: Bool = false
    ) {
        state.ended += flow.counters
        state.flows[source] = nil
        if wasReplaced { state.replaced += 1 }
        ledger?.end(flow, wasReplaced: wasReplaced)
    }

    // MARK: status

    /// Counters of all flows since the listener was opened.
    var counters: DatagramCounters {
        state.withLock { state in
            state.flows.values.reduce(into: state.ended) { $0 += $1.counters }
        }
    }

    /// The latest refusal of the peer; nil if it refused none.
    var refusal: ForwardResult? { state.withLock { $0.refusal } }

    /// The open flows, oldest first.
    func flows() -> [FlowStatus] {
        state.withLock { Array($0.flows.values) }.map(\.status).sorted { $0.since < $1.since }
    }

    /// All flows since the listener was opened.
    var totals: FlowTotals {
        let counters = counters
        return state.withLock { state in
            var totals = state.refused
            totals.add(counters)
            totals.open = state.flows.count
            totals.flows = state.begun
            totals.replaced = state.replaced
            return totals
        }
    }
}

// MARK: the loop's thread

extension DatagramListener: DatagramOwner {
    func handleReady(_ scratch: inout DatagramScratch, hasFault: Bool) {
        for _ in 0..<DatagramScratch.calls {
            guard case .received(let count) = shared.socket.receive(into: &scratch.batch) else {
                break
            }
            take(count, &scratch)
            if count < scratch.batch.capacity { break }
        }
        let refused = hasFault ? shared.socket.drainFaults() : 0
        if refused > 0 { state.withLock { $0.ended.refused += UInt64(refused) } }
    }

    private func take(_ count: Int, _ scratch: inout DatagramScratch) {
        scratch.clear()
        let now = MonotonicClock.now()
        let router = state.withLock { $0.router }
        for index in 0..<count {
            let message = scratch.batch.message(index)
            guard let bytes = payload(of: message), let flow = flow(of: message, now: now) else {
                state.withLock { $0.ended.dropped += 1 }
                continue
            }
            guard let router, router.admits(bytes.count, now: now),
                let header = header(flow, message, router, now: now)
            else {
                flow.noteDropped()
                continue
            }
            scratch.append(flow, header, bytes)
        }
        router?.send(&scratch, options: options)
    }

    /// What the message carries; nil for a datagram that is not taken.
    private func payload(of message: ReceivedMessage) -> UnsafeMutableRawBufferPointer? {
        guard case .socks(let client) = destination else { return message.bytes }
        guard message.remote.with(port: client.port) == client,
            SocksDatagram.target(in: UnsafeRawBufferPointer(message.bytes)) != nil
        else { return nil }
        return UnsafeMutableRawBufferPointer(
            rebasing: message.bytes[SocksDatagram.headerLength...])
    }

    private func header(
        _ flow: DatagramFlow, _ message: ReceivedMessage, _ router: DatagramRouter, now: Instant
    ) -> DatagramHeader? {
        if let header = flow.header(trafficClass: message.trafficClass, now: now) { return header }
        guard flow.mayOpen(now: now) else { return nil }
        let source = message.remote
        let opened = router.open(flow, opening(from: source)) { [weak self] refusal in
            self?.note(refusal, of: flow.status)
        }
        return opened ? flow.header(trafficClass: message.trafficClass, now: now) : nil
    }

    private func note(_ refusal: ForwardResult, of flow: FlowStatus) {
        state.withLock { state in
            state.refusal = refusal
            state.refused.addFailure(refusal)
        }
        if let ledger { return ledger.note(refusal, of: flow) }
        onFailure?(
            FlowFailure(kind: .udp, source: flow.source, target: flow.target, result: refusal))
    }

    /// Says that a flow made room for another, unless that was said a moment ago.
    private func noteReplaced(_ flow: DatagramFlow, now: Instant) {
        let isDue = state.withLock { state in
            if let said = state.saidReplaced, now - said < DatagramListener.noticeInterval {
                return false
            }
            state.saidReplaced = now
            return true
        }
        guard isDue else { return }
        let status = flow.status
        let limit = NumberText.count(limits.flowsOfListener)
        let failure = FlowFailure(
            kind: .udp, source: status.source, target: status.target,
            result: ForwardResult(
                .limitReached,
                "\(limit) sources have a flow at \(localAddress), the limit, and a new one takes the "
                    + "place of the one that was idle the longest"),
            wasReplaced: true)
        if let ledger { ledger.report(failure) } else { onFailure?(failure) }
    }

    private func opening(from source: SocketAddress) -> Opening {
        switch destination {
        case .target(let target): .datagrams(.target(target), options)
        case .lease(let lease):
            .datagrams(.lease(lease, source: ForwardTarget(source)), options)
        case .socks: .datagrams(.any, options)
        }
    }

    /// The flow of a source, which its first datagram begins.
    private func flow(of message: ReceivedMessage, now: Instant) -> DatagramFlow? {
        let source = message.remote
        let (found, replaced): (DatagramFlow?, DatagramFlow?) = state.withLock { state in
            if let flow = state.flows[source] { return (flow, nil) }
            if state.isClosed { return (nil, nil) }
            var replaced: DatagramFlow?
            if case .socks(let client) = destination {
                // One client has one port: the one that it announced, or that of its first datagram.
                guard client.port == source.port || client.port == 0 && state.flows.isEmpty
                else { return (nil, nil) }
            } else if state.flows.count >= limits.flowsOfListener,
                let oldest = state.flows.min(by: { $0.value.lastActive < $1.value.lastActive })
            {
                remove(oldest.value, of: oldest.key, &state, wasReplaced: true)
                replaced = oldest.value
            }
            let label = DatagramFlow.Label(source: "\(source)", target: targetText)
            let flow = DatagramFlow(
                outlet(to: message), label, options: options, loop: loop, now: now)
            state.flows[source] = flow
            state.begun += 1
            ledger?.begin(flow)
            return (flow, replaced)
        }
        if let replaced {
            replaced.end()
            noteReplaced(replaced, now: now)
        }
        return found
    }

    private func outlet(to message: ReceivedMessage) -> DatagramFlow.Outlet {
        // A socket that listens on all addresses answers from the one that was asked.
        let local = localAddress.isUnspecified ? message.local : nil
        if case .socks = destination { return .socks(shared, message.remote, local: local) }
        return .source(shared, message.remote, local: local)
    }

    private var targetText: String {
        switch destination {
        case .target(let target): "\(target)"
        case .lease: "peer of \(localAddress)"
        case .socks: "any"
        }
    }

    func sweep(now: Instant) {
        let idle = state.withLock { state in
            let idle = state.flows.filter { now - $0.value.lastActive >= limits.idle }
            for (source, flow) in idle { remove(flow, of: source, &state) }
            return Array(idle.values)
        }
        for flow in idle { flow.end() }
    }
}
