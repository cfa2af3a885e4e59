internal import Glibc
internal import PathNetwork
internal import PathTelemetry
internal import PathTransport
package import Pathwise
internal import Synchronization

/// Serves the forwards of one peer over one session, within rules and an allowance.
///
///     let service = ForwardService(session, on: loop, rules: rules, allowance: allowance)
///     await service.run { stream, bytes in ... }     // until the session ends
///
/// `run` takes the streams that the peer opens, and hands those to its closure that are no
/// forwards. *Any thread.*
package final class ForwardService: Sendable {
    private let session: Session
    private let loop: FlowLoop
    private let rules: Mutex<ForwardRules>
    private let allowance: Allowance
    private let ledger: FlowLedger
    private let router: DatagramRouter
    private let listeners = Mutex<Int>(0)
    /// Listeners that one peer may have at once.
    private static let listenerLimit = 64

    /// - Parameters:
    ///   - session: of the peer.
    ///   - loop: serves the sockets; one loop serves many sessions.
    ///   - rules: what the peer may connect to and listen on.
    ///   - allowance: of the peer, shared by all its sessions.
    ///   - onFailure: is told of each flow that fails before any byte.
    package init(
        _ session: Session, on loop: FlowLoop, rules: ForwardRules, allowance: Allowance,
        onFailure: FailureHandler? = nil
    ) {
        self.session = session
        self.loop = loop
        self.rules = Mutex(rules)
        self.allowance = allowance
        ledger = FlowLedger(onFailure: onFailure)
        router = DatagramRouter(session, allowance: allowance)
    }

    /// Changes what the peer may connect to and listen on from now on.
    ///
    /// Flows that are open go on; the targets of open proxies for datagrams are asked about again
    /// within a minute.
    package func setRules(_ rules: ForwardRules) { self.rules.withLock { $0 = rules } }

    /// Serves the peer's streams until the session ends or the task is cancelled.
    ///
    /// - Parameter otherwise: takes a stream that is no forward, with the bytes that were read of
    ///   it, and the stream of an `enrol` opening with all its bytes.
    package func run(
        otherwise: @escaping @Sendable (SessionStream, [UInt8]) async -> Void
    ) async {
        await withDiscardingTaskGroup { group in
            while let stream = await session.acceptStream() {
                group.addTask { [self] in
                    do {
                        switch try await FirstBytes.read(from: stream) {
                        case .other(let bytes): await otherwise(stream, bytes)
                        case .opening(let opening, let rest):
                            if case .enrol = opening {
                                await otherwise(stream, opening.encoded() + rest)
                            } else {
                                await serve(stream, opening, rest: rest)
                            }
                        }
                    } catch let error as ForwardError {
                        TargetFlow.answer(stream, ForwardResult(.malformed, "\(error)"))
                    } catch {
                        stream.cancel(code: PumpedFlow.brokenCode)
                    }
                }
            }
        }
    }

    /// Serves a stream whose opening was read.
    ///
    /// - Parameter rest: the bytes that followed the opening.
    package func serve(_ stream: SessionStream, _ opening: Opening, rest: [UInt8]) async {
        guard !allowance.isExhausted else {
            let result = ForwardResult.exhausted
            if let record = FlowRecord(of: opening) { ledger.refuse(record, result) }
            return TargetFlow.answer(stream, result)
        }
        switch opening {
        case .connect(let target, let options): connect(stream, target, options, rest)
        case .listen(.tcp, let address, let options): await listen(stream, address, options)
        case .listen(.udp, let address, let options):
            await listenForDatagrams(stream, address, options)
        case .datagrams(.target(let target), let options):
            await serveDatagrams(stream, target, options)
        case .datagrams(.any, let options): await serveDatagrams(stream, nil, options)
        case .datagrams(.lease, _), .accepted, .enrol:
            TargetFlow.answer(
                stream, ForwardResult(.malformed, "openings of this kind are not served here"))
        }
    }

    private func connect(
        _ stream: SessionStream, _ target: ForwardTarget, _ options: FlowOptions, _ rest: [UInt8]
    ) {
        let record = FlowRecord(
            .tcp, source: "peer", target: "\(target)", flowClass: options.flowClass)
        guard ledger.begin(record, limit: allowance.limits.flows) else {
            let result = ForwardResult.limit(allowance.limits.flows, "connection")
            ledger.refuse(record, result)
            return TargetFlow.answer(stream, result)
        }
        loop.run { [self] loop in
            TargetFlow(
                target: target, rules: rules.withLock { $0 }, early: rest, allowance: allowance,
                record: record,
                ledger: ledger
            ).start(stream, loop)
        }
    }

    private func serveDatagrams(
        _ stream: SessionStream, _ target: ForwardTarget?, _ options: FlowOptions
    ) async {
        await router.serve(
            stream, to: target, options: options, rules: { [self] in rules.withLock { $0 } },
            limits: DatagramLimits(flowsOfSession: allowance.limits.flows), countedIn: ledger)
    }

    private func listenForDatagrams(
        _ stream: SessionStream, _ place: ForwardTarget, _ options: FlowOptions
    ) async {
        guard let address = await admitListener(stream, place) else { return }
        defer { listeners.withLock { $0 -= 1 } }
        do throws(NetworkError) {
            let listener = try await takingOver(.udp, address) { () throws(NetworkError) in
                try DatagramListener(
                    listen: address, destination: .lease(stream.id.rawValue), options: options,
                    limits: DatagramLimits(flowsOfListener: min(1024, allowance.limits.flows)),
                    ledger: ledger)
            }
            listener.attach(router)
            let place = PeerListeners.Place(transport: .udp, address: listener.localAddress)
            allowance.listeners.add(place, of: session) {
                listener.close()
                stream.cancel(code: 0)
            }
            try? await stream.write(ForwardResult(.ok, "\(place.address)").encoded())
            await DatagramRouter.drain(stream)
            listener.close()
            allowance.listeners.remove(place, of: session)
            stream.cancel(code: 0)
        } catch {
            TargetFlow.answer(stream, ForwardService.result(of: error))
        }
    }

    private func listen(
        _ stream: SessionStream, _ place: ForwardTarget, _ options: FlowOptions
    ) async {
        guard let address = await admitListener(stream, place) else { return }
        do throws(NetworkError) {
            let listener = try await takingOver(.tcp, address) { () throws(NetworkError) in
                LoopBox(
                    try ReverseListener(
                        on: address, for: session, lease: stream, options: options,
                        ledger: ledger, allowance: allowance,
                        onEnd: { [weak self, allowance, session] address in
                            self?.listeners.withLock { $0 -= 1 }
                            allowance.listeners.remove(
                                PeerListeners.Place(transport: .tcp, address: address),
                                of: session)
                        }))
            }
            let place = PeerListeners.Place(transport: .tcp, address: listener.value.localAddress)
            allowance.listeners.add(place, of: session) { [loop] in
                await loop.end { listener.value.end($0) }
            }
            loop.run { listener.value.start($0) }
        } catch {
            listeners.withLock { $0 -= 1 }
            TargetFlow.answer(stream, ForwardService.result(of: error))
        }
    }

    /// Listens on an address; if an earlier session of the same peer holds it and does not answer any
    /// more, it is taken from that.
    private func takingOver<Listener>(
        _ transport: Opening.Transport, _ address: SocketAddress,
        _ listen: () throws(NetworkError) -> Listener
    ) async throws(NetworkError) -> Listener {
        do throws(NetworkError) { return try listen() } catch {
            let place = PeerListeners.Place(transport: transport, address: address)
            guard error.code == EADDRINUSE,
                await allowance.listeners.takeOver(place, for: session)
            else { throw error }
            return try listen()
        }
    }

    /// The address to listen on, and a place among the listeners; answers a refusal itself.
    private func admitListener(
        _ stream: SessionStream, _ place: ForwardTarget
    ) async -> SocketAddress? {
        guard let address = place.address else {
            TargetFlow.answer(
                stream, ForwardResult(.malformed, "\(place) is no address to listen on"))
            return nil
        }
        let rules = rules.withLock { $0 }
        let isAllowed: Bool
        if rules.hasNames {
            let asker = NameLookup.Asker.client(ObjectIdentifier(allowance))
            let outcome = await NameLookup.shared.answer(for: asker) {
                rules.allowListening(on: address)
            }
            isAllowed = if case .answered(true) = outcome { true } else { false }
        } else {
            isAllowed = rules.allowListening(on: address)
        }
        guard isAllowed else {
            TargetFlow.answer(stream, ForwardRules.denial(ofListeningOn: address))
            return nil
        }
        let isWithin = listeners.withLock { count in
            guard count < ForwardService.listenerLimit else { return false }
            count += 1
            return true
        }
        guard isWithin else {
            let text =
                "\(ForwardService.listenerLimit) listeners of this session are open, the limit"
            TargetFlow.answer(stream, ForwardResult(.limitReached, text))
            return nil
        }
        return address
    }

    private static func result(of error: NetworkError) -> ForwardResult {
        if let shortage = error.code.flatMap({ DescriptorLimit.result(of: $0, .server) }) {
            return shortage
        }
        let code: ForwardResult.Code =
            switch error.code {
            case EADDRINUSE: .addressInUse
            case EACCES, EPERM: .denied
            case EADDRNOTAVAIL: .unreachable
            default: .limitReached
            }
        return ForwardResult(code, "\(error)")
    }

    // MARK: status

    /// The open flows of this session.
    package func flows() -> [FlowStatus] { ledger.flows }
    /// The flows of this session by target, those with the most bytes first.
    package func targets() -> [TargetStatus] { ledger.targets }
    /// All flows of this session.
    package var totals: FlowTotals { ledger.totals }
}

extension ForwardResult {
    /// A client has as many flows as it may.
    ///
    /// - Parameters:
    ///   - count: how many that is.
    ///   - what: one of them is called.
    ///   - many: are called, if not that with an `s`.
    static func limit(_ count: Int, _ what: String, _ many: String? = nil) -> ForwardResult {
        ForwardResult(
            .limitReached,
            "this client has \(NumberText.counted(count, what, many)) open, the limit; to have more: "
                + "serve --client-flows")
    }

    /// A client has moved as many bytes as it may.
    static let exhausted = ForwardResult(
        .limitReached,
        "this client's cap of bytes is used up; to have more: serve --client-cap, or cap= in the "
            + "client's line")
}

extension FlowRecord {
    /// The record of a flow that the peer asks for; nil for other openings.
    fileprivate convenience init?(of opening: Opening) {
        switch opening {
        case .connect(let target, let options):
            self.init(.tcp, source: "peer", target: "\(target)", flowClass: options.flowClass)
        case .datagrams(.target(let target), let options):
            self.init(
                .udp, source: "peer", target: "\(target)", flowClass: options.datagramClass)
        case .datagrams, .listen, .accepted, .enrol: return nil
        }
    }
}
