import PathNetwork
import PathTelemetry
import PathTransport
import Pathwise
import Synchronization

/// The datagrams of a forwarder: its UDP listeners, the relays of its SOCKS clients, and the router
/// of the session that they use now.
///
/// *Any thread.*
final class DatagramForwards: Sendable {
    private struct State {
        var forwards: [(spec: ForwardSpec, listener: DatagramListener)] = []
        var router: DatagramRouter?
        var relays: [ObjectIdentifier: DatagramListener] = [:]
    }

    private let onFailure: FailureHandler?
    private let state = Mutex(State())

    /// - Parameter onFailure: is told of each flow that the peer refuses.
    init(onFailure: FailureHandler? = nil) { self.onFailure = onFailure }

    /// Listens for one more `udp` forward of this side.
    ///
    /// - Parameters:
    ///   - spec: the forward.
    ///   - port: instead of that of the forward; nil for that.
    /// - Throws: `ForwardError.listen` if its address cannot be listened on.
    func add(_ spec: ForwardSpec, at port: UInt16? = nil) throws(ForwardError) {
        let listener = try DatagramForwards.listen(spec, at: port, onFailure)
        let router = state.withLock { state in
            state.forwards.append((spec, listener))
            return state.router
        }
        if let router { listener.attach(router) }
    }

    /// Stops to listen for a forward, and ends its flows.
    func remove(_ spec: ForwardSpec) {
        let listener: DatagramListener? = state.withLock { state in
            guard let index = state.forwards.firstIndex(where: { $0.spec == spec }) else {
                return nil
            }
            return state.forwards.remove(at: index).listener
        }
        listener?.close()
    }

    /// The listeners of forwards and relays.
    private static func listeners(_ state: borrowing State) -> [DatagramListener] {
        state.forwards.map(\.listener) + Array(state.relays.values)
    }

    private static func listen(
        _ spec: ForwardSpec, at port: UInt16?, _ onFailure: FailureHandler?
    ) throws(ForwardError) -> DatagramListener {
        guard let address = spec.listen.address, let target = spec.target else {
            throw .malformedForward(spec.text, "what listens is an address")
        }
        do throws(NetworkError) {
            return try DatagramListener(
                listen: port.map { address.with(port: $0) } ?? address,
                destination: .target(target), options: spec.options,
                onFailure: onFailure)
        } catch {
            throw .listen(forward: spec.text, error)
        }
    }

    /// Uses a session from now on; the router serves its datagrams.
    func attach(_ session: Session) -> DatagramRouter {
        let router = DatagramRouter(session)
        let listeners = state.withLock { state in
            state.router = router
            return DatagramForwards.listeners(state)
        }
        for listener in listeners { listener.attach(router) }
        return router
    }

    /// Keeps the flows for the next session.
    func detach() {
        let listeners = state.withLock { state in
            state.router = nil
            return DatagramForwards.listeners(state)
        }
        for listener in listeners { listener.detach() }
    }

    /// Stops listening.
    func close() {
        let listeners = state.withLock { state in
            defer {
                state.relays.removeAll()
                state.forwards.removeAll()
            }
            return DatagramForwards.listeners(state)
        }
        for listener in listeners { listener.close() }
    }

    /// Opens a relay for the client of a SOCKS connection, at the address of that connection.
    func openRelay(
        local: SocketAddress, client: SocketAddress, options: FlowOptions
    ) -> DatagramRelay? {
        guard
            let relay = try? DatagramListener(
                listen: local.with(port: 0), destination: .socks(client: client.with(port: 0)),
                options: options, onFailure: onFailure)
        else { return nil }
        let router = state.withLock { state in
            state.relays[ObjectIdentifier(relay)] = relay
            return state.router
        }
        if let router { relay.attach(router) }
        return DatagramRelay(address: relay.localAddress) { [self] in
            state.withLock { _ = $0.relays.removeValue(forKey: ObjectIdentifier(relay)) }
            relay.close()
        }
    }

    // MARK: status

    /// The listener of a forward; nil if it is none of these.
    func listener(of spec: ForwardSpec) -> DatagramListener? {
        state.withLock { $0.forwards.first { $0.spec == spec }?.listener }
    }

    /// The open flows of all forwards and relays.
    func flows() -> [FlowStatus] {
        state.withLock { DatagramForwards.listeners($0) }.flatMap { $0.flows() }
    }
}
