internal import PathNetwork
internal import PathTelemetry
internal import PathTransport
internal import Pathwise

/// A member of the loop with a socket and a stream, and what both ends of a flow share.
///
/// *Loop's turn.*
class PumpedFlow: LoopMember {
    /// The code of RESET_STREAM and STOP_SENDING for a connection that was broken.
    static let brokenCode: UInt64 = 1

    final let record: FlowRecord
    final let ledger: FlowLedger
    /// Moves the bytes, once there is a stream and a connection.
    final var pump: Pump?
    final var stream: SessionStream?
    private(set) final var isOver = false
    /// The payload of both directions at the last look, and whether the stream may hold memory.
    private final var movedBytes: UInt64 = 0
    private final var holdsMemory = true
    /// After this time without payload the memory is given back.
    private static let idleSeconds: Int64 = 3
    /// Whether the peer stopped the stream, or the session has ended.
    final var isStopped = false

    init(record: FlowRecord, ledger: FlowLedger) {
        self.record = record
        self.ledger = ledger
    }

    /// Sends news of the stream to this member, from now on.
    final func observe(_ stream: SessionStream, _ loop: FlowLoop) {
        self.stream = stream
        stream.setPriority(record.flowClass)
        let token = token
        stream.observe { [weak loop] news in
            switch news {
            case .changed: loop?.tell(token, .changed)
            case .stopped: loop?.tell(token, .stopped)
            case .ended: loop?.tell(token, .ended)
            }
        }
    }

    override final func note(_ news: FlowLoop.News) {
        switch news {
        case .changed: break
        case .stopped, .ended: isStopped = true
        }
    }

    override func note(readable: Bool, writable: Bool, fault: Bool) {
        pump?.note(readable: readable, writable: writable)
        if fault, pump?.isSocketBroken == true { isStopped = true }
    }

    /// Moves what can be moved; ends the flow when it is over.
    final func runPump(_ loop: FlowLoop) {
        if isStopped { return breakFlow(loop) }
        guard let state = pump?.run(loop.scratch, now: loop.now) else { return }
        settle(state, loop)
    }

    /// Does what the state of the pump asks for.
    final func settle(_ state: Pump.State, _ loop: FlowLoop) {
        switch state {
        case .waiting: rest(loop)
        case .busy: loop.schedule(self)
        case .paused: setDeadline(loop.now + pause, loop)
        case .done: finish(loop)
        case .broken: breakFlow(loop)
        }
    }

    /// Waits; a flow that has been idle for some seconds gives its stream's memory back.
    private func rest(_ loop: FlowLoop) {
        let bytes = record.sentBytes &+ record.receivedBytes
        if bytes != movedBytes {
            movedBytes = bytes
            holdsMemory = true
        } else if holdsMemory, loop.now >= deadline {
            holdsMemory = stream?.releaseIdleMemory() == false
        }
        // Whole seconds, so that many flows are looked at together.
        let seconds = loop.now.nanoseconds / 1_000_000_000 + PumpedFlow.idleSeconds
        setDeadline(
            holdsMemory ? Instant(nanoseconds: seconds * 1_000_000_000) : .distantFuture, loop)
    }

    /// How long to wait for more of the allowance.
    var pause: TimeDelta { .milliseconds(10) }

    /// Ends the flow in order: what was written is still delivered.
    final func finish(
        _ loop: FlowLoop, hasFailed: Bool = false, failure: ForwardResult? = nil
    ) {
        guard !isOver else { return }
        isOver = true
        ledger.end(record, hasFailed: hasFailed, failure: failure)
        loop.remove(self)
        pump = nil
        stream = nil
        handleEnd()
    }

    /// Breaks the socket (RST) and the stream.
    ///
    /// The flow is counted first: who sees its end finds it in the counts.
    final func breakFlow(
        _ loop: FlowLoop, hasFailed: Bool = false, failure: ForwardResult? = nil
    ) {
        guard !isOver else { return }
        ledger.end(record, hasFailed: hasFailed, failure: failure)
        pump?.breakSocket()
        stream?.cancel(code: PumpedFlow.brokenCode)
        finish(loop, hasFailed: hasFailed, failure: failure)
    }

    /// Called once, when the flow is over.
    func handleEnd() {}

    override final func abandon(_ loop: FlowLoop) { breakFlow(loop) }
}
