import PathForward
import PathReport
import PathTelemetry
import PathTransport
import Pathwise

/// The log of a server on standard output: a line, or an object with `--json`, for each event.
///
/// *Any thread.*
struct ServeLog: Sendable {
    /// The kind of `FailureNotes` of sessions that are too many.
    static let sessionLimit = "session_limit"

    private let lines: EventLog

    init(_ options: ServiceLogOptions) throws(CommandFailure) { lines = try EventLog(options) }

    /// Whether each change of a path is shown.
    var isDetailed: Bool { lines.shows(.debug) }

    /// Writes how often lines came again.
    func countRepeated(isLast: Bool = false) { lines.countRepeated(isLast: isLast) }

    /// Why the log cannot be written; nil if it can.
    var failure: CommandFailure? { lines.failure }

    /// Lets somebody watch the events, and says where.
    func watched(by watch: Watch?) { lines.watched(by: watch) }

    // MARK: events

    func listening(on addresses: [SocketAddress], key: PublicKey) {
        let list = addresses.map(\.description)
        write(
            "listening",
            [
                ("addresses", .array(list.map { .string($0) })),
                ("public_key", .string(key.base64)),
            ], text: "listening on \(list.joined(separator: ", "))")
    }

    /// A token that was made, and the addresses that are in it.
    func invited(_ line: String, _ token: JoinToken, hint: String) {
        let addresses = token.addresses.joined(separator: ", ")
        write(
            "token", InviteText.members(line, token),
            text: "one client can join until \(TransferText.time(Int(clamping: token.expires))), "
                + "at \(addresses) (\(hint)); there run:\n\n  pathwise join \(line)\n")
    }

    func note(_ text: String) { write("note", [("text", .string(text))], text: text) }

    /// The recording stopped early, or goes on.
    func recording(_ news: ServiceRecording.News) { lines.write(news) }

    func problem(_ text: String) {
        write("problem", [("text", .string(text))], text: "problem: \(text)")
    }

    /// What became of a request to change this run.
    func changed(_ answer: ControlAnswer) { lines.write(answer) }

    func reloaded(clients: Int) {
        write(
            "clients", [("count", .count(clients))],
            text: "\(NumberText.counted(clients, "client")) may connect now")
    }

    func enrolled(_ name: String, _ key: PublicKey, from remote: String) {
        write(
            name, key, "enrolled", [("remote", .string(remote))],
            text: "enrolled with a token from \(remote)")
    }

    /// No path to a client works any more, or one works again.
    func outage(_ change: OutageWatch.Change, of name: String, _ key: PublicKey) {
        switch change {
        case .began(let rest):
            let rest = TimeDelta(rest).seconds
            write(
                name, key, change.event, [("held_seconds", .number(rest))],
                text: "no path to it works; its flows are held for \(NumberText.fixed(rest, 0)) s")
        case .ended(let time):
            let seconds = TimeDelta(time).seconds
            write(
                name, key, change.event, [("seconds", .number(seconds))],
                text: "a path works again after \(NumberText.fixed(seconds, 1)) s")
        }
    }

    /// Reports each change of a client's paths, if such lines are shown, until the session ends.
    func followChanges(of session: Session, _ name: String) async {
        guard isDetailed else { return }
        await session.followPaths { change in
            write(
                name, session.peerKey, "path", change.members,
                text: "path \(change.path.rawValue) \(change.text)")
        }
    }

    /// A flow of a client that failed.
    func failed(_ failure: FlowFailure, of client: ServedClient) {
        write(client.name, client.key, "flow_failed", failure.members, text: failure.text)
    }

    /// Flows of a client that failed and were not named, or connections that were refused.
    func rest(_ rest: FailureNotes.Rest) {
        guard !rest.kind.client.isEmpty else {
            return write(
                "more_refused", [("count", .count(rest.count))],
                text:
                    "\(NumberText.counted(rest.count, "more connection")) refused within the last "
                    + "minute")
        }
        guard rest.kind.code != ServeLog.sessionLimit else {
            return write(
                "more_refused",
                [("client", .string(rest.kind.client)), ("count", .count(rest.count))],
                text: "\(rest.kind.client)  \(NumberText.counted(rest.count, "more session")) "
                    + "refused within the last minute")
        }
        write(
            "flows_failed", [("client", .string(rest.kind.client))] + rest.members,
            text: "\(rest.kind.client)  \(rest.text("flow"))")
    }

    /// Somebody whose key may not connect.
    func refused(_ client: RefusedClient, _ reason: String) {
        write(
            "refused",
            [
                ("remote", .string("\(client.remote)")), ("client_key", .string(client.key.base64)),
                ("reason", .string(reason)),
            ], text: "connection from \(client.remote) refused: \(reason)")
    }

    /// A session of a client that has as many as it may.
    func refusedSession(of client: ServedClient, from remote: String, limit: Int) {
        let text =
            "a session from \(remote) was refused: \(client.name) has "
            + "\(NumberText.counted(limit, "session")), the limit (--sessions-per-client)"
        write(
            client.name, client.key, "refused",
            [("remote", .string(remote)), ("reason", .string(text))], text: text)
    }

    /// The cap of a client was nearly reached, was reached or is counted again from zero.
    func cap(_ change: UsageChange, of client: String) {
        let text: String
        switch change {
        case .nearing(let use):
            text =
                "has used 80 % of its cap (\(use)): at the cap it may forward nothing until "
                + use.renews
        case .reached(let use):
            text = "has reached its cap (\(use)): it may forward nothing until \(use.renews)"
        case .renewed(let use): text = "may forward again: \(use)"
        case .notStored(_, let error): return problem("bytes of \(client) are not stored: \(error)")
        }
        write(
            "cap", [("client", .string(client))] + change.members, text: "\(client)  \(text)")
    }

    func refusedEnrolment(from remote: String, _ reason: String) {
        write(
            "refused", [("remote", .string(remote)), ("reason", .string(reason))],
            text: "enrolment from \(remote) refused: \(reason)")
    }

    func joined(_ name: String, _ session: Session) {
        let remote = session.status().paths.first?.remote ?? ""
        write(
            name, session.peerKey, "joined", [("remote", .string(remote))],
            text: "joined from \(remote)")
    }

    /// - Parameter end: why this server ended the session; nil if that is not known.
    func left(
        _ name: String, _ session: Session, _ forwards: FlowTotals, endedFor end: String?
    ) {
        let status = session.status()
        let sent = status.paths.reduce(0) { $0 &+ $1.statistics.bytesSent }
        let received = status.paths.reduce(0) { $0 &+ $1.statistics.bytesReceived }
        let seconds = TimeDelta(status.elapsed).seconds
        let reason = ServeLog.reason(status.reason, end)
        write(
            name, session.peerKey, "left",
            [
                ("seconds", .number(seconds)), ("reason", .string(reason)),
                ("forwarded_flows", .int(Int64(clamping: forwards.flows))),
                ("failed_flows", .int(Int64(clamping: forwards.failed))),
                ("forwarded_bytes_sent", .int(Int64(clamping: forwards.sentBytes))),
                ("forwarded_bytes_received", .int(Int64(clamping: forwards.receivedBytes))),
            ]
                + SessionSummary.json(status),
            text:
                "left after \(NumberText.fixed(seconds, 1)) s, sent \(SessionSummary.bytes(sent)), "
                + "received \(SessionSummary.bytes(received)), "
                + "\(NumberText.counted(Int(clamping: forwards.flows), "flow")), "
                + "\(NumberText.counted(status.paths.count, "path")): \(reason)")
    }

    private static func reason(_ reason: CloseReason?, _ end: String?) -> String {
        switch reason {
        case nil, .local?: "this server ended it" + (end.map { ", as \($0)" } ?? "")
        case .peer(0, _)?: "the client ended it"
        case let reason?: SessionError.ended(reason).description
        }
    }

    func item(_ item: ReceivedItem, client: String) {
        lines.print(
            lines.printsJSON
                ? TransferText.json(item, client: client).text()
                : TransferText.line(item, client: client))
    }

    // MARK: lines

    private func write(
        _ name: String, _ key: PublicKey, _ event: String,
        _ members: [(key: String, value: JSONValue)], text: String
    ) {
        write(
            event, [("client", .string(name)), ("client_key", .string(key.base64))] + members,
            text: "\(name)  \(text)")
    }

    private func write(
        _ event: String, _ members: [(key: String, value: JSONValue)], text: String
    ) { lines.write(event, members, text: text) }
}
