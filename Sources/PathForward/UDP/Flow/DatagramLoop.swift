import Glibc
import PathNetwork
import PathTelemetry
import Synchronization

/// What owns a socket for datagrams; called on the thread of the loop.
protocol DatagramOwner: AnyObject, Sendable {
    /// Takes a bounded part of what has arrived and, if there are any, the socket's faults.
    func handleReady(_ scratch: inout DatagramScratch, hasFault: Bool)
    /// Ends what has been idle for too long.
    func sweep(now: Instant)
}

/// Memory of one round of the loop, reused by all its sockets.
struct DatagramScratch: ~Copyable {
    /// Most bytes before a datagram: the header of its message and, in flows to any target, the
    /// address that it came from.
    static let headroom = DatagramHeader.longest + DatagramHost.longestAddress
    /// Calls that receive from one socket in one round; the other sockets have their turn then.
    static let calls = 4

    /// Whose datagram a message carries.
    struct Entry {
        var flow: DatagramFlow
        /// The number of its lease when the header was written.
        var lease: UInt64
        /// Bytes of the datagram.
        var bytes: Int
    }

    var batch: ReceiveBatch
    /// The messages of one call, which lie in the batch, and to whom they belong.
    var messages: [UnsafeRawBufferPointer] = []
    var entries: [Entry] = []
    /// What the session answered; see `Session.sendMessages`.
    var numbers: [UInt64?] = []

    init() throws(NetworkError) {
        batch = try ReceiveBatch(capacity: 16, headroom: DatagramScratch.headroom)
    }

    mutating func clear() {
        messages.removeAll(keepingCapacity: true)
        entries.removeAll(keepingCapacity: true)
    }

    /// Adds a datagram of a flow: writes the header before it.
    ///
    /// - Parameter datagram: `headroom` bytes before it, less what already lies there, are free.
    mutating func append(
        _ flow: DatagramFlow, _ header: DatagramHeader, _ datagram: UnsafeMutableRawBufferPointer
    ) {
        guard let base = datagram.baseAddress else { return }
        let length = header.length
        let message = UnsafeMutableRawBufferPointer(
            start: base - length, count: length + datagram.count)
        header.write(into: message)
        messages.append(UnsafeRawBufferPointer(message))
        entries.append(Entry(flow: flow, lease: header.flow, bytes: datagram.count))
    }
}

/// The thread that waits for the datagrams of all local sockets of this process.
///
/// A datagram goes from its socket to the session's queue on this thread alone. Of each ready
/// socket at most four times 16 datagrams are taken in turn.
final class DatagramLoop: @unchecked Sendable {
    /// The only loop of the process; it starts with the first socket.
    private static let started: Result<DatagramLoop, NetworkError> = Result {
        () throws(NetworkError) in try DatagramLoop()
    }

    private struct State {
        var owners: [UInt64: any DatagramOwner] = [:]
        var next: UInt64 = 0
        /// Time between two sweeps, the shortest that an owner asked for.
        var interval = TimeDelta.seconds(1)
        /// Flows that hold datagrams for their predecessors.
        var holding: [ObjectIdentifier: (flow: DatagramFlow, due: Instant)] = [:]
        /// Until when the thread sleeps.
        var sleepsUntil = Instant.zero
    }

    private let poller: Poller
    private let state = Mutex(State())
    // Used only on the loop's thread.
    private var scratch: DatagramScratch
    private var events = Poller.Events()

    /// - Throws: `NetworkError.system` if the thread or its descriptors are not to be had.
    static func shared() throws(NetworkError) -> DatagramLoop { try started.get() }

    private init() throws(NetworkError) {
        poller = try Poller()
        scratch = try DatagramScratch()
        do throws(WorkerThread.Refusal) {
            try WorkerThread(named: "pathwise-udp") { [self] in run() }.detach()
        } catch {
            throw .system(.startThread, target: "datagrams", code: error.code)
        }
    }

    /// Watches a socket from now on; `interval` is the longest time between two sweeps.
    ///
    /// - Returns: the number by which `remove` knows it.
    func add(
        _ descriptor: Int32, _ owner: any DatagramOwner, sweepEvery interval: TimeDelta
    ) throws(NetworkError) -> UInt64 {
        let token = state.withLock { state in
            state.next += 1
            state.owners[state.next] = owner
            state.interval = min(state.interval, max(interval, .milliseconds(10)))
            return state.next
        }
        do throws(NetworkError) {
            try poller.add(descriptor, token: token)
        } catch {
            state.withLock { _ = $0.owners.removeValue(forKey: token) }
            throw error
        }
        // It may sleep without a limit, because there was nothing to sweep.
        poller.waker.wake()
        return token
    }

    /// Stops watching; the thread may be inside the owner's `handleReady` for a last time.
    func remove(_ descriptor: Int32, _ token: UInt64) {
        let owner = state.withLock { $0.owners.removeValue(forKey: token) }
        if owner != nil { try? poller.remove(descriptor) }
    }

    /// Calls `releaseHeld` of a flow at a time.
    func schedule(_ flow: DatagramFlow, at due: Instant) {
        let isEarlier = state.withLock { state in
            state.holding[ObjectIdentifier(flow)] = (flow, due)
            return due < state.sleepsUntil
        }
        if isEarlier { poller.waker.wake() }
    }

    private func run() {
        var sweepAt = Instant.zero
        while true {
            let deadline: Instant? = state.withLock { state in
                var deadline = state.owners.isEmpty ? Instant.distantFuture : sweepAt
                for held in state.holding.values { deadline = min(deadline, held.due) }
                state.sleepsUntil = deadline
                return deadline == .distantFuture ? nil : deadline
            }
            guard (try? poller.wait(until: deadline, into: &events)) != nil else { return }
            for index in 0..<events.count {
                let event = events[index]
                state.withLock { $0.owners[event.token] }?
                    .handleReady(&scratch, hasFault: event.hasFault)
            }
            // It must not keep flows, and with them sockets, until the next datagram.
            scratch.clear()
            let now = MonotonicClock.now()
            releaseHeld(now: now)
            if now >= sweepAt {
                let (owners, interval) = state.withLock { (Array($0.owners.values), $0.interval) }
                for owner in owners { owner.sweep(now: now) }
                sweepAt = now + interval
            }
        }
    }

    private func releaseHeld(now: Instant) {
        let due = state.withLock { state in
            let due = state.holding.values.filter { $0.due <= now }.map(\.flow)
            for flow in due { state.holding[ObjectIdentifier(flow)] = nil }
            return due
        }
        for flow in due { flow.releaseHeld(now: now) }
    }
}
