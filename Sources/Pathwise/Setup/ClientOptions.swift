public import PathLearning
public import PathNetwork
internal import PathTelemetry
public import PathTransport

/// The settings of a client.
///
///     var options = try ClientOptions(key: key, server: serverKey, to: ["a.example:4433"])
///     options.policy = .earliest
public struct ClientOptions: Sendable {
    public var identity: ClientIdentity
    /// The paths to open.
    public var plans: [PathPlan]
    /// The names of paths that `leaveOut` took from the plans.
    public private(set) var leftOut: Set<String> = []
    /// Chooses the path of every message and of every burst of stream data.
    public var policy: PolicySpecification
    /// The model that the policy starts from (`try Model.load("model.safetensors")`); nil for none, so
    /// that it knows only what it learns in the session.
    public var model: Model?
    public var connection = ConnectionConfiguration()
    /// Seed of the policy's draws; nil takes one from the system's random source, so that two
    /// sessions have different draws.
    public var seed: UInt64?
    /// The recorder; nil records nothing.
    public var recorder: SessionRecorder?
    /// What earlier sessions measured of the paths, from which they start faster; nil forgets it.
    public var memory: PathMemory?
    /// Follows interfaces and addresses that appear and disappear; nil keeps to the plans.
    public var planner: PathPlanner?

    /// Uses the given paths and no others.
    public init(
        identity: ClientIdentity, plans: [PathPlan], policy: PolicySpecification = .learned()
    ) {
        self.identity = identity
        self.plans = plans
        self.policy = policy
    }

    /// Uses the paths that a planner finds on this host, now and whenever interfaces change.
    ///
    /// - Throws: `noAddress` without an address of the server, `noPath` if it finds none now,
    ///   `absentPaths` if none of its rules gives one, `learning` if the policy names a path that is not
    ///   among them, `network` if the system does not list its interfaces.
    public init(
        identity: ClientIdentity, planner: PathPlanner, policy: PolicySpecification = .learned()
    ) throws(SessionError) {
        let interfaces: [NetworkInterface]
        do throws(NetworkError) {
            interfaces = try InterfaceWatcher.list(includingLoopback: true)
        } catch {
            throw .network(error)
        }
        guard !planner.remotes.isEmpty || planner.rules.contains(where: { $0.remote != nil }) else {
            throw .noAddress
        }
        plans = planner.plans(interfaces)
        guard !plans.isEmpty else {
            guard !planner.rules.isEmpty else { throw .noPath(interfaces) }
            throw .absentPaths(
                planner.rules.map { rule in
                    AbsentPathReport(
                        name: rule.name, reason: "\(planner.cause(of: rule, interfaces))",
                        isCapped: false, counters: nil)
                })
        }
        do throws(LearningError) {
            self.policy = try policy.resolved(names: plans.map(\.name))
        } catch {
            throw .learning(error)
        }
        self.identity = identity
        self.planner = planner
    }

    /// Leaves out paths whose hard caps are reached; a planner still knows them, the session's status
    /// names them, and `UsageMeter` lets them be opened in the next period.
    ///
    /// - Parameter stopped: names of paths; `UsageMeter.stopped`.
    /// - Throws: `capsReached` if no path is left.
    public mutating func leaveOut(_ stopped: Set<String>) throws(SessionError) {
        let names = plans.map(\.name).filter(stopped.contains)
        plans.removeAll { stopped.contains($0.name) }
        leftOut.formUnion(stopped)
        guard !plans.isEmpty || names.isEmpty else { throw .capsReached(names) }
    }

    /// Uses all usable interfaces of this host, or, for a server on this host, one path to each of
    /// its addresses.
    ///
    /// Waits for the name server if a name has to be resolved.
    ///
    /// - Parameters:
    ///   - key: this side's key.
    ///   - server: the key that the server has to prove.
    ///   - addresses: of the server, as HOST:PORT; HOST is a name or an address.
    ///   - policy: chooses the path of every message and of every burst of stream data.
    /// - Throws: `network` for a name without an address, `noPath` if no interface can be used.
    public init(
        key: PrivateKey, server: PublicKey, to addresses: [String],
        policy: PolicySpecification = .learned()
    ) throws(SessionError) {
        var remotes: [SocketAddress] = []
        do throws(NetworkError) {
            for address in addresses { remotes += try Resolver.resolve(server: address) }
        } catch {
            throw .network(error)
        }
        try self.init(key: key, server: server, to: remotes, policy: policy)
    }

    /// The same for known addresses, for example `Server.localAddresses`.
    public init(
        key: PrivateKey, server: PublicKey, to addresses: [SocketAddress],
        policy: PolicySpecification = .learned()
    ) throws(SessionError) {
        try self.init(
            identity: ClientIdentity(key: key, peer: server),
            planner: PathPlanner(remotes: addresses), policy: policy)
    }
}
