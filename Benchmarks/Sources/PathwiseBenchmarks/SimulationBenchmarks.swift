import PathSimulation
import PathTelemetry

/// Measures how many packets the links carry per second of processor time.
enum SimulationBenchmarks {
    static let all = [Benchmark(name: "link", run: links)]

    private static func links() throws {
        for (name, options) in [
            ("rate and delay", "rate=100,delay=10"),
            ("burst loss and jitter", "rate=100,delay=10,jitter=5,ge=0.0051:0.25"),
        ] {
            let parameters = try LinkSpecification(parsing: options).forward
            var link = Link(parameters, seed: 1, path: 0, direction: .forward)
            var now = Instant.zero
            var delivered = 0
            let cost = measure(steps: 1_000_000) { step in
                // A packet of 1400 bytes and its headers every 117 us is 98 % of the rate.
                now += TimeDelta(nanoseconds: 117_000)
                _ = link.handleSend(bytes: 1400, token: step, now: now)
                while link.popDelivery(now: now) != nil { delivered += 1 }
            }
            precondition(delivered > 0)
            report(
                "link \(name)",
                "\(cost.text) a packet, \(number(1e3 / cost.time)) million packets/s")
        }
    }
}
