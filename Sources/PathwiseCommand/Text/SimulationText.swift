import PathReport
import PathTelemetry
import PathWorlds

/// The list of worlds as text and JSON.
enum SimulationText {
    static func list(_ worlds: [WorldSpecification]) -> String {
        var table = TextTable([
            TextTable.Column("world", .left), TextTable.Column("links"),
            TextTable.Column("time"), TextTable.Column("about", .left),
        ])
        for world in worlds {
            table.add([
                world.name, "\(world.links.count)", NumberText.time(world.duration.seconds),
                world.summary,
            ])
        }
        return table.text()
    }

    static func json(_ worlds: [WorldSpecification]) -> JSONValue {
        .array(
            worlds.map { world in
                .object([
                    ("name", .string(world.name)),
                    ("summary", .string(world.summary)),
                    ("links", .array(world.links.map { .string($0.name) })),
                    ("seconds", .number(world.duration.seconds)),
                    ("workloads", .array(world.workloads.map { .string($0.name) })),
                ])
            })
    }
}
