import PathNetwork
import PathTelemetry
import PathTransport
import Pathwise
import Synchronization

/// A socket that several flows and threads use.
final class SharedSocket: Sendable {
    let socket: DatagramSocket

    init(_ socket: consuming DatagramSocket) { self.socket = socket }
}

/// One flow of datagrams between a local socket and the session.
///
/// Its lease is a stream; messages carry the stream's number. A flow outlives its lease: in the next
/// session it gets another. *Loop's thread*: `header`, `noteQueued`, `releaseHeld`. *Reader of the
/// session*: `deliver`. *Any thread*: the rest.
final class DatagramFlow: Sendable {
    /// Where datagrams of the peer leave.
    enum Outlet {
        /// To a program that sends to a listening socket, from the address that it sent to.
        case source(SharedSocket, SocketAddress, local: SocketAddress?)
        /// The same to a client of SOCKS, whose header they get.
        case socks(SharedSocket, SocketAddress, local: SocketAddress?)
        /// To the only peer of a socket.
        case target(SharedSocket)
        /// To the target that each datagram names.
        case any(OpenTargets)
    }

    /// The stream that stands for the flow in one session.
    struct Lease: Sendable {
        let number: UInt64
        let stream: SessionStream
        /// Reads the stream until the peer ends it.
        let watch: Task<Void, Never>
    }

    private struct State: Sendable {
        var lease: Lease?
        /// After a refusal no lease is asked for until then.
        var refusedUntil = Instant.zero
        var lastActive: Instant
        /// The next number, in ordered flows.
        var sequence: UInt64 = 0
        var resequencer: Resequencer<HeldDatagram>?
        var counters = DatagramCounters()
    }

    private struct HeldDatagram: Sendable {
        /// With three bytes before the datagram, for the header of SOCKS.
        var bytes: [UInt8]
        var trafficClass: UInt8
    }

    /// Bytes before the datagram that `deliver` may overwrite: the header of SOCKS.
    static let prefix = 3

    /// Who sends here, and where it leads, for status.
    struct Label: Sendable {
        var source: String
        var target: String
    }

    let outlet: Outlet
    let options: FlowOptions
    private let label: Label
    private let since: Instant
    private let loop: DatagramLoop
    private let state: Mutex<State>

    init(
        _ outlet: Outlet, _ label: Label, options: FlowOptions, loop: DatagramLoop, now: Instant
    ) {
        self.outlet = outlet
        self.label = label
        self.options = options
        self.loop = loop
        since = now
        state = Mutex(State(lastActive: now))
    }

    var status: FlowStatus {
        let counters = counters
        return FlowStatus(
            kind: .udp, source: label.source, target: label.target,
            flowClass: options.datagramClass,
            sentBytes: counters.bytesSent, receivedBytes: counters.bytesReceived, since: since,
            datagrams: counters)
    }
    var counters: DatagramCounters { state.withLock { $0.counters } }
    var lastActive: Instant { state.withLock { $0.lastActive } }
    /// Whether a lease may be asked for.
    func mayOpen(now: Instant) -> Bool { state.withLock { now >= $0.refusedUntil } }

    // MARK: lease

    /// Begins in a session.
    ///
    /// - Parameter watch: starts the task that reads the stream; what it ends is there by then.
    func begin(_ number: UInt64, _ stream: SessionStream, watch: () -> Task<Void, Never>) {
        let ordered = options.ordered
        state.withLock { state in
            state.lease = Lease(number: number, stream: stream, watch: watch())
            state.sequence = 0
            state.resequencer = ordered.map { Resequencer(patience: $0) }
        }
    }

    /// Forgets the lease with this number, if it is the current one, and ends its stream.
    ///
    /// - Parameter refusedUntil: when the next may be asked for.
    func end(_ number: UInt64, refusedUntil: Instant = .zero) {
        let lease: Lease? = state.withLock { state in
            guard let lease = state.lease, lease.number == number else { return nil }
            state.lease = nil
            state.refusedUntil = refusedUntil
            return lease
        }
        lease?.stream.cancel(code: 0)
        lease?.watch.cancel()
    }

    /// Ends the current lease.
    func end() {
        if let number = state.withLock({ $0.lease?.number }) { end(number) }
    }

    // MARK: to the session

    /// The header of the next datagram to the session; nil without a lease.
    func header(trafficClass: UInt8, now: Instant) -> DatagramHeader? {
        let isOrdered = options.ordered != nil
        return state.withLock { state in
            state.lastActive = now
            guard let number = state.lease?.number else { return nil }
            var header = DatagramHeader(flow: number, trafficClass: trafficClass)
            if isOrdered {
                header.sequence = state.sequence
                state.sequence += 1
            }
            return header
        }
    }

    func noteQueued(_ bytes: Int) {
        state.withLock { state in
            state.counters.datagramsSent += 1
            state.counters.bytesSent += UInt64(bytes)
        }
    }

    func noteDropped() { state.withLock { $0.counters.dropped += 1 } }
    func noteExpired() { state.withLock { $0.counters.expired += 1 } }
    func noteRefused(_ count: Int) { state.withLock { $0.counters.refused += UInt64(count) } }

    // MARK: from the session

    /// Hands over a datagram of the peer, or holds it for its predecessor.
    ///
    /// - Parameter bytes: what follows the traffic class in the message; the bytes before it, as
    ///   many as `prefix`, may be overwritten.
    func deliver(_ bytes: UnsafeMutableRawBufferPointer, trafficClass: UInt8, now: Instant) {
        let due = state.withLock { state in
            state.lastActive = now
            guard state.resequencer != nil else {
                emit(bytes, trafficClass, now, &state.counters)
                return Instant.distantFuture
            }
            return deliverInOrder(bytes, trafficClass, now, &state)
        }
        if due != .distantFuture { loop.schedule(self, at: due) }
    }

    private func deliverInOrder(
        _ bytes: UnsafeMutableRawBufferPointer, _ trafficClass: UInt8, _ now: Instant,
        _ state: inout State
    ) -> Instant {
        guard let (sequence, length) = DatagramHeader.number(UnsafeRawBufferPointer(bytes)) else {
            state.counters.dropped += 1
            return .distantFuture
        }
        let datagram = UnsafeMutableRawBufferPointer(rebasing: bytes[length...])
        switch state.resequencer?.accept(sequence) {
        case .early:
            var copy = [UInt8](repeating: 0, count: DatagramFlow.prefix)
            copy.append(contentsOf: datagram)
            state.resequencer?.hold(
                HeldDatagram(bytes: copy, trafficClass: trafficClass), bytes: copy.count,
                sequence: sequence, now: now)
        case .late:
            state.counters.late += 1
            emit(datagram, trafficClass, now, &state.counters)
        case .inOrder, nil: emit(datagram, trafficClass, now, &state.counters)
        }
        return release(now: now, &state)
    }

    /// Hands over the datagrams that have waited long enough.
    func releaseHeld(now: Instant) {
        let due = state.withLock { state in release(now: now, &state) }
        if due != .distantFuture { loop.schedule(self, at: due) }
    }

    /// - Returns: when the next one has waited long enough.
    private func release(now: Instant, _ state: inout State) -> Instant {
        while var held = state.resequencer?.popReady(now: now) {
            held.bytes.withUnsafeMutableBytes { bytes in
                emit(
                    UnsafeMutableRawBufferPointer(rebasing: bytes[DatagramFlow.prefix...]),
                    held.trafficClass, now, &state.counters)
            }
        }
        return state.resequencer?.due ?? .distantFuture
    }

    /// Sends a datagram from the local socket; what it does not take is lost, as in a network.
    private func emit(
        _ bytes: UnsafeMutableRawBufferPointer, _ trafficClass: UInt8, _ now: Instant,
        _ counters: inout DatagramCounters
    ) {
        let datagram = UnsafeRawBufferPointer(bytes)
        let isSent: Bool
        switch outlet {
        case .source(let shared, let address, let local):
            isSent =
                shared.socket.send(
                    datagram, to: address, from: local, trafficClass: trafficClass) == nil
        case .socks(let shared, let address, let local):
            isSent =
                shared.socket.send(
                    SocksDatagram.withHeader(bytes), to: address, from: local,
                    trafficClass: trafficClass) == nil
        case .target(let shared):
            isSent = shared.socket.send(datagram, trafficClass: trafficClass) == nil
        case .any(let targets):
            isSent = targets.send(datagram, trafficClass: trafficClass, now: now)
        }
        guard isSent else {
            counters.dropped += 1
            return
        }
        counters.datagramsReceived += 1
        counters.bytesReceived += UInt64(datagram.count)
    }
}
