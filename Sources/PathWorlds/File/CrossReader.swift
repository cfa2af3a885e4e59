import PathSimulation
import PathTelemetry

/// Reads tables `[[cross]]`.
struct CrossReader {
    /// Names of links, and of bottlenecks after them, and what they are.
    let names: [String]
    let hops: [LinkSpecification]

    /// The flows of one table, which are equal but for their names.
    func read(_ table: inout WorldTable, number: Int) throws(WorldError) -> [CrossTraffic] {
        guard let kind = try table.word("kind", CrossTraffic.Kind.self) else {
            let kinds = CrossTraffic.Kind.allCases.map(\.rawValue).joined(separator: ", ")
            throw table.invalid("kind", "missing; write one of \(kinds)")
        }
        let name = try table.text("name") ?? "\(kind.rawValue)-\(number)"
        guard PlainName.allows(name) else {
            throw table.invalid("name", "use \(PlainName.rule)")
        }
        let hop = try hop(&table)
        guard let direction = (try table.word("direction", WorldDirection.self) ?? .up).link
        else {
            throw table.invalid("direction", "write \"up\" or \"down\"; add a second table")
        }
        let start = try table.time("start") ?? .zero
        let stop = try table.time("stop")
        if let stop, stop <= start {
            throw table.invalid("stop", "it must be later than start")
        }
        let bytes = try table.size("size", in: 64...9000) ?? 1500
        var flow = CrossTraffic(
            name: name, kind: kind, hop: hop, direction: direction, start: start, stop: stop,
            packetBytes: bytes)
        switch kind {
        case .udp: try readSchedule(&table, &flow)
        case .cubic, .bbr:
            guard hops[hop][direction].isLimited else {
                throw table.invalid(
                    "link",
                    "\(names[hop]) has no rate in that direction, and \(kind.rawValue) no end")
            }
            flow.isCapable = try table.flag("ecn") ?? false
            flow.roundTrip = try table.time("rtt", in: 1e-4...600) ?? .milliseconds(20)
        }
        let count = try table.count("flows", in: 1...CrossTraffic.limit) ?? 1
        try table.finish()
        return (1...count).map { place in
            var one = flow
            if count > 1 { one.name += ".\(place)" }
            return one
        }
    }

    private func hop(_ table: inout WorldTable) throws(WorldError) -> Int {
        let known = names.joined(separator: ", ")
        guard let name = try table.text("link") else {
            throw table.invalid("link", "missing; write the name of a link or bottleneck: \(known)")
        }
        guard let hop = names.firstIndex(of: name) else {
            throw table.invalid(
                "link", "no link is called '\(EscapedText(name))'; there are \(known)")
        }
        return hop
    }

    private func readSchedule(
        _ table: inout WorldTable, _ flow: inout CrossTraffic
    ) throws(WorldError) {
        guard let rate = try table.rate("rate") else {
            throw table.invalid("rate", "missing; write the rate while it sends, as \"4mbit\"")
        }
        guard rate <= 1e10 else { throw table.invalid("rate", "at most 10,000 mbit") }
        flow.bitsPerSecond = rate
        let on = try table.time("on", in: 0.01...WorldBounds.seconds)
        let off = try table.time("off", in: 0.01...WorldBounds.seconds)
        switch (on, off) {
        case (let on?, let off?): flow.pattern = CrossTraffic.Pattern(on: on, off: off)
        case (nil, nil): break
        default: throw table.invalid("on", "write both on and off, or none of them")
        }
    }
}
