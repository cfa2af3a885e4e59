import PathSimulation
import PathTelemetry

/// Reads a table `[[link]]`.
///
/// Its keys are turned into a link's options, which have the same names and the same bounds in
/// worlds, in `emulate --link` and in scenario files.
struct LinkReader {
    private var table: WorldTable
    private let folder: String

    init(_ table: WorldTable, folder: String) {
        self.table = table
        self.folder = folder
    }

    mutating func read(defaultName: String) throws(WorldError) -> WorldLink {
        let name = try table.text("name") ?? defaultName
        guard PlainName.allows(name) else {
            throw table.invalid("name", "use 1 to 32 of a-z A-Z 0-9 - _ .")
        }
        var traits = PathTraits()
        if let price = try table.number("price", in: 0...1e6) { traits.pricePerGB = price }
        if let isBackup = try table.flag("backup") { traits.isBackup = isBackup }
        let mtu = try table.count("mtu", in: 576...9000)
        let outages = try table.tables("outage", limit: WorldBounds.changes)
        let changes = try table.tables("change", limit: WorldBounds.changes)
        var options = try options(of: &table, prefix: "")
        for (key, prefix) in [("up", "f"), ("down", "r")] {
            guard var direction = try table.table(key) else { continue }
            options += try self.options(of: &direction, prefix: prefix)
            try direction.finish()
        }
        try table.finish()
        if let mtu { options.append("mtu=\(mtu)") }
        if options.isEmpty { options = ["rate=0"] }
        var specification = try parse(options, table)
        specification.name = name
        for var outage in outages { try add(&outage, to: &specification) }
        var last = TimeDelta.zero
        for var change in changes {
            guard let at = try change.time("at") else {
                throw change.invalid("at", "missing; write when the link changes, as \"10s\"")
            }
            guard at > last else {
                throw change.invalid("at", "changes must be in ascending order, above zero")
            }
            last = at
            if change.has("rate"), !options.contains(where: { $0.contains("rate=") }) {
                throw change.invalid("rate", "only a link with a rate can change it")
            }
            let added = try self.options(of: &change, prefix: "")
            try change.finish()
            let next = try parse(options + added, change)
            options += added
            specification.change(to: next, at: at)
        }
        specification.drawByTime()
        return WorldLink(specification: specification, traits: traits)
    }

    private func parse(
        _ options: [String], _ table: WorldTable
    ) throws(WorldError) -> LinkSpecification {
        do throws(SimulationError) {
            return try LinkSpecification(
                parsing: options.joined(separator: ","), traceFolder: folder)
        } catch {
            throw table.invalid("\(error)")
        }
    }

    private func add(
        _ outage: inout WorldTable, to link: inout LinkSpecification
    ) throws(WorldError) {
        guard let from = try outage.time("from"), let to = try outage.time("to") else {
            throw outage.invalid("from", "an outage has from and to, as \"10s\" and \"12s\"")
        }
        guard from < to else { throw outage.invalid("to", "it must be later than from") }
        let every = try outage.time("every")
        if let every, every <= to - from {
            throw outage.invalid("every", "it must be longer than the outage")
        }
        let direction = try outage.word("direction", WorldDirection.self) ?? .both
        try outage.finish()
        link.addOutage(from: from, to: to, every: every ?? .zero, in: direction.link)
    }

    /// The options of one table, each `KEY=VALUE`.
    private func options(
        of table: inout WorldTable, prefix: String
    ) throws(WorldError) -> [String] {
        var options: [String] = []
        func add(_ key: String, _ value: String?) {
            if let value { options.append("\(prefix)\(key)=\(value)") }
        }
        func milliseconds(_ time: TimeDelta?) -> String? {
            time.map { NumberText.exact($0.seconds * 1e3) }
        }
        let netem = try table.flag("netem")
        add("netem", netem.map { $0 ? "1" : "0" })
        add("rate", try table.rate("rate").map { NumberText.exact($0 / 1e6) })
        if let trace = try table.text("trace") {
            guard !trace.contains(","), !trace.isEmpty else {
                throw table.invalid("trace", "write a file's name without commas")
            }
            add("trace", trace)
        }
        if let delays = try table.text("delays") {
            guard !delays.contains(","), !delays.isEmpty else {
                throw table.invalid("delays", "write a file's name without commas")
            }
            add("delays", delays)
        }
        add("delay", milliseconds(try table.time("delay", in: 0...600)))
        add("rtt", milliseconds(try table.time("rtt", in: 0...600)))
        add("queue", try queue(&table))
        add("loss", try table.share("loss").map { NumberText.exact($0) })
        if let jitter = try table.time("jitter", in: 0...600) {
            let shape = try table.word("jitter-shape", JitterShape.self) ?? .normal
            let value = NumberText.exact(jitter.seconds * 1e3)
            add("jitter", shape == .normal ? "normal:\(value)" : value)
        }
        add("reorder", try table.flag("reorder").map { $0 ? "1" : "0" })
        add("duplicate", try table.share("duplicate").map { NumberText.exact($0) })
        add("corrupt", try table.share("corrupt").map { NumberText.exact($0) })
        add("fading", try fading(&table))
        return options
    }

    private func queue(_ table: inout WorldTable) throws(WorldError) -> String? {
        if let packets = try table.count("queue-packets", in: 0...1_000_000) {
            return "\(packets)p"
        }
        return try table.size("queue", in: 0...1_073_741_824).map { "\($0)b" }
    }

    private func fading(_ table: inout WorldTable) throws(WorldError) -> String? {
        guard var fading = try table.table("fading") else { return nil }
        let bounds = 1e-6...600.0
        guard let good = try fading.time("good", in: bounds),
            let bad = try fading.time("bad", in: bounds)
        else {
            throw fading.invalid(
                "good", "fading has the mean times good and bad, as \"2s\" and \"40ms\"")
        }
        let lossGood = try fading.share("loss-good") ?? 0
        let lossBad = try fading.share("loss-bad") ?? 1
        try fading.finish()
        return [good.seconds * 1e3, bad.seconds * 1e3, lossGood, lossBad]
            .map { NumberText.exact($0) }.joined(separator: ":")
    }
}

/// Which directions of a link something concerns.
enum WorldDirection: String, CaseIterable {
    /// From the client to the server.
    case up
    case down
    case both

    /// Nil for both.
    var link: LinkDirection? {
        switch self {
        case .up: .forward
        case .down: .backward
        case .both: nil
        }
    }
}

/// The distribution of jitter.
enum JitterShape: String, CaseIterable {
    case normal, uniform
}

extension SharedOutages {
    /// Reads a table `[[outage]]`.
    init(_ table: inout WorldTable, links names: [String]) throws(WorldError) {
        var links: [Int] = []
        for name in try table.texts("links", limit: WorldBounds.links) ?? names {
            guard let index = names.firstIndex(of: name) else {
                throw table.invalid(
                    "links",
                    "no link is called '\(EscapedText(name))'; there are "
                        + names.joined(separator: ", "))
            }
            if !links.contains(index) { links.append(index) }
        }
        guard let gap = try table.time("gap", in: 0.01...WorldBounds.seconds) else {
            throw table.invalid("gap", "missing; write the mean time between outages, as \"60s\"")
        }
        guard let shortest = try table.time("shortest", in: 0.001...WorldBounds.seconds),
            let longest = try table.time("longest", in: 0.001...WorldBounds.seconds)
        else {
            throw table.invalid(
                "shortest", "write shortest and longest, as \"0.5s\" and \"5s\"")
        }
        guard shortest <= longest else {
            throw table.invalid("longest", "it must not be shorter than shortest")
        }
        let direction = try table.word("direction", WorldDirection.self) ?? .both
        try table.finish()
        self.init(
            links: links, direction: direction.link, gap: gap, shortest: shortest,
            longest: longest)
    }
}
