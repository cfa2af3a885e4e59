internal import PathNetwork
internal import PathTelemetry
internal import PathTransport
internal import Pathwise

/// Opens relays for SOCKS clients that ask for datagrams (RFC 1928, section 7).
struct DatagramRelay: Sendable {
    /// Where the client sends its datagrams.
    let address: SocketAddress
    /// Ends the relay.
    let close: @Sendable () -> Void
}

/// A `tcp`, `socks` or `http` forward that listens on this side.
///
/// *Any thread*: `attach`, `detach`, `ledger`. *Loop's turn*: the rest.
final class TCPForward: Sendable {
    /// How long connections wait for the next session before they are refused.
    static let hold = TimeDelta.seconds(5)

    /// Makes a relay at the address of a control connection, for its client alone.
    typealias RelayOpener =
        @Sendable (_ local: SocketAddress, _ client: SocketAddress) -> DatagramRelay?

    let spec: ForwardSpec
    let ledger: FlowLedger
    let localAddress: SocketAddress
    private let seat: SessionSeat
    private let relays: RelayOpener?
    private let loop: FlowLoop
    /// How long a proxy's client may take to say where it wants to go.
    let patience: TimeDelta
    /// Used on the loop's thread only.
    nonisolated(unsafe) private weak var listener: TCPListener?

    /// Listens at once; connections wait for the first session.
    ///
    /// - Parameter port: instead of that of the forward; nil for that.
    /// - Throws: `listen` if the address cannot be listened on.
    init(
        _ spec: ForwardSpec, at port: UInt16? = nil, seat: SessionSeat, relays: RelayOpener?,
        loop: FlowLoop,
        patience: TimeDelta = ProxyFlow.patience, onFailure: FailureHandler? = nil
    ) throws(ForwardError) {
        guard let address = spec.listen.address else {
            throw .malformedForward(spec.text, "what listens is an address")
        }
        let socket: TCPSocket
        do throws(NetworkError) {
            socket = try TCPSocket.listen(on: port.map { address.with(port: $0) } ?? address)
        } catch {
            throw .listen(forward: spec.text, error)
        }
        self.spec = spec
        ledger = FlowLedger(onFailure: onFailure)
        self.seat = seat
        self.relays = relays
        self.loop = loop
        self.patience = patience
        let local = socket.localAddress ?? address
        localAddress = local
        let listener = TCPListener(
            socket, at: local, gate: .held(until: MonotonicClock.now() + TCPForward.hold)
        ) { [weak self] socket, source, loop in
            self?.accept(socket, source, loop)
        }
        let box = LoopBox(listener)
        loop.run { [self] loop in
            self.listener = box.value
            box.value.start(loop)
        }
    }

    /// Lets connections in.
    func attach() { loop.run { [self] loop in listener?.set(.open, loop) } }

    /// Holds new connections back for a while; those that exist end with their session.
    func detach() {
        loop.run { [self] loop in
            listener?.set(.held(until: loop.now + TCPForward.hold), loop)
        }
    }

    /// Stops to listen; returns when the address is free.
    ///
    /// Connections that exist go on.
    func close() async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            loop.run(
                { [self] loop in
                    if let listener { loop.remove(listener) }
                    // Nothing holds the listener any more when the next work is done.
                    loop.run({ _ in continuation.resume() }, otherwise: { continuation.resume() })
                }, otherwise: { continuation.resume() })
        }
    }

    // MARK: the loop's thread

    private func accept(
        _ socket: consuming TCPSocket, _ source: SocketAddress, _ loop: FlowLoop
    ) {
        if let target = spec.target {
            begin(socket, from: source, to: target, proxy: nil, early: [], loop)
        } else {
            ProxyFlow(socket, from: source, kind: spec.kind, forward: self).start(loop)
        }
    }

    /// Begins the flow of a connection whose target is known.
    func begin(
        _ socket: consuming TCPSocket, from source: SocketAddress, to target: ForwardTarget,
        proxy: LocalFlow.Proxy?, early: [UInt8], _ loop: FlowLoop
    ) {
        guard let session = seat.session else {
            guard let proxy else { return socket.resetOnClose() }
            let result = ForwardResult(.unreachable, "there is no session now")
            return Farewell(socket).start(proxy.reply(result), loop)
        }
        let kind: FlowStatus.Kind =
            switch proxy {
            case nil: .tcp
            case .socks: .socks
            case .http: .http
            }
        let record = FlowRecord(
            kind, source: "\(source)", target: "\(target)", flowClass: spec.options.flowClass)
        LocalFlow(
            session: session, opening: .connect(target, spec.options), proxy: proxy,
            record: record, ledger: ledger
        ).start(socket, early: early, allowance: nil, loop)
    }

    func openRelay(local: SocketAddress, client: SocketAddress) -> DatagramRelay? {
        relays?(local, client)
    }
}

/// Carries a member to the thread of its loop, which alone uses it.
struct LoopBox<Value: AnyObject>: @unchecked Sendable {
    let value: Value

    init(_ value: Value) { self.value = value }
}
