internal import Glibc
internal import PathTelemetry
internal import Synchronization

/// What a watch server answers.
package struct WatchContent: Sendable {
    /// The page at `/`, which everyone may read.
    package var page: @Sendable () -> HTTPResponse
    /// Answers to all other requests that are allowed.
    package var answer: @Sendable (HTTPRequest) -> HTTPResponse
    /// Is called once a second, with whether somebody follows the events; returns events for those.
    package var tick: @Sendable (Bool) -> [UInt8]

    /// The closures are called on the server's thread.
    ///
    /// - Parameters:
    ///   - page: the page at `/`.
    ///   - answer: to all other requests that are allowed.
    ///   - tick: is called once a second.
    package init(
        page: @escaping @Sendable () -> HTTPResponse,
        answer: @escaping @Sendable (HTTPRequest) -> HTTPResponse,
        tick: @escaping @Sendable (Bool) -> [UInt8]
    ) {
        self.page = page
        self.answer = answer
        self.tick = tick
    }
}

/// Answers browsers and Prometheus over HTTP/1.1.
///
/// One thread serves all of them. Somebody who may not ask costs a bounded amount of memory: at most
/// `WatchLimits.clients` connections with `HTTPParser.longestHead` bytes each, for at most
/// `WatchLimits.patience`; when all places are taken, a new connection takes that of the one that
/// has been waiting longest without an allowed request. Call `close` once.
package final class WatchServer: Sendable {
    /// Where it listens, with the port that the system chose.
    package let address: WatchAddress
    private let wakeEnd: Int32
    private let mail: WatchMail
    private let thread: WorkerThread

    /// Listens and answers from now on.
    ///
    /// - Parameters:
    ///   - address: to listen on.
    ///   - token: what requests have to know; nil for an address of this host only.
    ///   - content: what it answers.
    /// - Throws: `WatchError` if the address cannot be used, or others can reach it and there is no
    ///   token.
    package init(
        on address: WatchAddress, token: WatchToken?, content: WatchContent
    ) throws(WatchError) {
        guard address.isLocal || token != nil else { throw .needsToken("\(address)") }
        let (listener, bound) = try address.listen()
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            let code = errno
            Glibc.close(listener)
            throw .system(operation: "open a pipe for", target: "\(bound)", code: code)
        }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        let mail = WatchMail()
        let gate = WatchGate(
            isLocal: address.isLocal, isOpenToBrowsers: address.isOpenToBrowsers, token: token)
        let loop = WatchLoop(
            listener: listener, wake: ends[0], mail: mail, gate: gate, content: content)
        do throws(WorkerThread.Refusal) {
            thread = try WorkerThread(named: "pathwise-watch") {
                var loop = loop
                loop.run()
            }
        } catch {
            Glibc.close(listener)
            for end in ends { Glibc.close(end) }
            throw .system(
                operation: "start a thread for", target: "\(bound)", code: error.code)
        }
        self.address = bound
        self.mail = mail
        wakeEnd = ends[1]
    }

    /// Sends events to all that follow them; any thread may.
    ///
    /// - Parameter events: as `EventText` makes them.
    package func publish(_ events: [UInt8]) {
        guard mail.put(events) else { return }
        var byte: UInt8 = 1
        _ = write(wakeEnd, &byte, 1)
    }

    /// Whether somebody follows the events.
    package var isFollowed: Bool { mail.isFollowed }

    /// Ends all connections, and removes the socket of a path.
    package func close() {
        if case .unix(let path) = address { unlink(path) }
        Glibc.close(wakeEnd)
        thread.join()
    }
}

/// Events on their way to the server's thread.
final class WatchMail: Sendable {
    private struct State {
        var events: [UInt8] = []
        var followers = 0
    }
    private let state = Mutex(State())

    /// Returns whether the thread has to be woken.
    func put(_ events: [UInt8]) -> Bool {
        state.withLock { state in
            // Nobody follows, or the thread is far behind: they learn the state at the next tick.
            guard state.followers > 0, state.events.count < WatchLimits.backlog else {
                return false
            }
            state.events += events
            return true
        }
    }

    func take() -> [UInt8] {
        state.withLock { state in
            defer { state.events = [] }
            return state.events
        }
    }

    var isFollowed: Bool { state.withLock { $0.followers > 0 } }

    func setFollowers(_ count: Int) { state.withLock { $0.followers = count } }
}

/// What keeps the server small, whatever others do.
package enum WatchLimits {
    /// Connections at once, and those of them that follow the events.
    package static let clients = 64
    static let followers = 16
    /// Milliseconds within which a request has to arrive.
    package static let patience = 5000
    /// Milliseconds that a connection which was allowed something may wait for its next request.
    static let idle = 75_000
    /// Milliseconds in which some of an answer has to be taken, and all of it.
    static let writing = 10_000
    static let answer = 60_000
    /// Bytes of events that wait for a slow follower.
    static let backlog = 1 << 20
}
