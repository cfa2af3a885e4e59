internal import Glibc
internal import PathTelemetry

/// Answers browsers, Prometheus and programs over HTTP/1.1.
///
/// One thread serves all of them; changes are made elsewhere, and answered when they are done. Somebody
/// who may not ask costs a bounded amount of memory: at most `WatchLimits.clients` connections with
/// `WatchLimits.request` bytes each, for at most `WatchLimits.patience`; when all places are taken, a new connection takes that of the one that
/// has been waiting longest without an allowed request. Call `close` once.
package final class WatchServer: Sendable {
    /// Where it listens, with the port that the system chose.
    package let address: WatchAddress
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
        let mail = WatchMail(wakeEnd: ends[1])
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
            Glibc.close(ends[0])
            mail.close()
            throw .system(
                operation: "start a thread for", target: "\(bound)", code: error.code)
        }
        self.address = bound
        self.mail = mail
    }

    /// Sends events to all that follow them; any thread may.
    ///
    /// - Parameter events: as `EventText` makes them.
    package func publish(_ events: [UInt8]) { mail.put(events) }

    /// Whether somebody follows the events.
    package var isFollowed: Bool { mail.isFollowed }

    /// Ends all connections, and removes the socket of a path.
    package func close() {
        if case .unix(let path) = address { unlink(path) }
        mail.close()
        thread.join()
    }
}

/// What keeps the server small, whatever others do.
package enum WatchLimits {
    /// Connections at once, and those of them that follow the events.
    package static let clients = 64
    static let followers = 16
    /// Milliseconds within which a request has to arrive.
    package static let patience = 5000
    /// Bytes of a request that are kept.
    static let request = HTTPParser.longestHead + HTTPParser.longestBody
    /// Milliseconds within which a change is answered.
    static let change = 60_000
    /// Milliseconds that a connection which was allowed something may wait for its next request.
    static let idle = 75_000
    /// Milliseconds in which some of an answer has to be taken, and all of it.
    static let writing = 10_000
    static let answer = 60_000
    /// Bytes of events that wait for a slow follower.
    static let backlog = 1 << 20
}
