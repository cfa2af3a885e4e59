internal import PathNetwork
internal import PathTelemetry
internal import PathTransport
internal import Pathwise

/// A connection that this side accepted: its stream begins with an opening, and the peer's answer
/// comes before the first byte for the application.
///
/// Bytes of the application follow the opening at once, so that a connection costs no round trip
/// more than a direct one. *Loop's turn.*
final class LocalFlow: PumpedFlow {
    private let session: Session
    private let opening: Opening
    /// Answers the application before the first byte; nil tells it by a reset only.
    private let proxy: Proxy?
    /// What has arrived of the peer's answer; nil when it was read.
    private var answer: [UInt8]? = []
    /// When a peer that has stopped the stream must have answered.
    private var answerDue: Instant?
    /// The answer may be on a slower path, or lost and sent again.
    private static let patience = TimeDelta.seconds(2)

    /// How an application that used a proxy learns of the answer.
    enum Proxy {
        case socks, http

        func reply(_ result: ForwardResult) -> [UInt8] {
            switch (self, result.code) {
            case (.socks, .ok):
                SocksDialog.reply(.succeeded, bound: SocketAddress(parsing: result.text))
            case (.socks, let code): SocksDialog.reply(SocksDialog.Code(code))
            case (.http, .ok): ConnectDialog.established
            case (.http, let code):
                ConnectDialog.answer(ConnectDialog.Status(code), result.reason)
            }
        }
    }

    init(
        session: Session, opening: Opening, proxy: Proxy?, record: FlowRecord, ledger: FlowLedger
    ) {
        self.session = session
        self.opening = opening
        self.proxy = proxy
        super.init(record: record, ledger: ledger)
    }

    /// Opens the stream and joins the loop; a connection for which there is no stream is refused.
    ///
    /// - Parameter early: bytes of the application that were read already.
    func start(
        _ socket: consuming TCPSocket, early: [UInt8] = [], allowance: Allowance?,
        _ loop: FlowLoop
    ) {
        ledger.begin(record)
        loop.add(self)
        let descriptor = socket.descriptor
        guard let stream = try? session.openStream(), loop.watch(descriptor, for: self) else {
            let result = ForwardResult(
                .limitReached, "the session takes no more connections now")
            return refuse(socket, result, loop)
        }
        observe(stream, loop)
        var pump = Pump(socket: socket, stream: stream, record: record, allowance: allowance)
        pump.send(opening.encoded(), isPayload: false)
        pump.send(early)
        self.pump = consume pump
    }

    private func refuse(
        _ socket: consuming TCPSocket, _ result: ForwardResult, _ loop: FlowLoop
    ) {
        finish(loop, failure: result)
        if let proxy {
            Farewell(socket).start(proxy.reply(result), loop)
        } else {
            socket.resetOnClose()
        }
    }

    override func takeTurn(_ loop: FlowLoop) {
        if answer == nil || readAnswer(loop) { return runPump(loop) }
        guard isStopped, !isOver else { return }
        // A peer that refuses also stops the stream, and its answer, which says why, may come later.
        let due = answerDue ?? loop.now + LocalFlow.patience
        answerDue = due
        if loop.now >= due { return breakFlow(loop, hasFailed: true) }
        setDeadline(due, loop)
    }

    /// Reads the peer's answer, and sends what the application has meanwhile.
    ///
    /// - Returns: whether the answer was read and allows the connection.
    private func readAnswer(_ loop: FlowLoop) -> Bool {
        guard let stream, var bytes = answer else { return false }
        reading: while true {
            switch stream.readAvailable(into: loop.scratch) {
            case .bytes(let count): bytes += loop.scratch[..<count]
            case .nothing: break reading
            case .end where !bytes.isEmpty: break reading
            case .end, .broken:
                let result =
                    session.closeReason == nil
                    ? ForwardResult(.malformed, "the peer ended the connection")
                    : ForwardResult(.unreachable, "the session ended before the peer answered")
                fail(result, loop)
                return false
            }
            if bytes.count >= FlowLoop.pieceLength { break }
        }
        do throws(ForwardError) {
            guard let (result, length) = try ForwardResult.read(bytes) else {
                answer = bytes
                switch isStopped ? nil : pump?.runUp(loop.scratch, now: loop.now) {
                case .broken: isStopped = true
                case .some(let state) where state != .done: settle(state, loop)
                case .some, nil: break
                }
                return false
            }
            guard result.code == .ok else {
                fail(result, loop)
                return false
            }
            answer = nil
            if let proxy { pump?.prepend(proxy.reply(result)) }
            pump?.prepend(bytes[length...])
            record.countReceived(bytes.count - length)
            return true
        } catch {
            fail(ForwardResult(.malformed, "\(error)"), loop)
            return false
        }
    }

    private func fail(_ result: ForwardResult, _ loop: FlowLoop) {
        guard let proxy else { return breakFlow(loop, failure: result) }
        ledger.end(record, failure: result)
        stream?.cancel(code: PumpedFlow.brokenCode)
        let pump = pump.take()
        finish(loop)
        if let pump { Farewell(pump.endPumping()).start(proxy.reply(result), loop) }
    }
}
