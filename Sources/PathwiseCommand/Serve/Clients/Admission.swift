import PathNetwork
import PathTelemetry
import PathTransport
import Pathwise
import Synchronization

/// Who may connect to a running server: its clients, and the keys of tokens that were not used yet.
///
/// The state folder has the truth; this is what was last read from it. *Any thread.*
final class Admission: Sendable {
    /// Who a key belongs to.
    enum Role {
        case client(ServedClient)
        /// Somebody with a token: may enrol, and do nothing else.
        case newcomer
    }

    private struct State {
        var clients: [PublicKey: ServedClient] = [:]
        /// The keys of lines with a mistake.
        var suspended: Set<PublicKey> = []
        /// What the file of clients said when it was last read.
        var content: [UInt8] = []
        var tokens: [PublicKey: PendingTokens.Entry] = [:]
        /// The lines of both files that are wrong, as they were last reported.
        var problems: [String] = []
        /// Whose lines have changed or are gone, and whose sessions were not ended yet.
        var changed: Set<PublicKey> = []
        /// Clients that have enrolled and not connected yet.
        var new: Set<PublicKey> = []
        /// Used tokens whose clients wait for the answer; the file does not have them any more.
        var answering: Set<PublicKey> = []
        /// Tokens that were good and are not any more, and why; for the log.
        var spent: [PublicKey: String] = [:]
        /// Clients that enrolled with the token, to know their late first messages.
        var enrolled: [PublicKey: Enrolled] = [:]
        /// Whether the file of clients could not be read the last time.
        var isUnread = false
    }
    /// Where a client came from that has enrolled, and when.
    private struct Enrolled {
        let remotes: Set<String>
        let hosts: Set<String>
        let time: Instant

        init(_ remotes: [String], at time: Instant) {
            self.remotes = Set(remotes)
            hosts = Set(remotes.compactMap { SocketAddress(parsing: $0)?.host })
            self.time = time
        }

        /// Whether a message is one with which this client tried to enrol: a copy from the same address,
        /// or one of a slow path that the session did not have yet.
        func sent(_ client: RefusedClient, at arrival: Instant) -> Bool {
            remotes.contains("\(client.remote)")
                || !hosts.contains(client.remote.host) && arrival - time < Admission.slowPath
        }
    }

    /// How long after an enrolment the first messages of its other paths may arrive.
    private static let slowPath = TimeDelta.seconds(1)
    /// The most tokens whose end is remembered.
    private static let spentLimit = 1000

    private let state: Mutex<State>
    private let folder: StateFolder
    private let serverKey: PublicKey

    /// Reads both files; `reload` reports their wrong lines.
    ///
    /// - Throws: `StateError` if a file cannot be read at all.
    init(_ folder: StateFolder, serverKey: PublicKey) throws {
        self.folder = folder
        self.serverKey = serverKey
        state = Mutex(State())
        take(try ClientsFile(folder))
        take(try PendingTokens(folder))
    }

    /// What reading the files again has found.
    struct Change {
        /// Whether the file of clients is another one.
        var isNew = false
        /// Whose lines have changed or are gone.
        var changed: [PublicKey] = []
        /// What is wrong with lines, or with a whole file, and was not reported before.
        var problems: [String] = []
    }

    /// Reads both files again.
    ///
    /// A line with a mistake admits nobody, and the others count. A file that is missing or cannot be
    /// read changes nothing, as nobody can have meant that; one that names no client cuts all off.
    /// - Parameter repeats: whether problems are reported that were reported before.
    func reload(repeats: Bool = false) -> Change {
        var change = Change()
        var problems: [String] = []
        var lost: String?
        do throws(StateError) {
            let file = try ClientsFile(folder)
            problems += file.problems.map { "\($0); this line admits nobody" }
            let (isNew, former) = take(file)
            change.isNew = isNew
            if let former { lost = keep(former) }
        } catch {
            state.withLock { $0.isUnread = true }
            problems.append(
                "\(error); until then the clients stay as they were, and nobody can join")
        }
        do throws(StateError) {
            let tokens = try PendingTokens(folder)
            problems += tokens.problems.map { "\($0); nobody can join by this line" }
            take(tokens)
        } catch {
            problems.append("\(error); the tokens stay as they were")
        }
        change.changed = state.withLock { state in
            defer { state.changed = [] }
            return Array(state.changed)
        }
        change.problems = state.withLock { state in
            let known = repeats ? [] : Set(state.problems)
            state.problems = problems
            return problems.filter { !known.contains($0) }
        }
        if let lost { change.problems.append(lost) }
        return change
    }

    /// Keeps the content of a file that names nobody any more; returns what the log should say.
    private func keep(_ former: ClientsFile) -> String {
        let names = former.clients.map(\.name)
        let list =
            names.prefix(10).joined(separator: ", ") + (names.count > 10 ? " and others" : "")
        let file = folder.file(ClientsFile.fileName)
        let text = "\(file) names no client any more, so all are cut off (\(list))"
        do throws(StateError) {
            try folder.write(former.content, to: ClientsFile.lastName)
            return "\(text); to admit them again: cp \(folder.file(ClientsFile.lastName)) \(file)"
        } catch {
            return "\(text); to admit them again, write their lines; the former ones are not kept, "
                + "as \(error)"
        }
    }

    /// Returns whether the file says something else than before, and what it said if it names nobody
    /// any more.
    @discardableResult
    private func take(_ file: ClientsFile) -> (isNew: Bool, former: ClientsFile?) {
        state.withLock { state in
            let isNew = state.content != file.content || state.isUnread
            state.isUnread = false
            let former = state.clients
            let content = state.content
            state.content = file.content
            state.clients = Dictionary(
                file.clients.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
            state.suspended = file.keys.subtracting(state.clients.keys)
            for client in former.values where state.clients[client.key]?.words != client.words {
                state.changed.insert(client.key)
            }
            let isEmptied = file.clients.isEmpty && !former.isEmpty
            return (
                isNew,
                isEmptied ? ClientsFile(content, file: folder.file(ClientsFile.fileName)) : nil
            )
        }
    }

    private func take(_ tokens: PendingTokens) {
        state.withLock { state in
            let left = Set(tokens.entries.map(\.key))
            for key in state.tokens.keys where !left.contains(key) {
                Admission.remember(key, "its token was used or withdrawn", &state)
            }
            state.tokens = Dictionary(
                tokens.entries.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
        }
    }

    /// The keys that may connect now, each with its pre-shared key.
    func keys(now: UInt64) -> [PublicKey: PresharedKey?] {
        state.withLock { state in
            var keys: [PublicKey: PresharedKey?] = [:]
            for key in state.answering { keys[key] = .some(nil) }
            for (key, token) in state.tokens where token.expires > now { keys[key] = .some(nil) }
            for (key, client) in state.clients { keys[key] = .some(client.presharedKey) }
            return keys
        }
    }

    /// Who a connected peer is; nil if it is not allowed any more.
    func role(of key: PublicKey) -> Role? {
        state.withLock { state in
            if let client = state.clients[key] { return .client(client) }
            return state.tokens[key] != nil || state.answering.contains(key) ? .newcomer : nil
        }
    }

    /// Clients whose lines have a mistake: they are not allowed, but nobody meant to withdraw them.
    var suspended: Set<PublicKey> { state.withLock { $0.suspended } }

    var clientCount: Int { state.withLock { $0.clients.count } }
    /// Tokens that were not used yet and have not expired.
    func tokenCount(now: UInt64) -> Int {
        state.withLock { state in state.tokens.values.count { $0.expires > now } }
    }

    /// Forgets tokens that have expired; returns whether there were any.
    func dropExpired(now: UInt64) -> Bool {
        state.withLock { state in
            let count = state.tokens.count
            for (key, token) in state.tokens where token.expires <= now {
                Admission.remember(key, "its token has expired", &state)
            }
            state.tokens = state.tokens.filter { $0.value.expires > now }
            return state.tokens.count < count
        }
    }

    private static func remember(_ key: PublicKey, _ end: String, _ state: inout State) {
        if state.spent.count >= spentLimit {
            state.spent.removeAll()
            state.enrolled.removeAll()
        }
        state.spent[key] = end
    }

    /// Why a client was refused, as a log says it; nil if it is allowed by now, or if this was a late
    /// message with which it has enrolled.
    ///
    /// - Parameter arrival: when its message arrived.
    func refusal(of client: RefusedClient, at arrival: Instant) -> String? {
        state.withLock { state in
            let key = client.key
            guard client.reason == .unknownClient else {
                return "its pre-shared key is not the one of its line"
            }
            let isKnown =
                state.clients[key] != nil || state.tokens[key] != nil
                || state.answering.contains(key)
            guard !isKnown, state.enrolled[key]?.sent(client, at: arrival) != true else {
                return nil
            }
            if state.suspended.contains(key) {
                return "its line in the file of clients has a mistake"
            }
            return state.spent[key] ?? "its key is not in the file of clients"
        }
    }

    /// Uses a token: adds a client to the file, and removes the token from its own.
    ///
    /// The token goes first, so that a server that is killed in between never has one that can be
    /// used again.
    /// - Parameters:
    ///   - token: the key that the newcomer connected with, allowed until `answered`.
    ///   - key: the key that it will have.
    ///   - name: that it asks for.
    ///   - remotes: its addresses.
    ///   - now: seconds since 1970.
    /// - Returns: the name that it gets; nil if the token was used or has expired.
    /// - Throws: if a file cannot be read or written.
    func enrol(
        token: PublicKey, as key: PublicKey, name: String, from remotes: [String], now: UInt64
    ) throws -> String? {
        let given = try folder.changing { () -> String? in
            let file = try ClientsFile(folder)
            guard key != serverKey, !file.has(key),
                let entry = try PendingTokens.take(token, from: folder, now: now)
            else { return nil }
            let (content, given) = file.adding(key, name: entry.name ?? name)
            try folder.write(content, to: ClientsFile.fileName)
            return given
        }
        if given != nil {
            state.withLock { state in
                state.answering.insert(token)
                state.enrolled[token] = Enrolled(remotes, at: MonotonicClock.now())
                state.new.insert(key)
            }
        }
        take(try ClientsFile(folder))
        take(try PendingTokens(folder))
        return given
    }

    /// Why the sessions of a client end whose line has changed or is gone.
    func end(of key: PublicKey) -> String {
        state.withLock { state in
            let what =
                if state.clients[key] != nil {
                    "has changed"
                } else {
                    state.suspended.contains(key) ? "has a mistake" : "was removed"
                }
            return "the client's line in the file of clients \(what)"
        }
    }

    /// Whether a client has enrolled and connects for the first time; true once.
    func takeNew(_ key: PublicKey) -> Bool { state.withLock { $0.new.remove(key) != nil } }

    /// Ends what a used token is still allowed.
    func answered(_ token: PublicKey) { state.withLock { _ = $0.answering.remove(token) } }
}
