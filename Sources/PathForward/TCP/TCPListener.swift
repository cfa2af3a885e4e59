internal import PathNetwork
internal import PathTelemetry
internal import PathTransport
internal import Synchronization

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
    /// The pause after the system had neither a descriptor nor memory.
    static let pause = TimeDelta.milliseconds(100)

    private let socket: TCPSocket
    private let handle: (consuming TCPSocket, SocketAddress, FlowLoop) -> Void
    private let noteRefused: (SocketAddress) -> Void
    private var gate: Gate
    let localAddress: SocketAddress

    /// - Parameters:
    ///   - socket: that listens.
    ///   - address: of the socket.
    ///   - gate: what to do with connections at first.
    ///   - noteRefused: is told whose connection was reset because no descriptor was left for it.
    ///   - handle: takes the connections.
    init(
        _ socket: consuming TCPSocket, at address: SocketAddress, gate: Gate,
        noteRefused: @escaping (SocketAddress) -> Void,
        handle: @escaping (consuming TCPSocket, SocketAddress, FlowLoop) -> Void
    ) {
        localAddress = address
        self.socket = socket
        self.gate = gate
        self.noteRefused = noteRefused
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
            switch DescriptorLimit.spare.withLock({ _ in socket.accept() }) {
            case .connection(let accepted, let source):
                if isOpen {
                    handle(accepted, source, loop)
                } else {
                    accepted.resetOnClose()
                }
            case .none: return
            case .exhausted:
                guard let isMore = refuseNext() else {
                    return setDeadline(loop.now + TCPListener.pause, loop)
                }
                if !isMore { return }
            }
        }
        loop.schedule(self)
    }

    /// Resets the next connection, for which there is no descriptor.
    ///
    /// - Returns: whether there was one; nil if the system cannot even do that.
    private func refuseNext() -> Bool? {
        var refused: SocketAddress?
        let isMore = DescriptorLimit.spare.withLock { spare in
            spare.lend { () -> Bool? in
                switch socket.accept() {
                case .connection(let accepted, let source):
                    accepted.resetOnClose()
                    refused = source
                    return true
                case .none: return false
                case .exhausted: return nil
                }
            }
        }
        if let refused { noteRefused(refused) }
        return isMore
    }
}
