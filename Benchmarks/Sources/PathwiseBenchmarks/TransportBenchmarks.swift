import PathLearning
import PathSimulation
import PathTelemetry
import PathTransport

/// Measures the whole transport: both ends of an encrypted connection over unlimited links, in
/// virtual time, so that all processor time is the protocol's and the simulator's.
enum TransportBenchmarks {
    static let all = [
        Benchmark(name: "transport", run: bulk), Benchmark(name: "rtt", run: roundTrips),
    ]

    private static func bulk() throws {
        for (name, links) in [
            ("2 x 500 Mbit/s", ["rate=500,rtt=20,queue=2500000", "rate=500,rtt=20,queue=2500000"]),
            ("S1: 2 x 20 Mbit/s", ["rate=20,rtt=20", "rate=20,rtt=20"]),
        ] {
            for policy in ["min-rtt", "lin-ucb"] {
                var runs: [(time: Double, allocations: Double, packets: Double, simulated: Double)]
                runs = []
                for seed in 1...3 as ClosedRange<UInt64> {
                    var settings = WorldSettings()
                    settings.policy = try PolicySpecification(parsing: policy)
                    var world = try World(
                        links: try links.map { try LinkSpecification(parsing: $0) },
                        settings: settings,
                        application: Pump(total: 10_000_000), seed: seed)
                    let allocations = Allocations.count
                    let start = Clock.processor
                    world.run(for: .seconds(60))
                    let time = Double(Clock.processor - start)
                    let count = Double(Allocations.count - allocations)
                    precondition(world.application.isDone)
                    runs.append(
                        (time, count, Double(world.datagramsDelivered), world.elapsed.seconds))
                }
                let run = runs.sorted { $0.time / $0.packets < $1.time / $1.packets }[1]
                let allocations =
                    Allocations.areCounted
                    ? ", \(number(run.allocations / run.packets)) allocations" : ""
                report(
                    "transport \(name), \(policy)",
                    "\(number(run.time / run.packets)) ns a datagram, both ends and links"
                        + "\(allocations); \(number(run.simulated * 1e9 / run.time)) x real time")
            }
        }
    }

    private static func roundTrips() {
        var estimator = RTTEstimator()
        var now = Instant.zero
        let cost = measure(steps: 1_000_000) { step in
            now += .microseconds(100)
            estimator.update(
                sample: .microseconds(20_000 + Int64(step % 97)), ackDelay: .microseconds(25),
                now: now)
        }
        precondition(estimator.hasSample)
        report("rtt, one sample", cost.text)
    }
}
