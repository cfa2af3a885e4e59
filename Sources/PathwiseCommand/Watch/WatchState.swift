import Glibc
import PathReport
import PathWatch

/// What the page and programs read of a process, as JSON.
enum WatchState {
    /// Sessions, and forwards or transfers, of the state that is sent each second.
    static let sessions = 200
    static let flows = 100

    /// As `status --json` prints it.
    static func document(_ status: ProcessStatus?) -> [UInt8] {
        let processes = status.map { [$0.json] } ?? []
        return Array(JSONValue.object([("processes", .array(processes))]).text().utf8) + [10]
    }

    /// One process, with the forwards that carry most, and how much is left out.
    static func json(_ status: ProcessStatus) -> JSONValue {
        var shown = status
        shown.peers = Array(status.peers.prefix(sessions))
        if status.flows.count > flows {
            // Those that carry something now, then those that carried most.
            shown.flows = Array(
                status.flows.sorted { first, second in
                    let one = first.1.map { $0.sent + $0.received } ?? 0
                    let two = second.1.map { $0.sent + $0.received } ?? 0
                    return one == two ? first.0.bytes > second.0.bytes : one > two
                }.prefix(flows))
        }
        guard case .object(let members) = shown.json else { return .null }
        return .object(
            members + [
                ("time", .int(Int64(time(nil)))), ("session_count", .count(status.peers.count)),
                ("flow_count", .count(status.flows.count)),
            ])
    }

    /// The history, with an array for each quantity of a path; null where nothing is known.
    static func json(_ history: (start: Int, step: Int, lines: [History.Line])) -> JSONValue {
        .object([
            ("start", .count(history.start)), ("step_seconds", .count(history.step)),
            (
                "paths",
                .array(
                    history.lines.map { line in
                        func list(
                            _ value: (HistoryValue) -> Double?
                        ) -> JSONValue {
                            .array(
                                line.values.map { entry in
                                    entry.state == .unknown ? .null : .optional(value(entry))
                                })
                        }
                        return .object([
                            ("name", .string(line.name)),
                            ("bytes_sent", list { Double($0.sent) }),
                            ("bytes_received", list { Double($0.received) }),
                            ("rtt_ms", list { $0.roundTrip > 0 ? rounded($0.roundTrip) : nil }),
                            ("loss_share", list { share($0.lost, $0.packets) }),
                            ("late_share", list { share($0.late, $0.outcomes) }),
                            (
                                "state",
                                .array(line.values.map { .count(Int($0.state.rawValue)) })
                            ),
                        ])
                    })
            ),
        ])
    }

    private static func share(_ part: Float, _ all: Float) -> Double? {
        all > 0 ? min(1, (Double(part) / Double(all) * 10_000).rounded() / 10_000) : nil
    }

    private static func rounded(_ value: Float) -> Double { (Double(value) * 10).rounded() / 10 }
}
