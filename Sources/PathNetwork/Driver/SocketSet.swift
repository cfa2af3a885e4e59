internal import Glibc
internal import PathTelemetry
internal import PathTransport

/// The sockets of one driver thread, and the buffers for packets.
@safe struct SocketSet: ~Copyable {
    /// One socket; a socket keeps its number while it lives.
    private final class Slot {
        var socket: UDPSocket
        init(_ socket: consuming UDPSocket) { self.socket = socket }
    }

    /// Token of the interface watcher's descriptor.
    static let watcherToken: UInt64 = 1 << 32
    /// The most receive calls on one socket before the others get a turn.
    private static let receiveRounds = 4
    /// The most sends on the thread of a caller, which has other things to do.
    static let promptSends = 4
    /// How often to wait for a full send buffer; then the datagrams are dropped, as on a network.
    private static let sendRetries = 8

    private var slots: [Slot?] = []
    private var batch: ReceiveBatch
    /// The buffer into which the core writes outgoing datagrams.
    let transmitBuffer: UnsafeMutableRawBufferPointer

    init() throws(NetworkError) {
        let batch = try ReceiveBatch()
        self.batch = batch
        unsafe transmitBuffer = .allocate(byteCount: 65_536, alignment: 64)
    }

    deinit { unsafe transmitBuffer.deallocate() }

    /// Opens a socket and returns its number.
    mutating func add(
        local: SocketAddress?, interface: String?, options: UDPSocket.Options,
        poller: borrowing Poller
    ) throws(NetworkError) -> Int {
        let socket = try UDPSocket(local: local, interface: interface, options: options)
        let number = slots.firstIndex { $0 == nil } ?? slots.count
        try poller.add(socket.descriptor, token: UInt64(number))
        let slot = Slot(socket)
        if number == slots.count { slots.append(slot) } else { slots[number] = slot }
        return number
    }

    /// Closes a socket.
    mutating func remove(_ number: Int, poller: borrowing Poller) {
        guard slots.indices.contains(number), let slot = slots[number] else { return }
        try? poller.remove(slot.socket.descriptor)
        slots[number] = nil
    }

    /// Closes all sockets.
    mutating func removeAll() { slots.removeAll() }

    func localAddress(of number: Int) -> SocketAddress? {
        slots.indices.contains(number) ? slots[number]?.socket.localAddress : nil
    }

    /// Largest UDP payload on the route to an address, from the route's MTU.
    func datagramLimit(of number: Int, to remote: SocketAddress) -> Int {
        guard slots.indices.contains(number), let slot = slots[number] else { return 1200 }
        let mtu = min(slot.socket.routeMTU(to: remote) ?? 1500, 65_535)
        return max(1200, mtu - remote.family.headerBytes)
    }

    /// Datagrams that the kernel dropped because a receive buffer was full, over all sockets.
    var receiveDrops: Int { slots.reduce(0) { $0 + ($1?.socket.receiveBufferDrops ?? 0) } }

    // MARK: receiving

    /// Passes every datagram that has arrived to `datagram`, and every fault to `fault`.
    mutating func receive(
        _ events: borrowing Poller.Events,
        datagram: (
            _ bytes: UnsafeMutableRawBufferPointer, _ message: borrowing ReceivedMessage,
            _ socket: Int
        ) -> Void,
        fault: (_ fault: SocketFault, _ socket: Int) -> Void
    ) {
        for index in 0..<events.count {
            let event = events[index]
            guard event.token < SocketSet.watcherToken else { continue }
            let number = Int(truncatingIfNeeded: event.token)
            guard slots.indices.contains(number), let slot = slots[number] else { continue }
            if event.hasFault { _ = slot.socket.drainFaults { fault($0, number) } }
            guard event.isReadable || event.hasFault else { continue }
            var rounds = 0
            while rounds < SocketSet.receiveRounds {
                rounds += 1
                guard case .received = slot.socket.receive(into: &batch) else { break }
                unsafe batch.forEachDatagram { unsafe datagram($0, $1, number) }
                if batch.count < batch.capacity { break }
            }
        }
    }

    // MARK: sending

    /// Sends the datagrams that the core wrote.
    ///
    /// Datagrams that cannot be sent are dropped, as on a network; the fault is returned, with the
    /// bytes that were not sent.
    mutating func send(_ transmit: Transmit) -> (fault: SendResult, bytes: Int)? {
        guard slots.indices.contains(transmit.socket), let slot = slots[transmit.socket] else {
            return nil
        }
        var offset = 0
        var retries = 0
        while offset < transmit.length {
            let rest = unsafe UnsafeRawBufferPointer(
                rebasing: UnsafeRawBufferPointer(transmitBuffer)[offset..<transmit.length])
            let result = unsafe slot.socket.send(
                rest, segmentSize: transmit.segmentSize, to: transmit.remote,
                from: transmit.local)
            switch result {
            case .sent(let count):
                guard count > 0 else { return nil }
                offset += count
            case .wouldBlock, .congested:
                retries += 1
                guard retries <= SocketSet.sendRetries else {
                    return (result, transmit.length - offset)
                }
                var descriptor = pollfd(
                    fd: slot.socket.descriptor, events: Int16(POLLOUT), revents: 0)
                _ = unsafe poll(&descriptor, 1, 1)
            case .tooBig, .unreachable, .failed:
                return (result, transmit.length - offset)
            }
        }
        return nil
    }
}
