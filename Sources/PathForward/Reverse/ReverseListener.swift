internal import PathNetwork
internal import PathTelemetry
internal import PathTransport
internal import Pathwise

/// Listens for a peer that asked for it, as long as the stream of its opening lives.
///
/// Accepted connections become streams that this side opens. *Loop's turn.*
final class ReverseListener: LoopMember {
    private let session: Session
    private let stream: SessionStream
    private let listener: TCPListener
    private var isOver = false
    private let onEnd: () -> Void

    /// - Throws: `NetworkError.system` if the address cannot be listened on.
    init(
        on address: SocketAddress, for session: Session, lease stream: SessionStream,
        options: FlowOptions, ledger: FlowLedger, allowance: Allowance?,
        onEnd: @escaping () -> Void
    ) throws(NetworkError) {
        self.session = session
        self.stream = stream
        self.onEnd = onEnd
        let socket = try TCPSocket.listen(on: address)
        let local = socket.localAddress ?? address
        let lease = stream.id.rawValue
        listener = TCPListener(socket, at: local, gate: .open) { socket, source, loop in
            let limit = allowance?.limits.flows ?? .max
            guard allowance?.isExhausted != true, ledger.openCount < limit else {
                return socket.resetOnClose()
            }
            let record = FlowRecord(
                .tcp, source: "\(source)", target: "peer of \(local)",
                flowClass: options.flowClass)
            LocalFlow(
                session: session,
                opening: .accepted(lease: lease, from: ForwardTarget(source), options),
                proxy: nil, record: record, ledger: ledger
            ).start(socket, allowance: allowance, loop)
        }
    }

    /// Answers the opening, and listens.
    func start(_ loop: FlowLoop) {
        loop.add(self)
        let token = token
        stream.observe { [weak loop] news in
            switch news {
            case .changed: loop?.tell(token, .changed)
            case .stopped, .ended: loop?.tell(token, .ended)
            }
        }
        listener.start(loop)
        let answer = ForwardResult(.ok, "\(listener.localAddress)").encoded()
        _ = answer.withUnsafeBytes { stream.writeAvailable($0) }
    }

    override func note(_ news: FlowLoop.News) {
        if case .changed = news { return }
        isOver = true
    }

    override func takeTurn(_ loop: FlowLoop) {
        while !isOver {
            switch stream.readAvailable(into: loop.scratch) {
            // Nothing is defined to follow the opening yet; a later version may say more.
            case .bytes: continue
            case .nothing: return
            case .end, .broken: isOver = true
            }
        }
        end(loop)
    }

    private func end(_ loop: FlowLoop) {
        try? stream.finish()
        loop.remove(listener)
        loop.remove(self)
        onEnd()
    }

    override func abandon(_ loop: FlowLoop) { end(loop) }
}
