import PathSimulation
import PathTelemetry

/// Reads tables `[[bottleneck]]`, and finds the way of each link through them.
struct RouteReader {
    private(set) var bottlenecks: [WorldLink] = []
    /// For each bottleneck the one behind it, with the table that says so.
    private var onward: [(next: Int?, table: WorldTable)] = []

    /// - Parameter links: names that are taken.
    init(
        _ tables: [WorldTable], links: [String], folder: String
    ) throws(WorldError) {
        var vias: [String?] = []
        for table in tables {
            var reader = LinkReader(table, folder: folder)
            let link = WorldLink(
                specification: try reader.readBottleneck(
                    defaultName: "b\(bottlenecks.count + 1)"),
                reallocation: reader.reallocation)
            guard !links.contains(link.name), !names.contains(link.name) else {
                throw table.invalid("name", "'\(link.name)' is there already; choose another")
            }
            bottlenecks.append(link)
            vias.append(reader.via)
        }
        for (via, table) in zip(vias, tables) {
            onward.append((try place(of: via, table), table))
        }
        for start in onward.indices {
            var seen = [start]
            while let last = seen.last, let next = onward[last].next {
                guard !seen.contains(next) else {
                    let way = (seen + [next]).map { names[$0] }.joined(separator: " -> ")
                    throw onward[last].table.invalid("via", "a cycle: \(way)")
                }
                seen.append(next)
            }
        }
    }

    var names: [String] { bottlenecks.map(\.name) }

    private func place(of via: String?, _ table: WorldTable) throws(WorldError) -> Int? {
        guard let via else { return nil }
        guard let place = names.firstIndex(of: via) else {
            let fix =
                names.isEmpty
                ? "this world has none; add a table [[bottleneck]], or leave via out"
                : "there are " + names.joined(separator: ", ")
            throw table.invalid("via", "no bottleneck is called '\(EscapedText(via))'; \(fix)")
        }
        return place
    }

    /// The bottlenecks of a link, in the order from client to server.
    ///
    /// - Parameter table: of the link, for messages.
    func route(via: String?, _ table: WorldTable) throws(WorldError) -> [Int] {
        var route: [Int] = []
        var next = try place(of: via, table)
        while let place = next, route.count < bottlenecks.count {
            route.append(place)
            next = onward[place].next
        }
        return route
    }

    /// Refuses bottlenecks that no link passes.
    func check(_ routes: [[Int]]) throws(WorldError) {
        for place in bottlenecks.indices where !routes.contains(where: { $0.contains(place) }) {
            throw onward[place].table.invalid(
                "name", "no link passes \(names[place]); write via = \"\(names[place])\" in one")
        }
    }
}
