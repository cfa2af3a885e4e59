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
///     try await forwarder.change(to: others)         // those that stay notice nothing
///     forwarder.close()
///
/// TCP flows end with their session: a session that ends resets their sockets. New connections
/// wait up to five seconds for the next session, and are reset after that. Flows of datagrams go on
/// in the next session; what comes between two is dropped. *Any thread.*
package final class Forwarder: Sendable {
    /// What serves a forward; datagrams of this side have their listeners in `datagrams`.
    private enum Place {
        case local(TCPForward)
        case datagrams
        case reverse(ReverseForward, Task<Void, Never>?)
    }
    private struct Entry {
        var spec: ForwardSpec
        var place: Place
    }
    private struct Leaving {
        let spec: ForwardSpec
        /// Where it listened.
        let address: String
        let ledger: FlowLedger
    }
    private struct State {
        var entries: [Entry] = []
        /// Those that listen no more, for as long as they have connections.
        var leaving: [Leaving] = []
        var session: Session?
        var router: DatagramRouter?
        /// Takes the streams of the session, if there are reverse forwards.
        var streams: Task<Void, Never>?
    }

    private let loop: FlowLoop
    private let seat = SessionSeat()
    private let datagrams: DatagramForwards
    private let onFailure: FailureHandler?
    private let state = Mutex(State())

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
        do throws(NetworkError) {
            loop = try FlowLoop()
        } catch {
            throw .listen(forward: specs.first?.text ?? "", error)
        }
        self.onFailure = onFailure
        datagrams = DatagramForwards(onFailure: onFailure)
        do throws(ForwardError) {
            for spec in specs { try open(spec) }
        } catch {
            datagrams.close()
            loop.stop()
            throw error
        }
    }

    // MARK: forwards

    /// Listens for a forward, which counts the connections of a former one, too, if that differs in
    /// its options only.
    ///
    /// - Parameter port: where it listened before, if the system had chosen that.
    private func open(_ spec: ForwardSpec, at port: UInt16? = nil) throws(ForwardError) {
        let former = state.withLock { $0.leaving.last { $0.spec.differsInOptions(from: spec) } }
        let ledger = former?.ledger ?? FlowLedger(onFailure: onFailure)
        let place: Place
        if spec.isReverse {
            place = .reverse(ReverseForward(spec, ledger: ledger), nil)
        } else if spec.kind == .udp {
            try datagrams.add(spec, at: port)
            place = .datagrams
        } else {
            place = .local(
                try TCPForward(
                    spec, at: port, ledger: ledger, seat: seat,
                    relays: { [datagrams] in
                        datagrams.openRelay(local: $0, client: $1, options: $2)
                    }, loop: loop))
        }
        let isAttached = state.withLock { state in
            state.entries.append(Entry(spec: spec, place: place))
            state.leaving.removeAll { $0.ledger === ledger }
            return state.session != nil
        }
        guard isAttached else { return }
        if case .local(let forward) = place { forward.attach() }
        beginReverse()
    }

    /// Stops to listen for a forward; its connections go on, and its flows of datagrams end.
    private func remove(_ spec: ForwardSpec) async {
        let entry: Entry? = state.withLock { state in
            guard let index = state.entries.firstIndex(where: { $0.spec == spec }) else {
                return nil
            }
            let entry = state.entries.remove(at: index)
            state.leaving.removeAll { $0.ledger.openCount == 0 }
            if let leaving = Forwarder.leaving(entry) { state.leaving.append(leaving) }
            return entry
        }
        switch entry?.place {
        case .local(let forward): await forward.close()
        case .datagrams: datagrams.remove(spec)
        case .reverse(_, let task):
            task?.cancel()
            await task?.value
        case nil: break
        }
    }

    /// What is left of a forward that goes; nil for datagrams, whose flows go with it.
    private static func leaving(_ entry: Entry) -> Leaving? {
        switch entry.place {
        case .local(let forward):
            Leaving(
                spec: entry.spec, address: "\(forward.localAddress)", ledger: forward.ledger)
        case .reverse(let forward, _) where entry.spec.kind != .udp:
            if case .listening(let address) = forward.current {
                Leaving(spec: entry.spec, address: address, ledger: forward.ledger)
            } else {
                Leaving(
                    spec: entry.spec, address: "\(entry.spec.listen)", ledger: forward.ledger)
            }
        case .reverse, .datagrams: nil
        }
    }

    /// Listens for these forwards from now on, and for no others.
    ///
    /// A forward that stays, with the same options, notices nothing, and neither do its flows. One of
    /// connections to this side that differs in its options goes on listening, and its new connections
    /// have the new ones. One that goes listens no more; its connections live until they end. Call it
    /// from one task at a time.
    ///
    /// - Parameter specs: the forwards.
    /// - Throws: `ForwardError.listen` for the first address that cannot be listened on; then all is as
    ///   before.
    package func change(to specs: [ForwardSpec]) async throws(ForwardError) {
        let present = state.withLock { $0.entries.map(\.spec) }
        var gone = Forwarder.difference(present, specs)
        var new = Forwarder.difference(specs, present)
        let adapted = Forwarder.adapted(&gone, &new)
        let places = Dictionary(
            gone.map { ($0, port(of: $0)) }, uniquingKeysWith: { first, _ in first })
        // One that takes the address of another has to wait until that is free.
        let free = new.filter { spec in
            !gone.contains { $0.isLike(spec) && places[$0] == spec.listen.port }
        }
        var opened: [ForwardSpec] = []
        var closed: [ForwardSpec] = []
        do throws(ForwardError) {
            for spec in free {
                try open(spec)
                opened.append(spec)
            }
            for spec in gone {
                await remove(spec)
                closed.append(spec)
            }
            for spec in new where !free.contains(spec) {
                try open(spec)
                opened.append(spec)
            }
        } catch {
            for spec in opened { await remove(spec) }
            for spec in closed { try? open(spec, at: places[spec]) }
            sort(as: present)
            throw error
        }
        for (former, spec) in adapted { adapt(former, to: spec) }
        sort(as: specs)
    }

    /// Takes those out of both lists whose listener can stay.
    private static func adapted(
        _ gone: inout [ForwardSpec], _ new: inout [ForwardSpec]
    ) -> [(former: ForwardSpec, spec: ForwardSpec)] {
        var pairs: [(former: ForwardSpec, spec: ForwardSpec)] = []
        new.removeAll { spec in
            guard !spec.isReverse, spec.kind != .udp,
                let index = gone.firstIndex(where: { $0.differsInOptions(from: spec) })
            else { return false }
            pairs.append((gone.remove(at: index), spec))
            return true
        }
        return pairs
    }

    /// Gives a forward other options, while it listens.
    private func adapt(_ former: ForwardSpec, to spec: ForwardSpec) {
        state.withLock { state in
            guard let index = state.entries.firstIndex(where: { $0.spec == former }),
                case .local(let forward) = state.entries[index].place
            else { return }
            state.entries[index].spec = spec
            forward.setOptions(spec.options)
        }
    }

    /// The port on which a forward listens.
    private func port(of spec: ForwardSpec) -> UInt16 {
        let entry = state.withLock { $0.entries.first { $0.spec == spec } }
        switch entry?.place {
        case .local(let forward): return forward.localAddress.port
        case .datagrams:
            return datagrams.listener(of: spec)?.localAddress.port ?? spec.listen.port
        case .reverse, nil: return spec.listen.port
        }
    }

    /// Those of a list that another does not have, each as often as it is there more often.
    private static func difference(
        _ list: [ForwardSpec], _ other: [ForwardSpec]
    ) -> [ForwardSpec] {
        var left = other
        return list.filter { spec in
            guard let index = left.firstIndex(of: spec) else { return true }
            left.remove(at: index)
            return false
        }
    }

    private func sort(as specs: [ForwardSpec]) {
        state.withLock { state in
            var sorted: [Entry] = []
            for spec in specs {
                guard let index = state.entries.firstIndex(where: { $0.spec == spec }) else {
                    continue
                }
                sorted.append(state.entries.remove(at: index))
            }
            state.entries = sorted + state.entries
        }
    }

    // MARK: sessions

    /// Uses a session for all flows from now on.
    package func attach(_ session: Session) {
        endReverse()
        seat.set(session)
        let router = datagrams.attach(session)
        let local = state.withLock { state in
            state.session = session
            state.router = router
            return Forwarder.local(state.entries)
        }
        for forward in local { forward.attach() }
        beginReverse()
    }

    /// Stops using the session; new connections are held back for a while.
    ///
    /// Flows of the session end with it, not with this call.
    package func detach() {
        seat.set(nil)
        let local = state.withLock { state in
            state.session = nil
            state.router = nil
            return Forwarder.local(state.entries)
        }
        for forward in local { forward.detach() }
        datagrams.detach()
        endReverse()
    }

    private static func local(_ entries: [Entry]) -> [TCPForward] {
        entries.compactMap { entry in
            guard case .local(let forward) = entry.place else { return nil }
            return forward
        }
    }

    /// Stops listening, and breaks all flows.
    package func close() {
        detach()
        datagrams.close()
        loop.stop()
    }

    /// Asks the peer to listen for the reverse forwards for which it was not asked yet.
    private func beginReverse() {
        state.withLock { state in
            guard let session = state.session, let router = state.router else { return }
            for index in state.entries.indices {
                guard case .reverse(let forward, nil) = state.entries[index].place else { continue }
                state.entries[index].place = .reverse(forward, Task { await forward.run(session) })
                guard state.streams == nil else { continue }
                state.streams = Task { await self.takeStreams(of: session, router) }
            }
        }
    }

    private func endReverse() {
        let tasks = state.withLock { state in
            var tasks = [state.streams.take()]
            for index in state.entries.indices {
                guard case .reverse(let forward, let task) = state.entries[index].place else {
                    continue
                }
                tasks.append(task)
                state.entries[index].place = .reverse(forward, nil)
            }
            return tasks
        }
        for task in tasks { task?.cancel() }
    }

    /// The reverse forward to which a lease belongs.
    private func reverse(
        of transport: Opening.Transport, holding lease: UInt64
    ) -> ReverseForward? {
        state.withLock { state in
            for entry in state.entries {
                guard case .reverse(let forward, _) = entry.place, forward.holds(lease),
                    (entry.spec.kind == .udp) == (transport == .udp)
                else { continue }
                return forward
            }
            return nil
        }
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
            let forward = reverse(of: .udp, holding: lease),
            let target = forward.spec.target
        {
            return await router.serve(
                stream, to: target, options: options, rules: nil, countedIn: forward.ledger)
        }
        guard case .opening(.accepted(let lease, let source, _), let rest) = first,
            let forward = reverse(of: .tcp, holding: lease),
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
        state.withLock { $0.entries }.map { entry in
            switch entry.place {
            case .reverse(let forward, _):
                ForwardStatus(
                    spec: entry.spec, state: forward.current, totals: forward.ledger.totals)
            case .local(let forward):
                ForwardStatus(
                    spec: entry.spec, state: .listening(at: "\(forward.localAddress)"),
                    totals: forward.ledger.totals)
            case .datagrams:
                datagrams.listener(of: entry.spec).map {
                    ForwardStatus(
                        spec: entry.spec, state: .listening(at: "\($0.localAddress)"),
                        totals: $0.totals)
                } ?? ForwardStatus(spec: entry.spec, state: .waiting, totals: FlowTotals())
            }
        }
    }

    /// Forwards that were ended and have connections still, which go on.
    package var leavingForwards: [ForwardStatus] {
        state.withLock { $0.leaving }.compactMap { forward in
            let totals = forward.ledger.totals
            guard totals.open > 0 else { return nil }
            return ForwardStatus(
                spec: forward.spec, state: .leaving(forward.address), totals: totals)
        }
    }

    /// The open flows of all forwards.
    package func flows() -> [FlowStatus] {
        let (entries, leaving) = state.withLock { ($0.entries, $0.leaving) }
        let listening = entries.flatMap { entry in
            switch entry.place {
            case .reverse(let forward, _): forward.ledger.flows
            case .local(let forward): forward.ledger.flows
            case .datagrams: [FlowStatus]()
            }
        }
        return listening + leaving.flatMap(\.ledger.flows) + datagrams.flows()
    }
}

extension ForwardSpec {
    /// Whether two forwards listen on the same side, for the same kind of packets.
    fileprivate func isLike(_ other: ForwardSpec) -> Bool {
        isReverse == other.isReverse && (kind == .udp) == (other.kind == .udp)
    }

    /// Whether a forward is the same as another but for its options.
    fileprivate func differsInOptions(from other: ForwardSpec) -> Bool {
        kind == other.kind && isReverse == other.isReverse && listen == other.listen
            && target == other.target
    }
}
