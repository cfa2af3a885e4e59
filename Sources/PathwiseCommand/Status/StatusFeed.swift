import PathNetwork
import PathReport
import PathTelemetry
import PathWatch
import Pathwise
import Synchronization

/// The status of this process, for `pathwise status`: what runs in it, and its socket.
///
/// *Any thread* may call everything. What is not set does not appear in the status.
final class StatusFeed: Sendable {
    private struct State {
        var sessions: [(number: Int, name: String?, session: Session)] = []
        var nextNumber = 0
        var rates = RateWindow()
        var socket: StatusSocket?
        var flows: @Sendable () -> [FlowReport] = { [] }
        var meter: UsageMeter?
        var link: (@Sendable () -> PersistentStatus)?
        var change: ControlDesk.Handler?
        /// The latest requests to change this process, oldest first.
        var requests: [ProcessStatus.Request] = []
        var watch: Watch?
    }
    /// Requests that are remembered.
    private static let requestLimit = 64

    let command: String
    /// What the user calls the process: the name of its server; nil without one.
    let name: String?
    private let start = MonotonicClock.now()
    private let state = Mutex(State())

    init(command: String, name: String? = nil) {
        self.command = command
        self.name = name
    }

    /// Opens the socket; if that fails, the process runs on without it and says why.
    ///
    /// Nothing happens if the environment names no folder for it.
    func open(state folder: String? = nil) {
        guard let place = StatusFolder.path(state: folder) else { return }
        do {
            let socket = try StatusSocket(
                folder: place, command: command, name: name, tick: { [weak self] in self?.tick() },
                answer: { [weak self] in self?.answer(to: $0) ?? [] },
                change: { [weak self] words, reply in
                    StatusFeed.change(self, words, by: .socket) { reply(Array($0.line.utf8)) }
                })
            state.withLock { $0.socket = socket }
        } catch {
            try? Console.standardError.write(
                "pathwise: 'pathwise status' will not show this process: "
                    + "\(CommandFailure(error).message)\n")
        }
    }

    /// Hands a request over to the desk of the process.
    private static func change(
        _ feed: StatusFeed?, _ words: [String], by origin: ControlOrigin,
        _ reply: @escaping @Sendable (ControlAnswer) -> Void
    ) {
        guard let change = feed?.state.withLock({ $0.change }) else {
            let failure = CommandFailure("this process takes no requests", .usage)
            return reply(ControlAnswer(request: "", origin: origin, failure: failure))
        }
        change(words, origin, reply)
    }

    /// Shows the process at an address too; before the first session, as sessions are followed.
    ///
    /// - Parameters:
    ///   - place: nil shows it nowhere.
    ///   - folder: of the state, for the history; nil means that of this user.
    /// - Throws: `CommandFailure` if the address cannot be used.
    @discardableResult
    func watch(
        at place: (address: WatchAddress, token: WatchToken?)?, state folder: String?
    ) throws(CommandFailure) -> Watch? {
        guard let place else { return nil }
        let source = Watch.Source(
            command: command,
            sessions: { [weak self] in self?.entries ?? [] },
            flows: { [weak self] in self?.state.withLock { $0.flows }() ?? [] },
            status: { [weak self] in self?.status() },
            change: { [weak self] in StatusFeed.change(self, $0, by: .http, $1) })
        let watch = try Watch.open(
            place, historyFile: HistoryFolder.file(state: folder, command, name), source)
        state.withLock { $0.watch = watch }
        return watch
    }

    private var entries: [Watch.Entry] {
        state.withLock { $0.sessions }.map(entry)
    }

    private func entry(_ session: (number: Int, name: String?, session: Session)) -> Watch.Entry {
        Watch.Entry(
            number: session.number, peer: session.name ?? name ?? "", session: session.session)
    }

    /// Closes the socket and the address.
    func close() {
        let (socket, watch) = state.withLock { state in
            defer { (state.socket, state.watch) = (nil, nil) }
            return (state.socket, state.watch)
        }
        socket?.close()
        watch?.close()
    }

    // MARK: contents

    /// Shows a session until `remove`.
    ///
    /// - Parameter name: of its peer, for the user.
    func add(_ session: Session, name: String? = nil) -> Int {
        let (added, watch) = state.withLock { state in
            state.nextNumber += 1
            let added = (state.nextNumber, name, session)
            state.sessions.append(added)
            return (added, state.watch)
        }
        watch?.follow(entry(added))
        return added.0
    }

    func remove(_ number: Int) {
        let (removed, watch) = state.withLock { state in
            let place = state.sessions.firstIndex { $0.number == number }
            return (place.map { state.sessions.remove(at: $0) }, state.watch)
        }
        if let removed { watch?.end(entry(removed)) }
    }

    /// Shows the forwards or transfers that a closure lists; it is called for each answer.
    func setFlows(_ flows: @escaping @Sendable () -> [FlowReport]) {
        state.withLock { $0.flows = flows }
    }

    /// Shows whether a connection is kept, for how long, and the latest error.
    func setLink(_ link: @escaping @Sendable () -> PersistentStatus) {
        state.withLock { $0.link = link }
    }

    /// Shows what is used of the caps of paths.
    func setMeter(_ meter: UsageMeter?) { state.withLock { $0.meter = meter } }

    /// Takes requests to change this process.
    func setChange(_ change: @escaping ControlDesk.Handler) {
        state.withLock { $0.change = change }
    }

    /// Shows what became of a request to change this process.
    func note(_ answer: ControlAnswer) {
        let request = ProcessStatus.Request(time: TransferText.time(), answer: answer)
        state.withLock { state in
            state.requests.append(request)
            if state.requests.count > StatusFeed.requestLimit { state.requests.removeFirst() }
        }
    }

    // MARK: the socket's thread

    private func tick() {
        let (sessions, flows) = state.withLock { ($0.sessions, $0.flows) }
        let counters = sessions.map { ($0.number, $0.session.counters()) }
        let list = flows()
        let now = MonotonicClock.now()
        state.withLock { state in
            for (number, paths) in counters {
                for path in paths {
                    state.rates.add(
                        StatusFeed.key(number, path), sent: path.wireBytesSent,
                        received: path.wireBytesReceived, at: now)
                }
            }
            for flow in list {
                state.rates.add(
                    flow.key, sent: flow.bytesSent, received: flow.bytesReceived, at: now)
            }
            state.rates.keepOnly(addedAt: now)
        }
    }

    private static func key(_ session: Int, _ path: PathCounters) -> String {
        "\(session)/\(path.path.rawValue)"
    }

    private func answer(to request: StatusRequest) -> [UInt8] {
        let status = status()
        switch request {
        case .json: return Array(status.json.text().utf8)
        case .text: return Array(status.text.utf8)
        // The desk answers those.
        case .change: return []
        }
    }

    /// The status now.
    func status() -> ProcessStatus {
        let (sessions, flows, meter, link, rates, requests) = state.withLock {
            ($0.sessions, $0.flows, $0.meter, $0.link, $0.rates, $0.requests)
        }
        let list = flows()
        let uses = meter?.uses ?? []
        let reports = sessions.map { entry in
            let status = entry.session.status()
            let counters = entry.session.counters()
            let now = MonotonicClock.now()
            func use(_ name: String) -> CapUse? { uses.first { $0.path == name } }
            var rows = status.paths.compactMap { report in
                counters.first { $0.path == report.path }.map { counters in
                    PathRow(
                        report, counters,
                        rates.rates(
                            StatusFeed.key(entry.number, counters),
                            sent: counters.wireBytesSent, received: counters.wireBytesReceived,
                            at: now), use(report.name))
                }
            }
            rows += status.absentPaths.map { PathRow($0, use($0.name)) }
            return ProcessStatus.Peer(
                name: entry.name, key: entry.session.peerKey.base64, status: status, paths: rows,
                number: entry.number)
        }
        let now = MonotonicClock.now()
        return ProcessStatus(
            command: command, name: name, running: now - start, link: link?(), peers: reports,
            flows: list.map { flow in
                (
                    flow,
                    rates.rates(
                        flow.key, sent: flow.bytesSent, received: flow.bytesReceived, at: now)
                )
            }, requests: requests)
    }
}
