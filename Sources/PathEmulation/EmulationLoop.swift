import PathNetwork
import PathSimulation
import PathTelemetry
import PathTransport
import Synchronization

/// A socket in a box, so that its holders can change it.
final class SocketBox {
    var socket: UDPSocket
    /// The local address to which the client sent, from which answers are sent.
    var answersFrom: SocketAddress?

    init(_ socket: consuming UDPSocket) { self.socket = socket }
}

/// The emulator's thread: sockets on one side, the core on the other.
final class EmulationLoop: @unchecked Sendable {
    private static let publishInterval = TimeDelta.milliseconds(100)
    private static let clientTokens: UInt64 = 1 << 16
    private static let datagramLimit = 65_536

    let shared: EmulationState
    let listeners: [SocketBox]

    private let started: Instant
    private let target: SocketAddress
    private let pathCount: Int
    private var core: EmulatorCore
    private let poller: Poller
    private var batch: ReceiveBatch
    private var clients: [Int: (client: EmulatorClient, box: SocketBox)] = [:]
    private let room: UnsafeMutableRawBufferPointer
    private var now: Instant
    private var published: Instant
    private var counts: EmulationStatus

    init(
        _ options: Emulation.Options, links: [LinkSpecification], started: Instant
    ) throws(NetworkError) {
        let poller = try Poller()
        var listeners: [SocketBox] = []
        for index in links.indices {
            let base = options.listen.port
            let port = base == 0 ? 0 : base &+ UInt16(truncatingIfNeeded: index)
            let socket = try UDPSocket(local: options.listen.with(port: port))
            try poller.add(socket.descriptor, token: UInt64(index))
            listeners.append(SocketBox(socket))
        }
        self.listeners = listeners
        shared = EmulationState(waker: poller.waker, paths: links.count)
        batch = try ReceiveBatch(capacity: 32)
        core = EmulatorCore(
            network: options.network, seed: options.seed, origin: started,
            overhead: options.target.family.headerBytes)
        self.poller = poller
        self.started = started
        target = options.target
        pathCount = links.count
        room = .allocate(byteCount: EmulationLoop.datagramLimit, alignment: 64)
        now = started
        published = started
        counts = shared.status.withLock { $0 }
    }

    deinit { room.deallocate() }

    /// Runs until the owner stops it.
    func run() {
        Poller.setTimerSlack(.microseconds(1))
        var events = Poller.Events()
        while !shared.isStopping.load(ordering: .acquiring) {
            let due = min(
                core.nextTimeout ?? .distantFuture, published + EmulationLoop.publishInterval)
            // It fails only if the epoll descriptor is broken, and then there is nothing to wait
            // for.
            do throws(NetworkError) { try poller.wait(until: due, into: &events) } catch { break }
            for index in 0..<events.count { handle(events[index]) }
            deliver()
            if now - published >= EmulationLoop.publishInterval { publish() }
        }
        now = max(now, MonotonicClock.now())
        publish()
    }

    private func handle(_ event: Poller.Event) {
        if event.token < EmulationLoop.clientTokens {
            let index = Int(event.token)
            guard listeners.indices.contains(index) else { return }
            if event.hasFault { listeners[index].socket.drainFaults { _ in } }
            receive(listeners[index]) { loop, bytes, message in
                loop.fromClient(path: index, bytes, message)
            }
        } else if let entry = clients[Int(event.token - EmulationLoop.clientTokens)] {
            if event.hasFault { entry.box.socket.drainFaults { _ in } }
            receive(entry.box) { loop, bytes, _ in
                loop.core.handleFromTarget(client: entry.client, datagram: bytes, now: loop.now)
            }
        }
    }

    private func receive(
        _ box: SocketBox,
        _ body: (EmulationLoop, UnsafeRawBufferPointer, borrowing ReceivedMessage) -> Void
    ) {
        guard case .received(let count) = box.socket.receive(into: &batch) else { return }
        now = max(now, batch.receivedAt)
        for index in 0..<count {
            let message = batch.message(index)
            guard !message.isTruncated else { continue }
            for segment in 0..<message.segmentCount {
                body(self, UnsafeRawBufferPointer(message.segment(segment)), message)
            }
        }
    }

    private func fromClient(
        path: Int, _ bytes: UnsafeRawBufferPointer, _ message: borrowing ReceivedMessage
    ) {
        let admission = core.handleFromClient(
            path: path, address: message.remote, datagram: bytes, now: now)
        guard case .new(let client, let replaced) = admission else { return }
        if let replaced { clients[replaced.slot] = nil }
        do throws(NetworkError) {
            let socket = try UDPSocket(local: .any(target.family, port: 0))
            try poller.add(
                socket.descriptor, token: EmulationLoop.clientTokens + UInt64(client.slot))
            let box = SocketBox(socket)
            box.answersFrom = message.local
            clients[client.slot] = (client, box)
        } catch {
            core.forget(client)
            counts.refused += 1
        }
    }

    /// Sends the datagrams that the links deliver by now.
    private func deliver() {
        now = max(now, MonotonicClock.now())
        while let delivery = core.pollDelivery(now: now, into: room) {
            counts.latest = max(counts.latest, now - delivery.time)
            let bytes = UnsafeRawBufferPointer(rebasing: room[..<delivery.count])
            let entry = clients[delivery.client.slot]
            let result: SendResult
            switch delivery.direction {
            case .forward:
                result =
                    entry?.box.socket.send(bytes, segmentSize: bytes.count, to: target)
                    ?? .failed(0)
            case .backward:
                result = listeners[delivery.path].socket.send(
                    bytes, segmentSize: bytes.count, to: delivery.address,
                    from: entry?.box.answersFrom)
            }
            if case .sent = result { continue }
            counts.unsent += 1
        }
    }

    private func publish() {
        published = now
        counts.elapsed = now - started
        counts.clients = core.clientCount
        counts.stale = core.stale
        for path in 0..<pathCount {
            counts.paths[path].forward = core.counters(path: path, direction: .forward, now: now)
            counts.paths[path].backward = core.counters(
                path: path, direction: .backward, now: now)
        }
        var snapshot = counts
        snapshot.refused += core.refused + core.unstored
        snapshot.overrun = listeners.reduce(0) { $0 + $1.socket.receiveBufferDrops }
        for entry in clients.values { snapshot.overrun += entry.box.socket.receiveBufferDrops }
        shared.status.withLock { $0 = snapshot }
    }
}
