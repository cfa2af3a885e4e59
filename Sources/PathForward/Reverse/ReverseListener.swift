internal import Glibc
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
    let localAddress: SocketAddress
    /// Nil after the end, which frees the address.
    private var listener: TCPListener?
    private var isOver = false
    private let onEnd: (SocketAddress) -> Void

    /// - Throws: `NetworkError.system` if the address cannot be listened on.
    init(
        on address: SocketAddress, for session: Session, lease stream: SessionStream,
        options: FlowOptions, ledger: FlowLedger, allowance: Allowance?,
        onEnd: @escaping (SocketAddress) -> Void
    ) throws(NetworkError) {
        self.session = session
        self.stream = stream
        self.onEnd = onEnd
        let socket = try TCPSocket.listen(on: address)
        let local = socket.localAddress ?? address
        localAddress = local
        let lease = stream.id.rawValue
        let record: (SocketAddress) -> FlowRecord = {
            FlowRecord(
                .tcp, source: "\($0)", target: "peer of \(local)", flowClass: options.flowClass)
        }
        listener = TCPListener(
            socket, at: local, gate: .open,
            noteRefused: { source in
                DescriptorLimit.result(of: EMFILE, .server).map {
                    ledger.refuse(record(source), $0)
                }
            }
        ) { socket, source, loop in
            let record = record(source)
            let limit = allowance?.limits.flows ?? .max
            let refusal =
                if allowance?.isExhausted == true {
                    ForwardResult.exhausted
                } else if ledger.openCount >= limit {
                    ForwardResult.limit(limit, "connection")
                } else {
                    DescriptorLimit.shortage(at: socket.descriptor, of: .server)
                }
            if let refusal {
                ledger.refuse(record, refusal)
                return socket.resetOnClose()
            }
            LocalFlow(
                session: session,
                opening: .accepted(lease: lease, from: ForwardTarget(source), options),
                proxy: nil, record: record, ledger: ledger
            ).start(socket, allowance: allowance, loop)
        }
    }

    /// Answers the opening, and listens.
    func start(_ loop: FlowLoop) {
        guard let listener else { return }
        loop.add(self)
        let token = token
        stream.observe { [weak loop] news in
            switch news {
            case .changed: loop?.tell(token, .changed)
            case .stopped, .ended: loop?.tell(token, .ended)
            }
        }
        listener.start(loop)
        let answer = ForwardResult(.ok, "\(localAddress)").encoded()
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

    /// Stops to listen, and ends the lease; a second call does nothing.
    func end(_ loop: FlowLoop) {
        guard let listener = listener.take() else { return }
        try? stream.finish()
        loop.remove(listener)
        loop.remove(self)
        onEnd(localAddress)
    }

    override func abandon(_ loop: FlowLoop) { end(loop) }
}
