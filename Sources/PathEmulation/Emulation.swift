import Glibc
public import PathNetwork
public import PathSimulation
public import PathTelemetry
public import PathTransport
import Synchronization

/// Emulated links for real datagrams, in user space and without privileges.
///
/// Each link has a local UDP port. What a client sends there comes out of a port of this host at
/// the target as the link delivers it, and what the target answers goes the way back. The links
/// are those of the simulation; they live on a thread of their own until `stop`.
public final class Emulation: Sendable {
    /// What to emulate.
    public struct Options: Sendable {
        /// One link a path, at most `ScenarioFile.maximumPaths`.
        public var links: [LinkSpecification]
        /// Where the datagrams of all paths go.
        public var target: SocketAddress
        /// Where the first path listens, the next ones on the ports after it; with port zero the
        /// system chooses all of them.
        public var listen: SocketAddress
        /// Of every random draw of the links.
        public var seed: UInt64

        public init(
            links: [LinkSpecification], target: SocketAddress,
            listen: SocketAddress = .loopback(port: 0), seed: UInt64 = 1
        ) {
            self.links = links
            self.target = target
            self.listen = listen
            self.seed = seed
        }
    }

    /// One emulated path.
    public struct Path: Hashable, Sendable {
        /// The link's name, else `p1`, `p2`, ...
        public var name: String
        /// Where clients send to.
        public var address: SocketAddress
        public var link: LinkSpecification
    }

    /// The paths in the order of the links.
    public let paths: [Path]
    public let target: SocketAddress
    /// Time zero of the links' outages, rate changes and traces.
    public let started: Instant

    private let shared: EmulationState
    private let thread: Mutex<WorkerThread?>

    /// Opens the ports and starts the thread.
    ///
    /// - Throws: `NetworkError.system` for a port that cannot be had.
    public init(_ options: Options) throws(NetworkError) {
        let links = Array(options.links.prefix(ScenarioFile.maximumPaths))
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

    /// What the links have done, at most a tenth of a second ago.
    public var status: EmulationStatus { shared.status.withLock { $0 } }

    /// Ends the thread and closes the ports; what is under way is dropped.
    ///
    /// - Returns: the last state of everything.
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

/// What an emulation has done so far.
public struct EmulationStatus: Hashable, Sendable {
    /// Counters of one path in both directions.
    public struct Path: Hashable, Sendable {
        /// From the clients to the target.
        public var forward = LinkCounters()
        /// From the target to the clients.
        public var backward = LinkCounters()
    }

    /// In the order of the links.
    public var paths: [Path]
    /// Since the start.
    public var elapsed = TimeDelta.zero
    /// Clients known now.
    public var clients = 0
    /// Datagrams of clients for which there was no room or no socket.
    public var refused = 0
    /// Datagrams for clients that had been forgotten.
    public var stale = 0
    /// Datagrams that a link delivered and this host's sockets did not take.
    public var unsent = 0
    /// Datagrams dropped by this host because the emulator did not read them in time.
    public var overrun = 0
    /// The longest that a datagram left behind its time.
    public var latest = TimeDelta.zero
}

/// What the emulator's thread and its owner share.
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
