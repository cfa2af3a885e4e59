import Glibc
import PathNetwork
import PathReport
import PathTelemetry
import PathWatch
import Pathwise
import Synchronization

/// Shows a process to browsers and Prometheus: counts for metrics, keeps the history and the latest
/// events, and answers.
///
/// *Any thread.*
final class Watch: Sendable {
    /// A session that is shown.
    struct Entry: Sendable {
        var number: Int
        /// The name of its peer; empty if it has none.
        var peer: String
        var session: Session
    }

    /// What the process tells.
    struct Source: Sendable {
        /// Of the process.
        var command: String
        var sessions: @Sendable () -> [Entry]
        var flows: @Sendable () -> [FlowReport]
        var status: @Sendable () -> ProcessStatus?
        /// Makes a change of words, and answers later.
        var change: @Sendable ([String], @escaping @Sendable (ControlAnswer) -> Void) -> Void

        var isServer: Bool { command == "serve" }
    }

    /// Events of the log that nobody may read here: a token lets a client join.
    private static let secrets: Set<String> = ["token"]
    /// Events of the log that are noted here in any case, with the name of the path.
    private static let own: Set<String> = ["path", "path_down", "path_up"]
    /// The shortest time between two states that are sent because something happened, milliseconds.
    private static let pause = TimeDelta.milliseconds(100)

    let address: WatchAddress
    private let source: Source
    private let sums = Mutex(WatchSums())
    private let history: Mutex<History?>
    private let events = WatchEvents()
    private let server = Mutex<WatchServer?>(nil)
    private let lastPush = Mutex(MonotonicClock.now())

    /// Listens; nothing is shown before `start`.
    ///
    /// - Parameters:
    ///   - place: where, and what has to be known there.
    ///   - historyFile: nil keeps no history.
    ///   - source: what is shown.
    /// - Throws: `CommandFailure` if the address cannot be used.
    static func open(
        _ place: (address: WatchAddress, token: WatchToken?), historyFile: String?,
        _ source: Source
    ) throws(CommandFailure) -> Watch {
        var history: History?
        if let historyFile {
            do throws(WatchError) {
                history = try History(file: historyFile)
            } catch {
                try? Console.standardError.write("pathwise: no history is kept: \(error)\n")
            }
        }
        do throws(WatchError) {
            let box = WatchBox()
            let server = try WatchServer(
                on: place.address, token: place.token,
                content: WatchContent(
                    page: { WatchPage.response() },
                    route: { WatchRoute.kind(of: $0, for: source.command) },
                    answer: { box.watch?.answer($0) ?? HTTPResponse(.unavailable) },
                    change: { ControlRoute.make($0, for: source.command, source.change, $1) },
                    tick: { box.watch?.tick(isFollowed: $0) ?? [] }))
            let watch = Watch(server, source, history)
            box.set(watch)
            return watch
        } catch {
            throw CommandFailure("--http: \(error)", ExitStatus(error))
        }
    }

    private init(_ server: WatchServer, _ source: Source, _ history: consuming History?) {
        address = server.address
        self.source = source
        self.history = Mutex(history)
        self.server.withLock { $0 = server }
    }

    /// Ends all connections, and writes the history.
    func close() {
        let server = server.withLock { server in
            defer { server = nil }
            return server
        }
        server?.close()
        history.withLock { history in
            history?.close()
            history = nil
        }
    }

    // MARK: what happens

    /// Notes an event of the log.
    func note(_ kind: String, _ members: [(key: String, value: JSONValue)], _ text: String) {
        guard !Watch.secrets.contains(kind), !Watch.own.contains(kind) else { return }
        var client: String?
        if case .string(let name)? = members.first(where: { $0.key == "client" })?.value {
            client = name
        }
        note(kind, text, client: client, path: nil)
    }

    private func note(_ kind: String, _ text: String, client: String?, path: String?) {
        let event = events.note(
            kind, text, client: client, path: path, time: TransferText.time())
        publish(EventText.event("event", Array(event.text().utf8)))
    }

    private func publish(_ bytes: [UInt8]) { server.withLock { $0 }?.publish(bytes) }

    /// Shows the changes of a session until it ends.
    func follow(_ entry: Entry) {
        let changes = entry.session.changes
        Task { [weak self] in
            for await change in changes {
                guard let self else { return }
                self.handle(change, entry)
            }
        }
    }

    private func handle(_ change: SessionEvent, _ entry: Entry) {
        let client = source.isServer ? entry.peer : nil
        switch change {
        case .pathChanged(let change):
            let name =
                entry.session.counters(includingRemoved: true)
                .first { $0.path == change.path }?.name ?? "path \(change.path.rawValue)"
            note(
                "path", "\(name): \(change.from.name) to \(change.to.name) (\(change.cause.name))",
                client: client, path: name)
        case .modelChanged(let change):
            note(
                change.policy == nil ? "model" : "policy", Watch.text(change), client: client,
                path: nil)
        case .guardChanged(let event):
            note("guard", Watch.text(event), client: client, path: nil)
        case .messageDelivered, .messageLost, .closed: return
        }
        pushState()
    }

    private static func text(_ change: ModelChangeReport) -> String {
        if let refusal = change.refusal { return "the offered model is not used: \(refusal)" }
        if let policy = change.policy { return "\(policy) decides now" }
        return "the policy continues with model \(StableHash.text(change.modelHash ?? 0))"
    }

    private static func text(_ event: GuardEvent) -> String {
        switch event {
        case .demoted(let reason, _): "the steady rule decides now: \(reason.name)"
        case .restored: "the models decide again"
        case .relearning(let reason, _): "the models learn from the beginning: \(reason.name)"
        }
    }

    /// Sends the state at once, as something has happened, and not at the next second.
    private func pushState() {
        guard server.withLock({ $0 })?.isFollowed == true else { return }
        let now = MonotonicClock.now()
        let isDue = lastPush.withLock { last in
            guard now - last >= Watch.pause else { return false }
            last = now
            return true
        }
        if isDue { publish(state()) }
    }

    // MARK: counting

    /// Takes the last counters of a session that is shown no longer.
    func end(_ entry: Entry) {
        let counters = entry.session.counters(includingRemoved: true)
        let status = entry.session.status()
        let flows = source.flows()
        let news = sums.withLock { sums in
            sums.take(status, session: entry.number, peer: entry.peer)
            sums.take(flows, isServer: source.isServer, name: entry.peer)
            sums.forgetFlows(except: flows)
            let news = sums.take(
                counters, session: entry.number, peer: entry.peer, isLast: true)
            sums.forget(session: entry.number)
            return news
        }
        let now = time(nil)
        history.withLock { history in
            for (name, value) in news { history?.add(name, value, now: now) }
        }
    }

    /// Counts; once a second on the server's thread.
    private func tick(isFollowed: Bool) -> [UInt8] {
        let entries = source.sessions()
        let counters = entries.map { $0.session.counters(includingRemoved: true) }
        let absent = source.isServer ? [] : entries.flatMap { $0.session.absentPaths() }
        var paths: [String: HistoryValue] = [:]
        sums.withLock { sums in
            for (entry, counters) in zip(entries, counters) {
                let news = sums.take(counters, session: entry.number, peer: entry.peer)
                for (name, value) in news { Watch.merge(value, into: &paths[name]) }
            }
        }
        for path in absent {
            var value = HistoryValue()
            value.state = .absent
            Watch.merge(value, into: &paths[path.name])
        }
        let now = time(nil)
        history.withLock { history in
            for (name, value) in paths { history?.add(name, value, now: now) }
            history?.advance(now: now)
        }
        return isFollowed ? state() : []
    }

    /// Adds what another path of the same name did in the same second; the best state counts.
    private static func merge(_ value: HistoryValue, into sum: inout HistoryValue?) {
        guard var both = sum else {
            sum = value
            return
        }
        let best = both.state.rawValue < value.state.rawValue ? both.state : value.state
        both.add(value)
        both.state = best
        sum = both
    }

    // MARK: answers

    private func answer(_ request: HTTPRequest) -> HTTPResponse {
        switch WatchRoute(rawValue: request.path) {
        case .metrics: HTTPResponse(metrics(), type: MetricsText.type)
        case .status:
            HTTPResponse(WatchState.document(source.status()), type: WatchRoute.json)
        case .events:
            .stream(
                state()
                    + EventText.event("events", Array(JSONValue.array(events.list).text().utf8)))
        case .history: history(request)
        case .description:
            HTTPResponse(Array(APIDocument.text(for: source.command).utf8), type: WatchRoute.json)
        case .page, nil: HTTPResponse(.notFound)
        }
    }

    /// The state as an event.
    private func state() -> [UInt8] {
        guard let status = source.status() else { return [] }
        return EventText.event("state", Array(WatchState.json(status).text().utf8))
    }

    private func metrics() -> [UInt8] {
        guard let status = source.status() else { return [] }
        let sums = sums.withLock { sums in
            for peer in status.peers {
                sums.take(peer.status, session: peer.number, peer: peer.name ?? status.name ?? "")
            }
            let flows = status.flows.map(\.0)
            sums.take(flows, isServer: source.isServer, name: status.name ?? "")
            sums.forgetFlows(except: flows)
            return sums
        }
        return StatusMetrics.text(status, sums)
    }

    private func history(_ request: HTTPRequest) -> HTTPResponse {
        let (minutes, points): (Int?, Int?)
        do throws(HTTPStatus) {
            minutes = try request.number("minutes", in: WatchRoute.minutes)
            points = try request.number("points", in: WatchRoute.points)
        } catch {
            return HTTPResponse(error)
        }
        let now = time(nil)
        let found = history.withLock {
            $0?.read(seconds: (minutes ?? 60) * 60, points: points ?? 360, now: now)
        }
        let value = WatchState.json(found ?? (now, History.step, []))
        return HTTPResponse(Array(value.text().utf8), type: WatchRoute.json)
    }
}

/// Lets the server's thread find what was made after it.
private final class WatchBox: Sendable {
    private struct Reference: Sendable { weak var watch: Watch? }
    private let state = Mutex(Reference())

    var watch: Watch? { state.withLock { $0.watch } }

    func set(_ watch: Watch) { state.withLock { $0.watch = watch } }
}
