internal import PathNetwork
internal import PathTelemetry
internal import PathTransport

/// Accepts connections for a forward.
///
/// *Loop's turn.*
final class TCPListener: LoopMember {
    /// What to do with connections now.
    enum Gate {
        case open
        /// Leave them to the system's queue until the deadline, then refuse them.
        case held(until: Instant)
        case closed
    }

    /// Connections that one turn accepts.
    private static let turnLength = 64
    /// The pause after the system had no descriptor left.
    static let pause = TimeDelta.milliseconds(100)

    private let socket: TCPSocket
    private let handle: (consuming TCPSocket, SocketAddress, FlowLoop) -> Void
    private var gate: Gate
    let localAddress: SocketAddress

    init(
        _ socket: consuming TCPSocket, at address: SocketAddress, gate: Gate,
        handle: @escaping (consuming TCPSocket, SocketAddress, FlowLoop) -> Void
    ) {
        localAddress = address
        self.socket = socket
        self.gate = gate
        self.handle = handle
    }

    /// Begins to listen in a loop.
    func start(_ loop: FlowLoop) {
        loop.add(self)
        _ = loop.watch(socket.descriptor, for: self)
    }

    /// Lets connections in, holds them back, or refuses them.
    func set(_ gate: Gate, _ loop: FlowLoop) {
        self.gate = gate
        loop.schedule(self)
    }

    override func takeTurn(_ loop: FlowLoop) {
        setDeadline(.distantFuture, loop)
        var isOpen = true
        switch gate {
        case .open: break
        case .held(let until):
            if loop.now < until { return setDeadline(until, loop) }
            isOpen = false
        case .closed: isOpen = false
        }
        for _ in 0..<TCPListener.turnLength {
            switch socket.accept() {
            case .connection(let accepted, let source):
                if isOpen {
                    handle(accepted, source, loop)
                } else {
                    accepted.resetOnClose()
                }
            case .none: return
            case .exhausted: return setDeadline(loop.now + TCPListener.pause, loop)
            }
        }
        loop.schedule(self)
    }
}
