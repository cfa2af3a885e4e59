import PathForward
import PathNetwork
import PathReport
import PathTelemetry
import Pathwise

/// The log of `forward` on standard output: a line, or an object with `--json`, for each event.
///
/// *Any thread.*
struct ForwardLog: Sendable {
    private let lines: EventLog

    init(_ options: ServiceLogOptions) throws(CommandFailure) { lines = try EventLog(options) }

    /// Writes how often lines came again.
    func countRepeated(isLast: Bool = false) { lines.countRepeated(isLast: isLast) }

    /// Reports each change of a path, if such lines are shown, until the session or the task ends.
    func followChanges(of session: Session) async {
        guard lines.shows(.debug) else { return }
        await session.followPaths { change in
            lines.write("path", change.members, text: "path \(change.path.rawValue) \(change.text)")
        }
    }

    /// Why the log cannot be written; nil if it can.
    var failure: CommandFailure? { lines.failure }

    /// Lets somebody watch the events, and says where.
    func watched(by watch: Watch?) { lines.watched(by: watch) }

    /// The addresses at which programs can connect now.
    func listening(_ forwards: [ForwardStatus]) {
        for forward in forwards {
            guard case .listening(let address) = forward.state else { continue }
            listening(forward, at: address)
        }
    }

    private func listening(_ forward: ForwardStatus, at address: String) {
        let spec = forward.spec
        let place = spec.isReverse ? "the server listens on \(address)" : "listening on \(address)"
        let goal = spec.target.map { " for \($0)" } ?? ""
        lines.write(
            "listening",
            [
                ("forward", .string(spec.text)), ("address", .string(address)),
                ("kind", .string(spec.kind.rawValue)), ("reverse", .bool(spec.isReverse)),
                ("target", spec.target.map { .string("\($0)") } ?? .null),
            ], text: "\(spec.kind): \(place)\(goal)")
    }

    /// A session has begun.
    func connected(_ session: Session) {
        let status = session.status()
        let paths = status.paths.map(\.name)
        let absent = status.absentPaths
        lines.write(
            "connected",
            [
                ("server_key", .string(session.peerKey.base64)),
                ("paths", .array(paths.map { .string($0) })),
                (
                    "absent",
                    .array(
                        absent.map {
                            .object([("name", .string($0.name)), ("reason", .string($0.reason))])
                        })
                ),
                ("policy", .string(status.policy)),
            ],
            text: "connected over \(NumberText.counted(paths.count, "path")) "
                + "(\(paths.joined(separator: ", "))), policy \(status.policy)"
                + absent.map { "; not over \($0.name): \($0.reason)" }.joined())
    }

    /// What became of a request to change this run.
    func changed(_ answer: ControlAnswer) { lines.write(answer) }

    /// The recording stopped early, or goes on.
    func recording(_ news: ServiceRecording.News) { lines.write(news) }

    /// A flow that failed.
    func failed(_ failure: FlowFailure) {
        lines.write("flow_failed", failure.members, text: failure.text)
    }

    /// Counts the flows that failed and were not named, until the task is cancelled.
    func follow(_ failures: FailureNotes) async {
        while !Task.isCancelled {
            for rest in failures.rest(now: MonotonicClock.now()) {
                lines.write("flows_failed", rest.members, text: rest.text("flow"))
            }
            lines.countRepeated()
            try? await Task.sleep(for: .seconds(1))
        }
    }

    /// The cap of a path was nearly reached, was reached or is counted again from zero.
    func cap(_ change: UsageChange) { lines.write("cap", change.members, text: "\(change)") }

    /// Says that there is no session, and when the next attempt comes.
    func changed(_ status: PersistentStatus) {
        guard case .waiting(let pause) = status.phase else { return }
        let reason = status.lastError.map { "\($0)" } ?? "the session ended"
        let seconds = TimeDelta(pause).seconds
        lines.write(
            "waiting",
            [
                ("reason", .string(reason)), ("attempts", .count(status.attempts)),
                ("seconds", .number(seconds)),
            ], text: "\(reason); the next attempt is in \(NumberText.fixed(seconds, 1)) s")
    }

    /// Reports when a path does not work any more or works again, and when none does, until the task is
    /// cancelled.
    func followPaths(of session: Session) async {
        var watch = OutageWatch()
        var falls = PathFalls()
        while !Task.isCancelled {
            for change in session.look(with: &falls) {
                lines.write(change.event, change.members, text: change.text)
            }
            if let change = watch.look(session.health()) { report(change) }
            try? await Task.sleep(for: .milliseconds(250))
        }
    }

    private func report(_ change: OutageWatch.Change) {
        switch change {
        case .began(let rest):
            let rest = TimeDelta(rest).seconds
            lines.write(
                change.event, [("held_seconds", .number(rest))],
                text: "no path works; flows are held for \(NumberText.fixed(rest, 0)) s")
        case .ended(let time):
            let seconds = TimeDelta(time).seconds
            lines.write(
                change.event, [("seconds", .number(seconds))],
                text: "a path works again after \(NumberText.fixed(seconds, 1)) s")
        }
    }

    /// Reports how the server answers the reverse forwards, until the task is cancelled.
    func follow(_ forwarder: Forwarder) async {
        var known: [String: ForwardState] = [:]
        while !Task.isCancelled {
            // The addresses of this side's listeners do not change.
            let forwards = forwarder.forwards.filter(\.spec.isReverse)
            for forward in forwards where known[forward.spec.text] ?? .waiting != forward.state {
                switch forward.state {
                case .waiting, .leaving: break
                case .listening(let address): listening(forward, at: address)
                case .refused(let result): refused(forward, result)
                }
            }
            known = Dictionary(
                forwards.map { ($0.spec.text, $0.state) }, uniquingKeysWith: { first, _ in first })
            try? await Task.sleep(for: .milliseconds(forwards.isEmpty ? 1000 : 100))
        }
    }

    private func refused(_ forward: ForwardStatus, _ result: ForwardResult) {
        // A client that was killed finds its own earlier listener there for some seconds.
        let retries = result.code == .addressInUse
        let reason =
            (result.text.isEmpty ? "\(result.code)" : result.text)
            + (retries ? "; it is asked again every 5 s" : "")
        lines.write(
            "refused", [("forward", .string(forward.spec.text)), ("reason", .string(reason))],
            text: "the server does not listen for \(forward.spec.text): \(reason)")
    }
}
