internal import PathNetwork
internal import PathTelemetry
internal import PathTransport
package import Pathwise
internal import Synchronization

/// The forwards of a client: local listeners that stay, and the sessions that come and go.
///
///     let forwarder = try Forwarder(specs)          // binds every listener, or throws
///     for await session in persistent.sessions {
///         forwarder.attach(session)                  // flows use it from now on
///         ...                                        // until the session has ended:
///         forwarder.detach()
///     }
///     forwarder.close()
///
/// TCP flows end with their session: a session that ends resets their sockets. New connections
/// wait up to five seconds for the next session, and are reset after that. Flows of datagrams go on
/// in the next session; what comes between two is dropped. *Any thread.*
package final class Forwarder: Sendable {
    private let loop: FlowLoop
    private let seat = SessionSeat()
    private let local: [TCPForward]
    private let datagrams: DatagramForwards
    private let reverse: [ReverseForward]
    private let specs: [ForwardSpec]
    private let tasks = Mutex<[Task<Void, Never>]>([])

    /// Listens for all forwards of this side.
    ///
    /// - Parameters:
    ///   - specs: the forwards.
    ///   - onFailure: is told of each flow that fails before any byte.
    /// - Throws: `ForwardError.listen` for the first address that cannot be listened on; nothing
    ///   listens then.
    package init(
        _ specs: [ForwardSpec], onFailure: FailureHandler? = nil
    ) throws(ForwardError) {
        let loop: FlowLoop
        do throws(NetworkError) {
            loop = try FlowLoop()
        } catch {
            throw .listen(forward: specs.first?.text ?? "", error)
        }
        var local: [TCPForward] = []
        let datagrams: DatagramForwards
        do throws(ForwardError) {
            datagrams = try DatagramForwards(specs, onFailure: onFailure)
        } catch {
            loop.stop()
            throw error
        }
        do throws(ForwardError) {
            for spec in specs where !spec.isReverse && spec.kind != .udp {
                local.append(
                    try TCPForward(
                        spec, seat: seat,
                        relays: {
                            datagrams.openRelay(local: $0, client: $1, options: spec.options)
                        }, loop: loop, onFailure: onFailure))
            }
        } catch {
            datagrams.close()
            loop.stop()
            throw error
        }
        self.datagrams = datagrams
        reverse = specs.filter(\.isReverse).map { ReverseForward($0, onFailure: onFailure) }
        self.loop = loop
        self.local = local
        self.specs = specs
    }

    /// Uses a session for all flows from now on.
    package func attach(_ session: Session) {
        seat.set(session)
        for forward in local { forward.attach() }
        let router = datagrams.attach(session)
        var begun = reverse.map { forward in Task { await forward.run(session) } }
        if !reverse.isEmpty {
            begun.append(Task { await self.takeStreams(of: session, router) })
        }
        replaceTasks(begun)
    }

    /// Stops using the session; new connections are held back for a while.
    ///
    /// Flows of the session end with it, not with this call.
    package func detach() {
        seat.set(nil)
        for forward in local { forward.detach() }
        datagrams.detach()
        replaceTasks([])
    }

    /// Stops listening, and breaks all flows.
    package func close() {
        detach()
        datagrams.close()
        loop.stop()
    }

    private func replaceTasks(_ begun: [Task<Void, Never>]) {
        let former = tasks.withLock { tasks in
            let former = tasks
            tasks = begun
            return former
        }
        for task in former { task.cancel() }
    }

    /// Connects what the peer's listeners accepted.
    private func takeStreams(of session: Session, _ router: DatagramRouter) async {
        await withDiscardingTaskGroup { group in
            while let stream = await session.acceptStream() {
                group.addTask { await self.take(stream, router) }
            }
        }
    }

    private func take(_ stream: SessionStream, _ router: DatagramRouter) async {
        let first = try? await FirstBytes.read(from: stream)
        if case .opening(.datagrams(.lease(let lease, _), let options), _) = first,
            let forward = reverse.first(where: { $0.spec.kind == .udp && $0.holds(lease) }),
            let target = forward.spec.target
        {
            return await router.serve(stream, to: target, options: options, rules: nil) {
                forward.ledger.refuse(
                    FlowRecord(
                        .udp, source: "peer", target: $0, flowClass: options.datagramClass), $1)
            }
        }
        guard case .opening(.accepted(let lease, let source, _), let rest) = first,
            let forward = reverse.first(where: { $0.spec.kind != .udp && $0.holds(lease) }),
            let target = forward.spec.target
        else {
            return TargetFlow.answer(stream, ForwardResult(.malformed, "no such listener"))
        }
        let record = FlowRecord(
            .tcp, source: "\(source)", target: "\(target)",
            flowClass: forward.spec.options.flowClass)
        forward.ledger.begin(record)
        loop.run { loop in
            TargetFlow(
                target: target, rules: nil, early: rest, allowance: nil, record: record,
                ledger: forward.ledger
            ).start(stream, loop)
        }
    }

    // MARK: status

    /// All forwards in the order in which they were given.
    package var forwards: [ForwardStatus] {
        specs.map { spec in
            if let forward = reverse.first(where: { $0.spec == spec }) {
                return ForwardStatus(
                    spec: spec, state: forward.current, totals: forward.ledger.totals)
            }
            if let listener = datagrams.listener(of: spec) {
                return ForwardStatus(
                    spec: spec, state: .listening(at: "\(listener.localAddress)"),
                    totals: listener.totals)
            }
            let forward = local.first { $0.spec == spec }
            return ForwardStatus(
                spec: spec,
                state: forward.map { .listening(at: "\($0.localAddress)") } ?? .waiting,
                totals: forward?.ledger.totals ?? FlowTotals())
        }
    }

    /// The open flows of all forwards.
    package func flows() -> [FlowStatus] {
        local.flatMap { $0.ledger.flows } + reverse.flatMap { $0.ledger.flows }
            + datagrams.flows()
    }
}
