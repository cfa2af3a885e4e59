import PathSimulation
import PathTelemetry

/// Reads a table `[[link]]`.
///
/// Its keys are turned into a link's options, which have the same names and the same bounds in
/// worlds, in `emulate --link` and in scenario files.
struct LinkReader {
    private var table: WorldTable
    private let folder: String
    private(set) var reallocation: Reallocation?
    /// The bottleneck behind it, once it is read.
    private(set) var via: String?

    init(_ table: WorldTable, folder: String) {
        self.table = table
        self.folder = folder
    }

    mutating func read(defaultName: String) throws(WorldError) -> WorldLink {
        var traits = PathTraits()
        if let price = try table.number("price", in: 0...1e6) { traits.pricePerGB = price }
        if let isBackup = try table.flag("backup") { traits.isBackup = isBackup }
        let specification = try readBottleneck(defaultName: defaultName)
        return WorldLink(
            specification: specification, traits: traits, reallocation: reallocation)
    }

    /// Reads what a path's link and a bottleneck of several paths have in common.
    mutating func readBottleneck(defaultName: String) throws(WorldError) -> LinkSpecification {
        let name = try table.text("name") ?? defaultName
        guard PlainName.allows(name) else {
            throw table.invalid("name", "use \(PlainName.rule)")
        }
        via = try table.text("via")
        var specification = try links()
        specification.name = name
        specification.drawByTime()
        return specification
    }

    /// The two directions, with what changes in time.
    private mutating func links() throws(WorldError) -> LinkSpecification {
        let outages = try table.tables("outage", limit: WorldBounds.changes)
        let changes = try table.tables("change", limit: WorldBounds.changes)
        var link = LinkSpecification(forward: LinkParameters(), backward: LinkParameters())
        var hasRate = table.has("rate")
        try set(&table, in: &link)
        try setSize(&table, in: &link)
        for (key, prefix) in [("up", "f"), ("down", "r")] {
            guard var direction = try table.table(key) else { continue }
            hasRate = hasRate || direction.has("rate")
            try set(&direction, prefix: prefix, in: &link)
            try direction.finish()
        }
        if var changing = try table.table("reallocation") {
            guard changes.isEmpty, !link.followsFile else {
                throw changing.invalid("leave out changes, trace and rates, which say the same")
            }
            guard hasRate || !(changing.has("up") || changing.has("down")) else {
                throw changing.invalid("only a link with a rate can change it")
            }
            reallocation = try Reallocation(&changing)
        }
        try table.finish()
        try check(link, table)
        var next = link
        for var outage in outages { try add(&outage, to: &link) }
        var last = TimeDelta.zero
        for var change in changes {
            guard let at = try change.time("at") else {
                throw change.invalid("at", "missing; write when the link changes, as \"10s\"")
            }
            guard at > last else {
                throw change.invalid("at", "changes must be in ascending order, above zero")
            }
            last = at
            if change.has("rate"), !hasRate {
                throw change.invalid("rate", "only a link with a rate can change it")
            }
            for key in LinkReader.fixed where change.has(key) {
                throw change.invalid(key, "it cannot change")
            }
            let isEmpty = !LinkReader.changing.contains { change.has($0) }
            try set(&change, in: &next)
            try setSize(&change, in: &next)
            try change.finish()
            guard !isEmpty else {
                throw change.invalid(
                    "at", "say what changes: " + LinkReader.changing.joined(separator: ", "))
            }
            try check(next, change)
            link.change(to: next, at: at)
        }
        return link
    }

    /// Keys that say the same in two ways.
    private static let alternatives = [
        ("delay", "rtt"), ("rate", "trace"), ("rate", "rates"), ("trace", "rates"),
        ("queue", "queue-packets"),
    ]

    /// Keys that a change may have besides `at`.
    private static let changing = [
        "rate", "delay", "rtt", "delays", "loss", "fading", "aggregate", "jitter", "reorder",
        "duplicate", "corrupt", "queue", "queue-packets", "aqm", "police", "mtu",
    ]

    /// Keys of a link that hold for the whole run.
    private static let fixed = ["netem", "rates", "trace"]

    private func check(_ link: LinkSpecification, _ table: WorldTable) throws(WorldError) {
        do throws(SimulationError) { try link.check() } catch { throw table.invalid("\(error)") }
    }

    /// Sets an option of a link, for which a key of a table asks.
    private func set(
        _ option: String, _ value: String?, _ key: String, of table: WorldTable,
        in link: inout LinkSpecification
    ) throws(WorldError) {
        guard let value else { return }
        do throws(SimulationError) {
            try link.set(key: option[...], value: value[...], folder: folder)
        } catch {
            guard case .unreadableFile = error else { throw table.invalid(key, "\(error)") }
            throw table.unreadable(key, "\(error)")
        }
    }

    /// Sets the largest packet, of both directions.
    private func setSize(
        _ table: inout WorldTable, in link: inout LinkSpecification
    ) throws(WorldError) {
        guard let mtu = try table.count("mtu", in: 1...9000) else { return }
        guard mtu >= WorldBounds.smallestMTU else {
            throw table.invalid(
                "mtu",
                "no session can use a link of \(mtu) bytes: its packets have 1,200 bytes and the "
                    + "headers of UDP and IPv4; write \(WorldBounds.smallestMTU) to 9000")
        }
        try set("mtu", "\(mtu)", "mtu", of: table, in: &link)
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

    /// Sets what a table says.
    ///
    /// - Parameter prefix: of the options, if the table concerns one direction.
    private func set(
        _ table: inout WorldTable, prefix: String = "", in link: inout LinkSpecification
    ) throws(WorldError) {
        func milliseconds(_ time: TimeDelta?) -> String? {
            time.map { NumberText.exact($0.seconds * 1e3) }
        }
        func number(_ share: Double?) -> String? { share.map { NumberText.exact($0) } }
        func text(_ flag: Bool?) -> String? { flag.map { $0 ? "1" : "0" } }
        for (one, other) in LinkReader.alternatives where table.has(one) && table.has(other) {
            throw table.invalid(other, "\(one) is there too; write one of them")
        }
        var values: [(key: String, value: String?)] = []
        values.append(("netem", text(try table.flag("netem"))))
        values.append(("rate", try table.rate("rate").map { NumberText.exact($0 / 1e6) }))
        values.append(("trace", try fileName("trace", &table)))
        values.append(("rates", try fileName("rates", &table)))
        values.append(("delays", try fileName("delays", &table)))
        values.append(("delay", milliseconds(try table.time("delay", in: 0...600))))
        values.append(("rtt", milliseconds(try table.time("rtt", in: 0...600))))
        values.append(("aqm", try discipline(&table)))
        values.append(("queue", try queue(&table)))
        values.append(("police", try policer(&table)))
        values.append(("loss", number(try table.share("loss"))))
        values.append(
            ("aggregate", milliseconds(try table.time("aggregate", in: 0...600))))
        values.append(("jitter", try jitter(&table)))
        values.append(("reorder", text(try table.flag("reorder"))))
        values.append(("duplicate", number(try table.share("duplicate"))))
        values.append(("corrupt", number(try table.share("corrupt"))))
        values.append(("fading", try fading(&table)))
        for (key, value) in values {
            try set(prefix + key, value, key, of: table, in: &link)
        }
    }

    private func fileName(
        _ key: String, _ table: inout WorldTable
    ) throws(WorldError) -> String? {
        guard let name = try table.text(key) else { return nil }
        guard !name.isEmpty else { throw table.invalid(key, "write a file's name") }
        return name
    }

    private func jitter(_ table: inout WorldTable) throws(WorldError) -> String? {
        let shape = try table.word("jitter-shape", JitterShape.self)
        guard let jitter = try table.time("jitter", in: 0...600) else {
            guard shape == nil else {
                throw table.invalid("jitter-shape", "write jitter too, as \"5ms\"")
            }
            return nil
        }
        let value = NumberText.exact(jitter.seconds * 1e3)
        return (shape ?? .normal) == .normal ? "normal:\(value)" : value
    }

    private func discipline(_ table: inout WorldTable) throws(WorldError) -> String? {
        let name = try table.word("aqm", QueueDisciplineName.self)
        let bounds = 1e-4...60.0
        let target = try table.time("aqm-target", in: bounds)
        let interval = try table.time("aqm-interval", in: bounds)
        guard target != nil || interval != nil else { return name?.rawValue }
        guard let name, name != .dropTail, let target, let interval else {
            throw table.invalid(
                target == nil ? "aqm-interval" : "aqm-target",
                "write both aqm-target and aqm-interval, with aqm = \"codel\" or \"fq-codel\"")
        }
        let times = [target, interval].map { NumberText.exact($0.seconds * 1e3) }
        return ([name.rawValue] + times).joined(separator: ":")
    }

    private func policer(_ table: inout WorldTable) throws(WorldError) -> String? {
        let isNone = table.takesNone("police")
        let rate = isNone ? nil : try table.rate("police")
        let burst = try table.size("police-burst", in: 1500...1_073_741_824)
        guard let rate else {
            guard burst == nil else {
                throw table.invalid("police-burst", "write police = \"20mbit\" too")
            }
            return isNone ? "none" : nil
        }
        return NumberText.exact(rate / 1e6) + (burst.map { ":\($0)" } ?? "")
    }

    private func queue(_ table: inout WorldTable) throws(WorldError) -> String? {
        if let packets = try table.count("queue-packets", in: 0...1_000_000) {
            return "\(packets)p"
        }
        guard let bytes = try table.size("queue", in: 0...1_073_741_824) else { return nil }
        guard bytes >= WorldBounds.fullPacket else {
            throw table.invalid(
                "queue",
                "no full packet fits into \(bytes) bytes; write at least "
                    + "\(WorldBounds.fullPacket), or queue-packets = 0 for a link without a queue")
        }
        return "\(bytes)b"
    }

    private func fading(_ table: inout WorldTable) throws(WorldError) -> String? {
        guard var fading = try table.table("fading") else { return nil }
        let bounds = 1e-6...600.0
        let times = (try fading.time("good", in: bounds), try fading.time("bad", in: bounds))
        guard let good = times.0, let bad = times.1 else {
            throw fading.invalid(
                times.0 == nil ? "good" : "bad",
                "fading has the mean times good and bad, as \"2s\" and \"40ms\"")
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
        guard !links.isEmpty else {
            throw table.invalid("links", "name at least one link, or leave links out for all")
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
