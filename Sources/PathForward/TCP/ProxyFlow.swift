internal import PathNetwork
internal import PathTelemetry
internal import PathTransport
internal import Pathwise

/// A connection to a proxy's port until it has said where it wants to go.
///
/// *Loop's turn.*
///
/// It has 30 seconds for that, and then becomes a `LocalFlow`.
final class ProxyFlow: LoopMember {
    static let patience = TimeDelta.seconds(30)
    /// The same for one that will be refused.
    private static let shortPatience = TimeDelta.seconds(2)
    /// Most bytes that a dialog may have pending: a header, and what follows it at once.
    private static let limit = ConnectDialog.headerLimit + 16_384

    private enum Dialog {
        case socks(SocksDialog)
        case http(ConnectDialog)
    }

    private var socket: TCPSocket?
    private let source: SocketAddress
    private let forward: TCPForward
    /// What its request is answered with; nil lets it connect.
    private let refusal: ForwardResult?
    private var dialog: Dialog
    private var bytes: [UInt8] = []
    /// The relay of a client that asked for datagrams; it ends with this connection.
    private var relay: DatagramRelay?

    init(
        _ socket: consuming TCPSocket, from source: SocketAddress, kind: ForwardSpec.Kind,
        forward: TCPForward, refusal: ForwardResult?
    ) {
        self.socket = consume socket
        self.source = source
        self.forward = forward
        self.refusal = refusal
        dialog = kind == .http ? .http(ConnectDialog()) : .socks(SocksDialog())
    }

    /// Joins the loop.
    func start(_ loop: FlowLoop) {
        loop.add(self)
        let patience =
            refusal == nil ? forward.patience : min(forward.patience, ProxyFlow.shortPatience)
        setDeadline(loop.now + patience, loop)
        if let descriptor = socket?.descriptor, !loop.watch(descriptor, for: self) { end(loop) }
    }

    override func takeTurn(_ loop: FlowLoop) {
        if relay == nil, loop.now >= deadline { return end(loop) }
        while socket != nil {
            switch read(loop) {
            case .bytes(let count):
                // The control connection of an association carries nothing more.
                if relay != nil { continue }
                bytes += loop.scratch[..<count]
                advance(loop)
            case .wouldBlock: return
            case .end, .failed: return end(loop)
            }
        }
    }

    private func read(_ loop: FlowLoop) -> TCPSocket.Transfer {
        let room = max(1, ProxyFlow.limit - bytes.count)
        let most = min(FlowLoop.pieceLength, relay == nil ? room : FlowLoop.pieceLength)
        let space = UnsafeMutableRawBufferPointer(rebasing: loop.scratch[..<most])
        return socket?.read(into: space) ?? .end
    }

    private func advance(_ loop: FlowLoop) {
        switch dialog {
        case .http(var http):
            let step = http.next(&bytes)
            dialog = .http(http)
            switch step {
            case .needsMore: break
            case .connect(let target): connect(target, .http, loop)
            case .refuse(let answer): refuse(answer, loop)
            }
        case .socks(var socks):
            while true {
                let step = socks.next(&bytes)
                dialog = .socks(socks)
                switch step {
                case .needsMore: return
                case .reply(let reply): say(reply)
                case .request(.connect(let target)): return connect(target, .socks, loop)
                case .request(.associate): return associate(loop)
                case .refuse(let answer): return refuse(answer, loop)
                }
            }
        }
    }

    /// Sends a few bytes, for which a new connection has room.
    private func say(_ reply: [UInt8]) {
        reply.withUnsafeBytes { _ = socket?.write($0) }
    }

    private func connect(_ target: ForwardTarget, _ proxy: LocalFlow.Proxy, _ loop: FlowLoop) {
        guard let socket = socket.take() else { return }
        loop.remove(self)
        forward.begin(
            socket, from: source, to: target, proxy: proxy, early: bytes, refusal: refusal, loop)
    }

    private func associate(_ loop: FlowLoop) {
        let local = socket?.localAddress
        guard let local,
            let relay = forward.openRelay(local: local, client: source, refusal: refusal)
        else { return refuse(SocksDialog.reply(.failure), loop) }
        self.relay = relay
        bytes = []
        setDeadline(.distantFuture, loop)
        say(SocksDialog.reply(.succeeded, bound: relay.address))
    }

    private func refuse(_ answer: [UInt8], _ loop: FlowLoop) {
        loop.remove(self)
        guard let socket = socket.take(), !answer.isEmpty else { return }
        Farewell(socket).start(answer, loop)
    }

    private func end(_ loop: FlowLoop) {
        relay?.close()
        relay = nil
        socket = nil
        loop.remove(self)
    }

    override func abandon(_ loop: FlowLoop) {
        socket?.resetOnClose()
        end(loop)
    }
}
