import PathForward
import PathSimulation
import PathTelemetry
import PathTransport

extension Workload {
    /// Reads a table `[[workload]]`.
    init(
        _ table: inout WorldTable, number: Int, duration: TimeDelta
    ) throws(WorldError) {
        guard let kindName = try table.word("kind", KindName.self) else {
            let names = KindName.allCases.map(\.rawValue).joined(separator: ", ")
            throw table.invalid("kind", "missing; write one of \(names)")
        }
        let name = try table.text("name") ?? "\(kindName.rawValue)-\(number)"
        guard PlainName.allows(name) else {
            throw table.invalid("name", "use \(PlainName.rule)")
        }
        let direction = try table.word("direction", WorldDirection.self) ?? .up
        guard let link = direction.link else {
            throw table.invalid("direction", "write \"up\" or \"down\"; add a second workload")
        }
        let start = try table.time("start") ?? .milliseconds(500)
        let stop = try table.time("stop")
        guard start < stop ?? duration else {
            throw table.invalid("start", "it must be before the end of the workload")
        }
        let priority = try table.choice("class", StreamPriority.allCases, \.name)
        let kind: Kind
        switch kindName {
        case .messages: kind = .messages(try MessageLoad(messages: &table))
        case .video: kind = .messages(try MessageLoad(video: &table))
        case .interactive: kind = .messages(try MessageLoad(interactive: &table))
        case .bulk: kind = .bulk
        case .transfers: kind = .transfers(try TransferLoad(&table))
        }
        try table.finish()
        self.init(
            name: name, direction: link, start: start, stop: stop, kind: kind, priority: priority)
    }
}

extension MessageLoad {
    /// Largest message that the protocol carries.
    private static let largest = 65_536.0

    init(messages table: inout WorldTable) throws(WorldError) {
        guard let size = try table.size("size", in: 1...MessageLoad.largest) else {
            throw table.invalid("size", "missing; write the bytes of a message, as 1200")
        }
        guard let interval = try table.time("interval", in: 1e-5...3600) else {
            throw table.invalid("interval", "missing; write the time between two, as \"20ms\"")
        }
        self.init(
            size: size, interval: interval,
            deadline: try MessageLoad.deadline(&table, .milliseconds(150)))
        arrivals = try table.word("arrivals", Arrivals.self) ?? .steady
        try readPattern(&table)
    }

    init(interactive table: inout WorldTable) throws(WorldError) {
        self.init(
            size: try table.size("size", in: 1...MessageLoad.largest) ?? 64,
            interval: try table.time("interval", in: 1e-5...3600) ?? .milliseconds(250),
            deadline: try MessageLoad.deadline(&table, .milliseconds(100)))
        arrivals = try table.word("arrivals", Arrivals.self) ?? .poisson
        try readPattern(&table)
    }

    init(video table: inout WorldTable) throws(WorldError) {
        guard let rate = try table.rate("rate") else {
            throw table.invalid("rate", "missing; write the mean rate of the video, as \"6mbit\"")
        }
        let frames = try table.number("fps", in: 1...240) ?? 30
        let group = try table.count("key-frame-every", in: 1...10_000) ?? 60
        let factor = try table.number("key-frame-factor", in: 1...50) ?? 3.5
        let deviation = try table.number("deviation", in: 0...2) ?? 0.2
        let mean = rate / 8 / frames
        guard (1...MessageLoad.largest / factor).contains(mean) else {
            throw table.invalid(
                "rate",
                "a key frame would have \(Int(min(1e9, mean * factor))) bytes; at most "
                    + "\(Int(MessageLoad.largest)), so lower the rate or key-frame-factor")
        }
        self.init(
            size: Int(mean), interval: TimeDelta(seconds: 1 / frames),
            deadline: try MessageLoad.deadline(&table, .milliseconds(120)))
        self.frames = Frames(group: group, factor: factor, deviation: deviation)
        if let least = try table.rate("least-rate") {
            guard least <= rate else {
                throw table.invalid("least-rate", "it must not be above the rate")
            }
            leastShare = least / rate
        }
        try readPattern(&table)
    }

    private static func deadline(
        _ table: inout WorldTable, _ usual: TimeDelta
    ) throws(WorldError) -> TimeDelta {
        try table.time("deadline", in: 0.001...600) ?? usual
    }

    private mutating func readPattern(_ table: inout WorldTable) throws(WorldError) {
        isReliable = try table.flag("reliable") ?? true
        let on = try table.time("on", in: 0.01...WorldBounds.seconds)
        let off = try table.time("off", in: 0.01...WorldBounds.seconds)
        switch (on, off) {
        case (let on?, let off?): pattern = OnOff(on: on, off: off)
        case (nil, nil): break
        default: throw table.invalid("on", "write both on and off, or none of them")
        }
    }
}

extension TransferLoad {
    init(_ table: inout WorldTable) throws(WorldError) {
        if table.has("sizes") {
            var sizes: [Int] = []
            for text in try table.texts("sizes", limit: 1000) ?? [] {
                guard let bytes = ArgumentText.bytes(text), (1...1e12).contains(bytes) else {
                    throw table.invalid("sizes", "write sizes in quotes, as \"100kB\"")
                }
                sizes.append(Int(bytes))
            }
            guard !sizes.isEmpty else { throw table.invalid("sizes", "write at least one size") }
            self.init(sizes: sizes, think: try table.time("think") ?? .zero)
        } else {
            guard let size = try table.size("size") else {
                throw table.invalid("size", "missing; write the bytes of a transfer, as \"1MB\"")
            }
            self.init(sizes: [size], think: try table.time("think") ?? .zero)
        }
    }
}
