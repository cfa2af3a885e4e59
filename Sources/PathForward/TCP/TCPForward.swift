internal import Glibc
internal import PathNetwork
internal import PathTelemetry
internal import PathTransport
internal import Pathwise
internal import Synchronization

/// Opens relays for SOCKS clients that ask for datagrams (RFC 1928, section 7).
struct DatagramRelay: Sendable {
    /// Where the client sends its datagrams.
    let address: SocketAddress
    /// Ends the relay.
    let close: @Sendable () -> Void
}

/// A `tcp`, `socks` or `http` forward that listens on this side.
///
/// *Any thread*: `attach`, `detach`, `setOptions`, `ledger`. *Loop's turn*: the rest.
final class TCPForward: Sendable {
    /// How long connections wait for the next session before they are refused.
    static let hold = TimeDelta.seconds(5)

    /// Makes a relay at the address of a control connection, for its client alone.
    typealias RelayOpener =
        @Sendable (_ local: SocketAddress, _ client: SocketAddress, _ options: FlowOptions) ->
        DatagramRelay?

    /// What it was opened for; its options may have changed since.
    let spec: ForwardSpec
    private let current: Mutex<FlowOptions>
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
    /// - Parameters:
    ///   - spec: of the forward.
    ///   - port: instead of that of the forward; nil for that.
    ///   - ledger: counts its connections, and perhaps those of a forward that was here before.
    ///   - seat: has the session.
    ///   - relays: opens relays for clients of SOCKS.
    ///   - loop: serves the sockets.
    ///   - patience: how long a proxy's client may take to say where it wants to go.
    /// - Throws: `listen` if the address cannot be listened on.
    init(
        _ spec: ForwardSpec, at port: UInt16? = nil, ledger: FlowLedger = FlowLedger(),
        seat: SessionSeat, relays: RelayOpener?, loop: FlowLoop,
        patience: TimeDelta = ProxyFlow.patience
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
        current = Mutex(spec.options)
        self.ledger = ledger
        self.seat = seat
        self.relays = relays
        self.loop = loop
        self.patience = patience
        let local = socket.localAddress ?? address
        localAddress = local
        let listener = TCPListener(
            socket, at: local, gate: .held(until: MonotonicClock.now() + TCPForward.hold),
            noteRefused: { [weak self] in self?.noteShortage($0) }
        ) { [weak self] socket, source, loop in
            self?.accept(socket, source, loop)
        }
        let box = LoopBox(listener)
        loop.run { [self] loop in
            self.listener = box.value
            box.value.start(loop)
        }
    }

    /// What connections get that begin now.
    private var options: FlowOptions { current.withLock { $0 } }

    /// Gives connections that begin later other options; those that exist keep theirs.
    func setOptions(_ options: FlowOptions) { current.withLock { $0 = options } }

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
        await loop.end { [self] loop in
            if let listener { loop.remove(listener) }
        }
    }

    // MARK: the loop's thread

    private func accept(
        _ socket: consuming TCPSocket, _ source: SocketAddress, _ loop: FlowLoop
    ) {
        let shortage = DescriptorLimit.shortage(at: socket.descriptor, of: .client)
        if let target = spec.target {
            begin(
                socket, from: source, to: target, proxy: nil, early: [], refusal: shortage, loop)
        } else if let shortage, DescriptorLimit.isScarce(at: socket.descriptor) {
            ledger.refuse(record(from: source, to: nil, proxy: nil), shortage)
            socket.resetOnClose()
        } else {
            ProxyFlow(socket, from: source, kind: spec.kind, forward: self, refusal: shortage)
                .start(loop)
        }
    }

    /// Counts a connection for which no descriptor was left.
    private func noteShortage(_ source: SocketAddress) {
        guard let result = DescriptorLimit.result(of: EMFILE, .client) else { return }
        ledger.refuse(record(from: source, to: spec.target, proxy: nil), result)
    }

    private func record(
        from source: SocketAddress, to target: ForwardTarget?, proxy: LocalFlow.Proxy?
    ) -> FlowRecord {
        let kind: FlowStatus.Kind =
            switch proxy {
            case nil: FlowStatus.Kind(rawValue: spec.kind.rawValue) ?? .tcp
            case .socks: .socks
            case .http: .http
            }
        return FlowRecord(
            kind, source: "\(source)", target: target.map { "\($0)" } ?? "any",
            flowClass: options.flowClass)
    }

    /// Begins the flow of a connection whose target is known.
    ///
    /// - Parameter refusal: the answer to a connection that is refused; nil lets it begin.
    func begin(
        _ socket: consuming TCPSocket, from source: SocketAddress, to target: ForwardTarget,
        proxy: LocalFlow.Proxy?, early: [UInt8], refusal: ForwardResult?, _ loop: FlowLoop
    ) {
        let record = record(from: source, to: target, proxy: proxy)
        if let refusal { ledger.refuse(record, refusal) }
        let noSession = ForwardResult(.unreachable, "there is no session now")
        guard refusal == nil, let session = seat.session else {
            guard let proxy else { return socket.resetOnClose() }
            return Farewell(socket).start(proxy.reply(refusal ?? noSession), loop)
        }
        LocalFlow(
            session: session, opening: .connect(target, options), proxy: proxy,
            record: record, ledger: ledger
        ).start(socket, early: early, allowance: nil, loop)
    }

    /// Opens a relay for a client of SOCKS; nil, and it is counted as a failure, if that is impossible.
    ///
    /// - Parameter refusal: why none is opened; nil opens one.
    func openRelay(
        local: SocketAddress, client: SocketAddress, refusal: ForwardResult?
    ) -> DatagramRelay? {
        if refusal == nil, let relay = relays?(local, client, options) { return relay }
        let result =
            refusal ?? DescriptorLimit.shortage(of: .client)
            ?? ForwardResult(.limitReached, "no relay for datagrams can be opened")
        ledger.refuse(record(from: client, to: nil, proxy: .socks), result)
        return nil
    }
}

/// Carries a member to the thread of its loop, which alone uses it.
struct LoopBox<Value: AnyObject>: @unchecked Sendable {
    let value: Value

    init(_ value: Value) { self.value = value }
}
