import Glibc
public import PathNetwork
public import PathSimulation
public import PathTelemetry
public import PathTransport
import Synchronization

/// Emulated links for real datagrams, in user space and without privileges.
///
/// Each link has a local UDP port. Datagrams that a client sends there are forwarded from another
/// port of this host to the target as the link delivers them, and the target's answers go back. The
/// links are those of the simulation; they run on their own thread until `stop`.
public final class Emulation: Sendable {
    /// The options of an emulation.
    public struct Options: Sendable {
        /// One link per path, and what the paths share.
        public var network: NetworkSpecification
        /// The address to which all paths lead.
        public var target: SocketAddress
        /// The address on which the first path listens; further paths use the next ports.
        ///
        /// With port zero the system chooses all of them.
        public var listen: SocketAddress
        /// Seed of the links' random draws.
        public var seed: UInt64

        public init(
            links: [LinkSpecification], target: SocketAddress,
            listen: SocketAddress = .loopback(port: 0), seed: UInt64 = 1
        ) {
            self.init(
                network: NetworkSpecification(
                    links: Array(links.prefix(ScenarioFile.maximumPaths))),
                target: target, listen: listen, seed: seed)
        }

        public init(
            network: NetworkSpecification, target: SocketAddress,
            listen: SocketAddress = .loopback(port: 0), seed: UInt64 = 1
        ) {
            self.network = network
            self.target = target
            self.listen = listen
            self.seed = seed
        }
    }

    /// One emulated path.
    public struct Path: Hashable, Sendable {
        /// The link's name, or else `p1`, `p2`, ...
        public var name: String
        /// The address to which clients send.
        public var address: SocketAddress
        public var link: LinkSpecification
    }

    /// The paths in the order of the links.
    public let paths: [Path]
    public let target: SocketAddress
    /// Start time of the links' outages, rate changes and traces.
    public let started: Instant

    private let shared: EmulationState
    private let thread: Mutex<WorkerThread?>

    /// Opens the ports and starts the thread.
    ///
    /// - Throws: `NetworkError.system` if a port is not available.
    public init(_ options: Options) throws(NetworkError) {
        let links = options.network.links
        let started = MonotonicClock.now()
        let loop = try EmulationLoop(options, links: links, started: started)
        paths = links.indices.map { index in
            Path(
                name: links[index].name ?? "p\(index + 1)",
                address: loop.listeners[index].socket.localAddress, link: links[index])
        }
        target = options.target
        self.started = started
        shared = loop.shared
        do throws(WorkerThread.Refusal) {
            thread = Mutex(try WorkerThread(named: "pathwise-links") { loop.run() })
        } catch {
            throw .system(.allocate, target: "the emulator's thread", code: error.code)
        }
    }

    deinit { stop() }

    /// The counters of the links, at most a tenth of a second old.
    public var status: EmulationStatus { shared.status.withLock { $0 } }

    /// Ends the thread and closes the ports; datagrams in flight are dropped.
    ///
    /// - Returns: the last status.
    @discardableResult
    public func stop() -> EmulationStatus {
        shared.isStopping.store(true, ordering: .releasing)
        shared.waker.wake()
        thread.withLock { thread in
            thread?.join()
            thread = nil
        }
        return status
    }
}

/// The counters of an emulation.
public struct EmulationStatus: Hashable, Sendable {
    /// Counters of one path in both directions.
    public struct Path: Hashable, Sendable {
        /// From the clients to the target.
        public var forward = LinkCounters()
        /// From the target to the clients.
        public var backward = LinkCounters()
    }

    /// The paths in the order of the links.
    public var paths: [Path]
    /// Time since the start.
    public var elapsed = TimeDelta.zero
    /// Number of clients now.
    public var clients = 0
    /// Datagrams of clients that were refused for lack of room or sockets.
    public var refused = 0
    /// Datagrams for clients that were already dropped.
    public var stale = 0
    /// Datagrams that a link delivered but this host's sockets refused.
    public var unsent = 0
    /// Datagrams that this host dropped because the emulator did not read them in time.
    public var overrun = 0
    /// The longest delay of a datagram behind its scheduled time.
    public var latest = TimeDelta.zero
}

/// The state shared by the emulator's thread and its owner.
final class EmulationState: Sendable {
    let isStopping = Atomic<Bool>(false)
    let waker: Waker
    let status: Mutex<EmulationStatus>

    init(waker: Waker, paths: Int) {
        self.waker = waker
        status = Mutex(
            EmulationStatus(
                paths: [EmulationStatus.Path](repeating: EmulationStatus.Path(), count: paths)))
    }
}
