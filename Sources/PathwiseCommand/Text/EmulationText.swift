import PathEmulation
import PathReport
import PathSimulation
import PathTelemetry
import PathTransport

/// The output of `emulate`.
enum EmulationText {
    /// The options of a link for help texts, one per line.
    static var forms: String {
        let forms = LinkSpecification.forms
        let widest = forms.reduce(0) { max($0, $1.form.count) }
        return forms.map { option in
            String(
                PoliciesText.wrapped(
                    option.help, after: "  " + option.form, column: widest + 4
                ).dropLast())
        }.joined(separator: "\n")
    }

    /// One line per path: its name and the option to send over it.
    static func paths(of emulation: Emulation) -> String {
        let widest = emulation.paths.reduce(0) { max($0, $1.name.count) }
        return emulation.paths.map { path in
            let space = String(repeating: " ", count: widest - path.name.count)
            return "\(path.name)\(space)  --path '\(path.name)=\(path.address.host)"
                + ">\(path.address)'\n"
        }.joined()
    }

    /// Lines of the live display.
    static func live(_ emulation: Emulation) -> [String] {
        let status = emulation.status
        var table = TextTable([
            TextTable.Column("path", .left), TextTable.Column("to server"),
            TextTable.Column("to client"), TextTable.Column("waiting"),
            TextTable.Column("dropped"),
        ])
        for (path, counters) in zip(emulation.paths, status.paths) {
            let dropped = counters.forward.dropped + counters.backward.dropped
            let waiting = counters.forward.queued + counters.backward.queued
            table.add([
                path.name, NumberText.bytes(Double(counters.forward.delivered.bytes)),
                NumberText.bytes(Double(counters.backward.delivered.bytes)),
                NumberText.bytes(Double(waiting.bytes)), NumberText.count(dropped.packets),
            ])
        }
        return table.text().split(separator: "\n").map(String.init) + [
            "\(NumberText.time(status.elapsed.seconds.rounded())), "
                + "\(NumberText.counted(status.clients, "client")); Ctrl-C to stop"
        ]
    }

    /// The table at the end.
    static func summary(of emulation: Emulation, _ status: EmulationStatus) -> String {
        var table = TextTable(
            [TextTable.Column("path", .left), TextTable.Column("direction", .left)]
                + LinkCounters.shown.compactMap { $0.title.map { TextTable.Column($0) } })
        for (path, counters) in zip(emulation.paths, status.paths) {
            add("to server", counters.forward, path: path.name, to: &table)
            add("to client", counters.backward, path: "", to: &table)
        }
        var text = "\n" + table.text()
        text += "\n\(NumberText.time(status.elapsed.seconds))"
        if status.refused > 0 { text += ", \(status.refused) refused for lack of room" }
        if status.unsent > 0 { text += ", \(status.unsent) not sent by this host" }
        if status.overrun > 0 { text += ", \(status.overrun) overrun: this host is too slow" }
        return text + "\n"
    }

    private static func add(
        _ direction: String, _ counters: LinkCounters, path: String, to table: inout TextTable
    ) {
        table.add(
            [path, direction]
                + LinkCounters.shown.compactMap { count in
                    guard count.title != nil else { return nil }
                    let volume = count.volume(counters)
                    return NumberText.count(count.isBytes ? volume.bytes : volume.packets)
                })
    }

    /// The object of `--json`.
    static func json(
        of emulation: Emulation, _ status: EmulationStatus, seed: UInt64
    ) -> JSONValue {
        [
            "target": .string(emulation.target.description), "seed": .string(String(seed)),
            "seconds": .number(status.elapsed.seconds), "clients": .count(status.clients),
            "refused": .count(status.refused), "stale": .count(status.stale),
            "unsent": .count(status.unsent), "overrun": .count(status.overrun),
            "latest_seconds": .number(status.latest.seconds),
            "paths": .array(
                zip(emulation.paths, status.paths).map { path, counters in
                    [
                        "name": .string(path.name), "address": .string(path.address.description),
                        "forward": json(counters.forward), "backward": json(counters.backward),
                    ]
                }),
        ]
    }

    private static func json(_ counters: LinkCounters) -> JSONValue {
        let volumes = LinkCounters.shown.compactMap { count in
            count.key.map { key -> (key: String, value: JSONValue) in
                let volume = count.volume(counters)
                return (key, ["packets": .count(volume.packets), "bytes": .count(volume.bytes)])
            }
        }
        return .object(
            volumes + [("maximum_queue_bytes", .count(counters.maximumQueueBytes))])
    }
}
