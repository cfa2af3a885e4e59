import PathTelemetry
import PathTransport

@testable import PathLearning
@testable import PathSimulation

/// Worlds in which a learned choice of path is compared with the steady rule.
struct LearnedScenario: Sendable, CustomStringConvertible {
    enum Load: Sendable {
        /// Bytes, milliseconds between messages, deadline in milliseconds.
        case messages(Int, every: Int64, within: Int64)
        /// The same beside an endless stream.
        case mixed(Int, every: Int64, within: Int64)
        /// A stream of this many bytes.
        case bulk(Int)
    }

    let name: String
    let links: [String]
    let load: Load
    var seconds: Int64 = 20

    var description: String { name }

    static let all = [
        LearnedScenario(
            name: "two like paths", links: ["rate=20,rtt=30", "rate=20,rtt=30"],
            load: .messages(2000, every: 10, within: 150)),
        LearnedScenario(
            name: "fast and slow", links: ["rate=20,rtt=20", "rate=20,rtt=80"],
            load: .messages(2000, every: 10, within: 150)),
        LearnedScenario(
            name: "short but lossy", links: ["rate=20,rtt=20,loss=0.05", "rate=20,rtt=32"],
            load: .messages(2000, every: 10, within: 60)),
        LearnedScenario(
            name: "lossy in bursts",
            links: ["rate=20,rtt=20,ge=0.01:0.2", "rate=20,rtt=30", "rate=20,rtt=60"],
            load: .messages(2000, every: 10, within: 60)),
        LearnedScenario(
            name: "slow way out",
            links: ["rate=20,fdelay=40,rdelay=2", "rate=20,fdelay=15,rdelay=35"],
            load: .messages(2000, every: 10, within: 150)),
        LearnedScenario(
            name: "short but thin", links: ["rate=4,rtt=20", "rate=50,rtt=40"],
            load: .messages(15_000, every: 50, within: 300)),
        LearnedScenario(
            name: "jitter", links: ["rate=20,rtt=30,jitter=40,reorder=1", "rate=20,rtt=44"],
            load: .messages(2000, every: 10, within: 100)),
        LearnedScenario(
            name: "outages",
            links: ["rate=20,rtt=20,down=3-4/5", "rate=20,rtt=40", "rate=20,rtt=60,down=6-8/9"],
            load: .messages(2000, every: 10, within: 150)),
        LearnedScenario(
            name: "queue of our own", links: ["rate=6,rtt=20,queue=200000b", "rate=10,rtt=50"],
            load: .messages(12_000, every: 12, within: 400)),
        LearnedScenario(
            name: "bloated beside bulk",
            links: ["rate=10,rtt=20,queue=150000b", "rate=10,rtt=40,queue=30000b"],
            load: .mixed(1200, every: 20, within: 200)),
        LearnedScenario(
            name: "rates that change",
            links: [
                "rate=20,rate@6=3,rate@12=20,rtt=20,queue=100000b", "rate=12,rtt=40",
            ],
            load: .messages(10_000, every: 10, within: 300)),
        LearnedScenario(
            name: "bulk, like paths", links: ["rate=20,rtt=20", "rate=20,rtt=20"],
            load: .bulk(20_000_000)),
        LearnedScenario(
            name: "bulk, unlike paths", links: ["rate=50,rtt=20", "rate=10,rtt=100"],
            load: .bulk(30_000_000)),
        LearnedScenario(
            name: "bulk, one lossy", links: ["rate=30,rtt=40,ge=0.005:0.25", "rate=15,rtt=15"],
            load: .bulk(20_000_000)),
        LearnedScenario(
            name: "bulk, outage", links: ["rate=20,rtt=20,down=2-4", "rate=20,rtt=30"],
            load: .bulk(20_000_000)),
    ]

    /// The result of one run: seconds per message or transfer; less is better.
    struct Result {
        var seconds: Double
        var lateShare: Double
        var p95: Double
        var guardEvents: [(Double, GuardEvent)]
        var forcedShare: Double
    }

    func run(_ policy: PolicySpecification, model: Model? = nil, seed: UInt64) throws -> Result {
        var settings = WorldSettings()
        settings.policy = policy
        settings.model = model
        let links = try links.map { try LinkSpecification(parsing: $0) }
        switch load {
        case .messages(let size, let interval, let deadline):
            return try flow(
                MessageFlow(
                    size: size, interval: .milliseconds(interval),
                    deadline: .milliseconds(deadline), seconds: seconds), links, settings, seed)
        case .mixed(let size, let interval, let deadline):
            return try flow(
                MessageFlow(
                    size: size, interval: .milliseconds(interval),
                    deadline: .milliseconds(deadline), seconds: seconds, hasBulk: true), links,
                settings, seed)
        case .bulk(let total):
            var world = try World(
                links: links, settings: settings,
                application: BulkTransfer(total: total, seed: seed), seed: seed)
            world.run(for: .seconds(120))
            let start = Instant(nanoseconds: 1_000_000_000_000)
            let end = world.application.finishedAt.map { ($0 - start).seconds } ?? .infinity
            let statistics = world.client.statistics
            return Result(
                seconds: end, lateShare: 0, p95: .nan, guardEvents: [],
                forcedShare: Double(statistics.forcedDecisions)
                    / Double(max(1, statistics.decisions)))
        }
    }

    private func flow(
        _ application: MessageFlow, _ links: [LinkSpecification], _ settings: WorldSettings,
        _ seed: UInt64
    ) throws -> Result {
        var world = try World(
            links: links, settings: settings, application: application, seed: seed)
        world.run(for: .seconds(seconds))
        let statistics = world.client.statistics
        let flow = world.application
        return Result(
            seconds: flow.meanDelay, lateShare: flow.lateShare, p95: flow.quantile(0.95),
            guardEvents: flow.guardEvents,
            forcedShare: Double(statistics.forcedDecisions) / Double(max(1, statistics.decisions)))
    }
}
