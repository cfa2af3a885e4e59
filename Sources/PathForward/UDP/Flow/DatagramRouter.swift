import PathNetwork
import PathTelemetry
import PathTransport
import Pathwise
import Synchronization

/// The datagrams of one session: sends those of local sockets, and hands each message of the peer
/// to its flow.
///
/// It is the only reader of the session's messages. Both sides make one for each session; it ends
/// with the session, and the flows go on in the next one.
final class DatagramRouter: Sendable {
    /// Numbers of messages whose flow is remembered, more than are ever outstanding.
    private static let remembered = 8192

    /// How long a refused flow waits before it asks again.
    private static let pause = TimeDelta.seconds(5)

    private struct Entry {
        let flow: DatagramFlow
        /// Where it is counted if the peer opened it.
        let ledger: FlowLedger?
    }

    private struct State {
        var flows: [UInt64: Entry] = [:]
        /// How many of them the peer opened.
        var served = 0
        var early: EarlyDatagrams
        /// Messages that are no datagrams, or whose header is malformed.
        var malformed: UInt64 = 0
        var hasEnded = false
    }

    let session: Session
    /// Of the peer; nil for no limit.
    let allowance: Allowance?
    private let state: Mutex<State>
    private let reader = Mutex(MessageReader())
    /// The flow of each message sent, by its number modulo `remembered`.
    private let owners = Mutex<[UInt64]>([])

    /// Begins to read the messages of a session.
    ///
    /// - Parameters:
    ///   - allowance: of the peer; what it does not grant is dropped, in both directions.
    ///   - patience: how long datagrams wait for the opening of their flow.
    init(
        _ session: Session, allowance: Allowance? = nil,
        patience: TimeDelta = EarlyDatagrams.patience
    ) {
        self.session = session
        self.allowance = allowance
        state = Mutex(State(early: EarlyDatagrams(patience: patience)))
        // Before anything is sent, so that no loss is missed.
        let losses = session.lostMessages
        Task { await self.read() }
        Task {
            for await number in losses { self.noteLost(number) }
        }
    }

    /// How many flows are open.
    var flowCount: Int { state.withLock { $0.flows.count } }
    /// Datagrams of the peer that belong to no flow: they came before their opening and could not
    /// be kept, or after the end.
    var unclaimed: UInt64 { state.withLock { $0.early.dropped } }
    /// Messages of the peer that are no datagrams.
    var malformed: UInt64 { state.withLock { $0.malformed } }

    // MARK: leases

    /// Opens a lease for a flow, without waiting for the answer.
    ///
    /// - Parameter onRefusal: is called if the peer refuses the flow.
    /// - Returns: false if the session has ended or takes no more streams now.
    func open(
        _ flow: DatagramFlow, _ opening: Opening,
        onRefusal: @escaping @Sendable (ForwardResult) -> Void
    ) -> Bool {
        guard let stream = try? session.openStream(writing: opening.encoded()) else { return false }
        let number = stream.id.rawValue
        let hasEnded = state.withLock { state in
            if !state.hasEnded { state.flows[number] = Entry(flow: flow, ledger: nil) }
            return state.hasEnded
        }
        if hasEnded { return false }
        flow.begin(number, stream) {
            Task { [weak self] in
                let refusal = await DatagramRouter.refusal(on: stream)
                if let refusal { onRefusal(refusal) }
                let pause = refusal == nil ? TimeDelta.zero : DatagramRouter.pause
                flow.end(number, refusedUntil: MonotonicClock.now() + pause)
                self?.forget(number)
            }
        }
        return true
    }

    /// Reads the answer to an opening and then the stream to its end.
    ///
    /// - Returns: the answer if it is a refusal.
    private static func refusal(on stream: SessionStream) async -> ForwardResult? {
        var bytes: [UInt8] = []
        while let chunk = try? await stream.read(atMost: 2048), !chunk.isEmpty {
            bytes += chunk
            do throws(ForwardError) {
                guard let (result, _) = try ForwardResult.read(bytes) else { continue }
                if result.code != .ok { return result }
            } catch {
                return ForwardResult(.malformed, "\(error)")
            }
            await drain(stream)
            return nil
        }
        return nil
    }

    /// Reads a stream to its end.
    static func drain(_ stream: SessionStream) async {
        while let chunk = try? await stream.read(atMost: 64), !chunk.isEmpty {}
    }

    /// Adds a flow that the peer opened, and hands over its datagrams that came early.
    ///
    /// - Returns: false if the session has ended or the peer has `limit` flows.
    func adopt(
        _ number: UInt64, _ flow: DatagramFlow, limit: Int, countedIn ledger: FlowLedger,
        now: Instant
    ) -> Bool {
        state.withLock { state in
            guard !state.hasEnded, state.served < limit else { return false }
            state.served += 1
            state.flows[number] = Entry(flow: flow, ledger: ledger)
            ledger.begin(flow)
            for var held in state.early.take(number, now: now) {
                held.bytes.withUnsafeMutableBytes { bytes in
                    let message = UnsafeMutableRawBufferPointer(
                        rebasing: bytes[DatagramFlow.prefix...])
                    guard
                        let (header, length) = DatagramHeader.read(UnsafeRawBufferPointer(message))
                    else { return }
                    deliver(message, header, length, to: flow, now: now)
                }
            }
            return true
        }
    }

    /// Removes a flow that has ended.
    func forget(_ number: UInt64) {
        state.withLock { state in
            guard let entry = state.flows.removeValue(forKey: number), let ledger = entry.ledger
            else { return }
            state.served -= 1
            ledger.end(entry.flow)
        }
    }

    // MARK: sending

    /// Whether the allowance grants a datagram, which counts from then on.
    func admits(_ bytes: Int, now: Instant) -> Bool {
        guard let allowance else { return true }
        guard allowance.grant(bytes, now: now) >= bytes else { return false }
        allowance.spend(bytes)
        return true
    }

    /// Queues the messages of a round, and counts for each flow what became of them.
    ///
    /// - Parameter options: of all their flows, which share a socket.
    func send(_ scratch: inout DatagramScratch, options: FlowOptions) {
        if scratch.messages.isEmpty { return }
        guard queue(&scratch, options) else {
            for entry in scratch.entries { entry.flow.noteDropped() }
            return
        }
        for (number, entry) in zip(scratch.numbers, scratch.entries) {
            if number == nil {
                entry.flow.noteDropped()
            } else {
                entry.flow.noteQueued(entry.bytes)
            }
        }
    }

    /// - Returns: false if the session has ended.
    private func queue(_ scratch: inout DatagramScratch, _ options: FlowOptions) -> Bool {
        owners.withLock { owners in
            if owners.isEmpty {
                owners = Array(repeating: .max, count: DatagramRouter.remembered)
            }
            // Under the lock, because a loss may be reported before this returns.
            do throws(SessionError) {
                try session.sendMessages(
                    scratch.messages, deadline: options.deadline.duration,
                    priority: options.datagramClass, redundancy: options.redundancy,
                    numbers: &scratch.numbers)
            } catch {
                return false
            }
            for (number, entry) in zip(scratch.numbers, scratch.entries) {
                guard let number else { continue }
                owners[Int(number % UInt64(DatagramRouter.remembered))] = entry.lease
            }
            return true
        }
    }

    private func noteLost(_ number: UInt64) {
        let owner: UInt64? = owners.withLock { owners in
            owners.isEmpty ? nil : owners[Int(number % UInt64(DatagramRouter.remembered))]
        }
        if let owner { state.withLock { $0.flows[owner]?.flow }?.noteExpired() }
    }

    // MARK: receiving

    /// Reads messages until the session ends.
    ///
    /// Single ones are read on the driver's thread, since to wake a task takes longer than to pass a
    /// datagram on. When they come close together, this task reads them beside the driver.
    private func read() async {
        session.observeMessages { [weak self] in self?.readHere() ?? false }
        var mayGoOn = true
        while mayGoOn {
            mayGoOn = await session.waitForMessages()
            reader.withLock { reader in
                while reader.take(from: session) { dispatch(&reader) }
            }
        }
        end()
    }

    /// Passes on what has arrived, unless the last time was a moment ago.
    private func readHere() -> Bool {
        reader.withLockIfAvailable { reader in
            guard MonotonicClock.now() - reader.readAt > FlowLoop.pause,
                reader.take(from: session)
            else { return false }
            dispatch(&reader)
            return reader.hasAll
        } ?? false
    }

    private func dispatch(_ reader: inout MessageReader) {
        let now = MonotonicClock.now()
        reader.forEach { dispatch($0, now: now) }
        reader.readAt = MonotonicClock.now()
    }

    private func dispatch(_ message: UnsafeMutableRawBufferPointer, now: Instant) {
        let bytes = UnsafeRawBufferPointer(message)
        guard let (header, length) = DatagramHeader.read(bytes) else {
            state.withLock { $0.malformed += 1 }
            return
        }
        let flow: DatagramFlow? = state.withLock { state in
            if let entry = state.flows[header.flow] { return entry.flow }
            state.early.keep(bytes, flow: header.flow, now: now)
            return nil
        }
        if let flow { deliver(message, header, length, to: flow, now: now) }
    }

    private func deliver(
        _ message: UnsafeMutableRawBufferPointer, _ header: DatagramHeader, _ length: Int,
        to flow: DatagramFlow, now: Instant
    ) {
        guard admits(message.count - length, now: now) else { return flow.noteDropped() }
        flow.deliver(
            UnsafeMutableRawBufferPointer(rebasing: message[length...]),
            trafficClass: header.trafficClass, now: now)
    }

    /// Ends the leases of all flows, because the session has ended.
    private func end() {
        let flows = state.withLock { state in
            let flows = state.flows
            for entry in flows.values { entry.ledger?.end(entry.flow) }
            state.flows.removeAll()
            state.served = 0
            state.hasEnded = true
            return flows
        }
        for (number, entry) in flows { entry.flow.end(number) }
    }
}
