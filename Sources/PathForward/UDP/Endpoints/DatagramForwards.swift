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
        var router: DatagramRouter?
        var relays: [ObjectIdentifier: DatagramListener] = [:]
    }

    private let forwards: [(spec: ForwardSpec, listener: DatagramListener)]
    private let onFailure: FailureHandler?
    private let state = Mutex(State())

    /// Listens for all `udp` forwards of this side.
    ///
    /// - Parameters:
    ///   - specs: all forwards of the program.
    ///   - onFailure: is told of each flow that the peer refuses.
    /// - Throws: `ForwardError.listen` for the first address that cannot be listened on; nothing
    ///   listens then.
    init(
        _ specs: [ForwardSpec], onFailure: FailureHandler? = nil
    ) throws(ForwardError) {
        var forwards: [(spec: ForwardSpec, listener: DatagramListener)] = []
        do throws(ForwardError) {
            for spec in specs where spec.kind == .udp && !spec.isReverse {
                forwards.append((spec, try DatagramForwards.listen(spec, onFailure)))
            }
        } catch {
            for forward in forwards { forward.listener.close() }
            throw error
        }
        self.forwards = forwards
        self.onFailure = onFailure
    }

    private static func listen(
        _ spec: ForwardSpec, _ onFailure: FailureHandler?
    ) throws(ForwardError) -> DatagramListener {
        guard let address = spec.listen.address, let target = spec.target else {
            throw .malformedForward(spec.text, "what listens is an address")
        }
        do throws(NetworkError) {
            return try DatagramListener(
                listen: address, destination: .target(target), options: spec.options,
                onFailure: onFailure)
        } catch {
            throw .listen(forward: spec.text, error)
        }
    }

    /// Uses a session from now on; the router serves its datagrams.
    func attach(_ session: Session) -> DatagramRouter {
        let router = DatagramRouter(session)
        let relays = state.withLock { state in
            state.router = router
            return Array(state.relays.values)
        }
        for listener in forwards.map(\.listener) + relays { listener.attach(router) }
        return router
    }

    /// Keeps the flows for the next session.
    func detach() {
        let relays = state.withLock { state in
            state.router = nil
            return Array(state.relays.values)
        }
        for listener in forwards.map(\.listener) + relays { listener.detach() }
    }

    /// Stops listening.
    func close() {
        let relays = state.withLock { state in
            defer { state.relays.removeAll() }
            return Array(state.relays.values)
        }
        for listener in forwards.map(\.listener) + relays { listener.close() }
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
        forwards.first { $0.spec == spec }?.listener
    }

    /// The open flows of all forwards and relays.
    func flows() -> [FlowStatus] {
        let relays = state.withLock { Array($0.relays.values) }
        return (forwards.map(\.listener) + relays).flatMap { $0.flows() }
    }
}
