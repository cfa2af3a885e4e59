import PathNetwork
import PathTelemetry
import PathTransport
import Synchronization

/// The sockets of a flow whose datagrams name their targets: one for each address family.
///
/// Each target is looked up and held against the rules once, off the reader's thread; meanwhile up
/// to 16 of its datagrams wait. Answers are taken only from addresses that the flow has sent to. At
/// most 256 targets are known at once.
final class OpenTargets: DatagramOwner {
    static let limit = 256
    static let waiting = 16
    /// Most bytes of all datagrams that wait.
    static let waitingBytes = 256 << 10
    /// How long an answer of the rules and of the name server is used.
    static let lifetime = TimeDelta.seconds(60)

    private struct Waiting {
        var bytes: [UInt8]
        var trafficClass: UInt8
    }
    private enum Verdict {
        case pending([Waiting])
        case allowed(SocketAddress)
        case denied
    }
    private struct Entry {
        var verdict: Verdict
        var since: Instant
    }
    private struct Socket {
        var shared: SharedSocket
        var token: UInt64
    }
    private struct State {
        var targets: [DatagramHost: Entry] = [:]
        var waitingBytes = 0
        /// Where answers may come from, and when it was last sent to.
        var peers: [SocketAddress: Instant] = [:]
        var sockets: [SocketAddress.Family: Socket] = [:]
        var flow: DatagramFlow?
        var isClosed = false
    }

    private let options: FlowOptions
    private let router: DatagramRouter
    private let limits: DatagramLimits
    private let loop: DatagramLoop
    /// Looks a target up and applies the rules.
    private let check: @Sendable (DatagramHost) async -> SocketAddress?
    private let state = Mutex(State())

    init(
        options: FlowOptions, router: DatagramRouter, limits: DatagramLimits,
        check: @escaping @Sendable (DatagramHost) async -> SocketAddress?
    ) throws(NetworkError) {
        loop = try DatagramLoop.shared()
        self.options = options
        self.router = router
        self.limits = limits
        self.check = check
    }

    /// Makes the flow that ends here.
    func begin(now: Instant) -> DatagramFlow {
        let flow = DatagramFlow(
            .any(self), DatagramFlow.Label(source: "peer", target: "any"), options: options,
            loop: loop, now: now)
        state.withLock { $0.flow = flow }
        return flow
    }

    func close() {
        let sockets = state.withLock { state in
            state.isClosed = true
            state.flow = nil
            state.targets.removeAll()
            let sockets = Array(state.sockets.values)
            state.sockets.removeAll()
            return sockets
        }
        for socket in sockets { loop.remove(socket.shared.socket.descriptor, socket.token) }
    }

    // MARK: to the targets

    /// Sends a datagram to the target at its front, or keeps it until that is known.
    ///
    /// - Returns: false if it is dropped.
    func send(_ message: UnsafeRawBufferPointer, trafficClass: UInt8, now: Instant) -> Bool {
        guard let (host, length) = DatagramHost.read(message) else { return false }
        let datagram = UnsafeRawBufferPointer(rebasing: message[length...])
        let (isTaken, isNew) = state.withLock { state -> (Bool, Bool) in
            if state.isClosed { return (false, false) }
            let entry = state.targets[host]
            let isFresh = entry.map { now - $0.since <= OpenTargets.lifetime } ?? false
            switch entry?.verdict {
            case .allowed(let address) where isFresh:
                return (send(datagram, to: address, trafficClass, now, &state), false)
            case .denied where isFresh: return (false, false)
            case .pending(let waiting):
                return (wait(for: host, datagram, trafficClass, after: waiting, now, &state), false)
            case .allowed, .denied, nil:
                if entry == nil, state.targets.count >= OpenTargets.limit { forgetTarget(&state) }
                guard entry != nil || state.targets.count < OpenTargets.limit else {
                    return (false, false)
                }
                let isTaken = wait(for: host, datagram, trafficClass, after: [], now, &state)
                return (isTaken, isTaken)
            }
        }
        if isNew {
            Task { [check] in self.settle(host, address: await check(host)) }
        }
        return isTaken
    }

    /// Keeps a datagram behind those that wait for the same target, if there is room.
    private func wait(
        for host: DatagramHost, _ datagram: UnsafeRawBufferPointer, _ trafficClass: UInt8,
        after waiting: [Waiting], _ now: Instant, _ state: inout State
    ) -> Bool {
        guard waiting.count < OpenTargets.waiting,
            state.waitingBytes + datagram.count <= OpenTargets.waitingBytes
        else { return false }
        state.waitingBytes += datagram.count
        let one = Waiting(bytes: Array(datagram), trafficClass: trafficClass)
        state.targets[host] = Entry(verdict: .pending(waiting + [one]), since: now)
        return true
    }

    /// Forgets the target that was looked up first, of those that are known.
    private func forgetTarget(_ state: inout State) {
        let known = state.targets.filter { _, entry in
            if case .pending = entry.verdict { false } else { true }
        }
        guard let oldest = known.min(by: { $0.value.since < $1.value.since }) else { return }
        state.targets[oldest.key] = nil
    }

    /// Sends the datagrams that waited for a target, or drops them.
    private func settle(_ host: DatagramHost, address: SocketAddress?) {
        let now = MonotonicClock.now()
        let (flow, dropped): (DatagramFlow?, Int) = state.withLock { state in
            guard let entry = state.targets[host], case .pending(let waiting) = entry.verdict else {
                return (nil, 0)
            }
            state.waitingBytes -= waiting.reduce(0) { $0 + $1.bytes.count }
            guard let address else {
                state.targets[host] = Entry(verdict: .denied, since: now)
                return (state.flow, waiting.count)
            }
            state.targets[host] = Entry(verdict: .allowed(address), since: now)
            var dropped = 0
            for datagram in waiting {
                let isSent = datagram.bytes.withUnsafeBytes {
                    send($0, to: address, datagram.trafficClass, now, &state)
                }
                if !isSent { dropped += 1 }
            }
            return (state.flow, dropped)
        }
        for _ in 0..<dropped { flow?.noteDropped() }
    }

    private func send(
        _ datagram: UnsafeRawBufferPointer, to address: SocketAddress, _ trafficClass: UInt8,
        _ now: Instant, _ state: inout State
    ) -> Bool {
        guard let socket = socket(address.family, &state) else { return false }
        if state.peers[address] == nil, state.peers.count >= OpenTargets.limit,
            let oldest = state.peers.min(by: { $0.value < $1.value })
        {
            state.peers[oldest.key] = nil
        }
        state.peers[address] = now
        return socket.socket.send(datagram, to: address, trafficClass: trafficClass) == nil
    }

    private func socket(_ family: SocketAddress.Family, _ state: inout State) -> SharedSocket? {
        if let open = state.sockets[family] { return open.shared }
        guard !state.isClosed, let socket = try? DatagramSocket(local: .any(family, port: 0)) else {
            return nil
        }
        let shared = SharedSocket(socket)
        guard
            let token = try? loop.add(
                shared.socket.descriptor, self, sweepEvery: limits.idle / 4)
        else { return nil }
        state.sockets[family] = Socket(shared: shared, token: token)
        return shared
    }

    // MARK: the loop's thread

    func handleReady(_ scratch: inout DatagramScratch, hasFault: Bool) {
        let (sockets, flow) = state.withLock { state in
            (state.sockets.values.map(\.shared), state.flow)
        }
        for shared in sockets {
            for _ in 0..<DatagramScratch.calls {
                guard case .received(let count) = shared.socket.receive(into: &scratch.batch)
                else { break }
                if let flow { take(count, &scratch, flow) }
                if count < scratch.batch.capacity { break }
            }
            let refused = hasFault ? shared.socket.drainFaults() : 0
            if refused > 0 { flow?.noteRefused(refused) }
        }
    }

    private func take(_ count: Int, _ scratch: inout DatagramScratch, _ flow: DatagramFlow) {
        scratch.clear()
        let now = MonotonicClock.now()
        for index in 0..<count {
            let message = scratch.batch.message(index)
            let isKnown = state.withLock { $0.peers[message.remote] != nil }
            guard isKnown, router.admits(message.bytes.count, now: now),
                let header = flow.header(trafficClass: message.trafficClass, now: now)
            else {
                flow.noteDropped()
                continue
            }
            let width = DatagramHost.length(message.remote)
            let bytes = message.bytes(withHeader: width)
            DatagramHost.write(message.remote, into: bytes)
            scratch.append(flow, header, bytes)
        }
        router.send(&scratch, options: options)
    }

    func sweep(now: Instant) {
        guard let flow = state.withLock({ $0.flow }) else { return }
        if now - flow.lastActive >= limits.idle { flow.end() }
    }
}
