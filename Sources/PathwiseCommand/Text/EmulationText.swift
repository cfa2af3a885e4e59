import PathEmulation
import PathReport
import PathSimulation
import PathTelemetry
import PathTransport

/// The output of `emulate`.
enum EmulationText {
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
        var table = TextTable([
            TextTable.Column("path", .left), TextTable.Column("direction", .left),
            TextTable.Column("packets"), TextTable.Column("delivered"), TextTable.Column("bytes"),
            TextTable.Column("queue full"), TextTable.Column("lost"), TextTable.Column("outage"),
            TextTable.Column("too big"), TextTable.Column("corrupt"), TextTable.Column("twice"),
        ])
        for (path, counters) in zip(emulation.paths, status.paths) {
            add("to server", counters.forward, path: path.name, to: &table)
            add("to client", counters.backward, path: "", to: &table)
        }
        var text = "\n" + table.text()
        text += "\n\(NumberText.time(status.elapsed.seconds))"
        if status.refused > 0 { text += ", \(status.refused) refused for want of room" }
        if status.unsent > 0 { text += ", \(status.unsent) not taken by this host" }
        if status.overrun > 0 { text += ", \(status.overrun) overrun: this host is too slow" }
        return text + "\n"
    }

    private static func add(
        _ direction: String, _ counters: LinkCounters, path: String, to table: inout TextTable
    ) {
        table.add(
            [path, direction]
                + [
                    counters.sent.packets, counters.delivered.packets, counters.delivered.bytes,
                    counters.droppedQueue.packets, counters.droppedLoss.packets,
                    counters.droppedOutage.packets, counters.droppedSize.packets,
                    counters.corrupted.packets, counters.duplicated.packets,
                ].map(NumberText.count))
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
        func volume(_ volume: LinkCounters.Volume) -> JSONValue {
            ["packets": .count(volume.packets), "bytes": .count(volume.bytes)]
        }
        return [
            "sent": volume(counters.sent), "delivered": volume(counters.delivered),
            "dropped_queue": volume(counters.droppedQueue),
            "dropped_loss": volume(counters.droppedLoss),
            "dropped_outage": volume(counters.droppedOutage),
            "dropped_size": volume(counters.droppedSize),
            "dropped_overflow": volume(counters.droppedOverflow),
            "corrupted": volume(counters.corrupted), "duplicated": volume(counters.duplicated),
            "maximum_queue_bytes": .count(counters.maximumQueueBytes),
        ]
    }
}
