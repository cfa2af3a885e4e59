import PathReport
import PathSimulation
import PathTelemetry

/// Worlds in TOML files; `docs/worlds.md` describes them.
public enum WorldFile {
    /// Reads a world.
    ///
    /// - Parameter file: names of traces in it are relative to its folder.
    public static func read(_ file: String) throws(WorldError) -> WorldSpecification {
        let bytes: [UInt8]
        do throws(SimulationError) {
            bytes = try readFile(file, limit: WorldBounds.fileBytes)
        } catch {
            guard case .unreadableFile(let path, let reason) = error else {
                throw .unreadable(file: file, reason: "\(error)")
            }
            throw .unreadable(file: path, reason: reason)
        }
        return try parse(
            String(decoding: bytes, as: UTF8.self), name: stem(of: file), file: file)
    }

    /// Parses the text of a world.
    ///
    /// - Parameters:
    ///   - name: the world's name if the text has none.
    ///   - file: the file's name, for messages and the folder of traces.
    public static func parse(
        _ text: String, name: String, file: String
    ) throws(WorldError) -> WorldSpecification {
        let document: TOMLTable
        do throws(TOMLProblem) { document = try TOMLTable(parsing: text) } catch {
            throw .syntax(file: file, line: error.line, reason: error.reason)
        }
        var root = WorldTable(document, place: "", file: file)
        let folder = file.lastIndex(of: "/").map { String(file[..<$0]) } ?? ""
        let given = try root.text("name") ?? name
        guard PlainName.allows(given) else {
            throw root.invalid("name", "use \(PlainName.rule)")
        }
        let summary = try root.text("summary") ?? ""
        guard let duration = try root.time("duration", in: 0.1...86_400) else {
            throw root.invalid("duration", "missing; write how long a run is, as \"60s\"")
        }
        let warmUp = try root.time("warm-up", in: 0...3600) ?? min(.seconds(1), duration / 10)
        guard warmUp < duration else {
            throw root.invalid("warm-up", "it must be shorter than the duration")
        }
        var links: [WorldLink] = []
        var vias: [(name: String?, table: WorldTable)] = []
        for table in try root.tables("link", limit: WorldBounds.links) {
            var reader = LinkReader(table, folder: folder)
            let link = try reader.read(defaultName: "p\(links.count + 1)")
            guard !links.contains(where: { $0.name == link.name }) else {
                throw table.invalid("name", "'\(link.name)' is there already; choose another")
            }
            links.append(link)
            vias.append((reader.via, table))
        }
        guard !links.isEmpty else {
            throw root.invalid("link", "missing; a world has at least one table [[link]]")
        }
        let shared = try RouteReader(
            try root.tables("bottleneck", limit: WorldBounds.links), links: links.map(\.name),
            folder: folder)
        var routes: [[Int]] = []
        for via in vias { routes.append(try shared.route(via: via.name, via.table)) }
        try shared.check(routes)
        let names = links.map(\.name) + shared.names
        var outages: [SharedOutages] = []
        for table in try root.tables("outage", limit: WorldBounds.links) {
            var table = table
            outages.append(try SharedOutages(&table, links: names))
        }
        let cross = try cross(
            &root,
            CrossReader(
                names: names, hops: (links + shared.bottlenecks).map(\.specification)))
        var workloads: [Workload] = []
        for table in try root.tables("workload", limit: WorldBounds.workloads) {
            var table = table
            let workload = try Workload(&table, number: workloads.count + 1, duration: duration)
            guard !workloads.contains(where: { $0.name == workload.name }) else {
                throw table.invalid("name", "'\(workload.name)' is there already; choose another")
            }
            workloads.append(workload)
        }
        guard !workloads.isEmpty else {
            throw root.invalid("workload", "missing; a world has at least one table [[workload]]")
        }
        try root.finish()
        return WorldSpecification(
            name: given, summary: summary, duration: duration, warmUp: warmUp, links: links,
            bottlenecks: shared.bottlenecks, routes: routes, cross: cross, outages: outages,
            workloads: workloads)
    }

    private static func cross(
        _ root: inout WorldTable, _ reader: CrossReader
    ) throws(WorldError) -> [CrossTraffic] {
        var cross: [CrossTraffic] = []
        for (index, table) in try root.tables("cross", limit: CrossTraffic.limit).enumerated() {
            var table = table
            for flow in try reader.read(&table, number: index + 1) {
                guard !cross.contains(where: { $0.name == flow.name }) else {
                    throw table.invalid("name", "'\(flow.name)' is there already; choose another")
                }
                guard cross.count < CrossTraffic.limit else {
                    throw table.invalid("flows", "at most \(CrossTraffic.limit) flows together")
                }
                cross.append(flow)
            }
        }
        return cross
    }

    /// The name of a file without folder and extension.
    private static func stem(of file: String) -> String {
        let name = file.lastIndex(of: "/").map { file[file.index(after: $0)...] } ?? file[...]
        return String(name.hasSuffix(".toml") ? name.dropLast(5) : name)
    }
}
