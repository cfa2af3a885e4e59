internal import Glibc
public import PathSimulation
public import PathTelemetry

/// A world: links, what is sent over them, and for how long.
///
/// Everything in it is exogenous: it is drawn from the seed of a run, so that every policy meets the
/// same links at the same times.
public struct WorldSpecification: Sendable, Hashable {
    /// One word, for tables and file names.
    public var name: String
    /// One sentence; may be empty.
    public var summary: String
    public var duration: TimeDelta
    /// What is sent before this time is not counted.
    var warmUp = TimeDelta.seconds(1)
    public var links: [WorldLink]
    /// Links that several paths pass.
    public var bottlenecks: [WorldLink] = []
    /// For each link the places of its bottlenecks, from client to server.
    var routes: [[Int]] = []
    /// Traffic of others.
    public var cross: [CrossTraffic] = []
    /// Outages that several links share.
    var outages: [SharedOutages] = []
    public var workloads: [Workload]

    /// What begins only after the end, if anything does: the counted time, or a workload.
    public var lateStart: String? {
        if warmUp >= duration { return "the warm-up" }
        return workloads.first { $0.start >= min($0.stop ?? duration, duration) }
            .map { "the start of \($0.name)" }
    }

    /// Gives runs another length; a warm-up that is not shorter becomes a tenth of it.
    public mutating func shorten(to length: TimeDelta) {
        duration = length
        if warmUp >= length { warmUp = length / 10 }
    }

    /// The network of one run.
    ///
    /// - Parameter seed: seed of what is drawn: outages, and rates and delays that are allotted again.
    public func network(seed: UInt64) -> NetworkSpecification {
        let all = links + bottlenecks
        var specifications = all.map(\.specification)
        for (place, link) in all.enumerated() {
            link.reallocation?.apply(
                to: &specifications[place], link: place, duration: duration, seed: seed)
        }
        for (index, group) in outages.enumerated() {
            let spans = group.spans(within: duration, seed: seed, group: index)
            for link in group.links {
                specifications[link].addOutages(spans, in: group.direction)
            }
        }
        return NetworkSpecification(
            links: Array(specifications[..<links.count]),
            bottlenecks: Array(specifications[links.count...]), routes: routes, cross: cross)
    }
}

extension WorldSpecification {
    /// A world whose links draw by time.
    ///
    /// - Parameters:
    ///   - name: one word, for tables and file names.
    ///   - summary: one sentence.
    ///   - warmUp: what is sent before this time is not counted.
    public init(
        name: String, summary: String, duration: TimeDelta, warmUp: TimeDelta,
        links: [LinkSpecification], workloads: [Workload]
    ) {
        let links = links.map {
            var link = $0
            link.drawByTime()
            return WorldLink(specification: link)
        }
        self.init(
            name: name, summary: summary, duration: duration, warmUp: warmUp, links: links,
            outages: [], workloads: workloads)
    }
}

/// A link of a world, and what users tell Pathwise about it.
public struct WorldLink: Sendable, Hashable {
    public var specification: LinkSpecification
    /// Price, weight and role, as in an option `--path`.
    public var traits = PathTraits()
    /// What is drawn again at fixed intervals.
    var reallocation: Reallocation?

    public var name: String { specification.name ?? "" }
}

/// Outages at random times that hit some links together: a tunnel, a dead zone.
struct SharedOutages: Sendable, Hashable {
    /// Places of the links in the world; bottlenecks come after them.
    var links: [Int]
    /// Nil hits both directions.
    var direction: LinkDirection?
    /// Mean time from the end of one to the start of the next.
    var gap: TimeDelta
    /// Shortest and longest; lengths are log-uniform between.
    var shortest: TimeDelta
    var longest: TimeDelta

    /// When they happen.
    func spans(
        within duration: TimeDelta, seed: UInt64, group: Int
    ) -> [Range<TimeDelta>] {
        var random = SeededGenerator(
            seed: SplitMix64.mix(seed) &+ SplitMix64.mix(UInt64(group) &+ 0x6f75_7461_6765))
        var spans: [Range<TimeDelta>] = []
        var time = 0.0
        while spans.count < WorldBounds.changes {
            time += gap.seconds * random.exponential()
            guard time < duration.seconds else { break }
            let ratio = max(1, longest.seconds / max(1e-9, shortest.seconds))
            let length = shortest.seconds * pow(ratio, random.uniform())
            spans.append(TimeDelta(seconds: time)..<TimeDelta(seconds: time + length))
            time += length
        }
        return spans
    }
}
