import PathNetwork
import PathTelemetry
import PathTransport
import Synchronization

/// The socket of one flow at the side of its target, connected to it.
final class TargetSocket: DatagramOwner {
    let flow: DatagramFlow
    private let router: DatagramRouter
    private let shared: SharedSocket
    private let loop: DatagramLoop
    private let limits: DatagramLimits
    private let token = Mutex<UInt64?>(nil)

    /// - Throws: `NetworkError.system`; a network without a route is one.
    init(
        _ target: SocketAddress, options: FlowOptions, router: DatagramRouter,
        limits: DatagramLimits
    ) throws(NetworkError) {
        loop = try DatagramLoop.shared()
        shared = SharedSocket(try DatagramSocket(remote: target))
        flow = DatagramFlow(
            .target(shared), DatagramFlow.Label(source: "peer", target: "\(target)"),
            options: options, loop: loop, now: MonotonicClock.now())
        self.router = router
        self.limits = limits
        let added = try loop.add(shared.socket.descriptor, self, sweepEvery: limits.idle / 4)
        token.withLock { $0 = added }
    }

    func close() {
        let added = token.withLock { token in
            defer { token = nil }
            return token
        }
        if let added { loop.remove(shared.socket.descriptor, added) }
    }

    func handleReady(_ scratch: inout DatagramScratch, hasFault: Bool) {
        for _ in 0..<DatagramScratch.calls {
            guard case .received(let count) = shared.socket.receive(into: &scratch.batch) else {
                break
            }
            scratch.clear()
            let now = MonotonicClock.now()
            for index in 0..<count {
                let message = scratch.batch.message(index)
                guard router.admits(message.bytes.count, now: now),
                    let header = flow.header(trafficClass: message.trafficClass, now: now)
                else {
                    flow.noteDropped()
                    continue
                }
                scratch.append(flow, header, message.bytes)
            }
            router.send(&scratch, options: flow.options)
            if count < scratch.batch.capacity { break }
        }
        let refused = hasFault ? shared.socket.drainFaults() : 0
        if refused > 0 { flow.noteRefused(refused) }
    }

    func sweep(now: Instant) {
        if now - flow.lastActive >= limits.idle { flow.end() }
    }
}
