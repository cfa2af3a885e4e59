import PathTelemetry
import Testing

@testable import PathTransport

/// What is asked first, because it costs less, never says no where the exact answer is yes.
@Suite struct ProbeBudgetTests {
    @Test func noProbeIsMissed() {
        var generator = SeededGenerator(seed: 20)
        func time(upTo seconds: Double) -> TimeDelta {
            TimeDelta(seconds: Double.random(in: 0...seconds, using: &generator))
        }
        let now = Instant.zero + .seconds(1000)
        var due = 0
        for round in 0..<5000 {
            var configuration = ConnectionConfiguration()
            if round % 2 == 0 {
                configuration.quickProbeInterval = time(upTo: 1)
                configuration.idleProbeInterval = time(upTo: 100)
                configuration.meteredProbeInterval = time(upTo: 100)
                configuration.keepaliveInterval = time(upTo: 200)
            }
            var budget = ProbeBudget(configuration)
            var traits = PathTraits()
            if Bool.random(using: &generator) { traits.pricePerGB = 2 }
            var path = Path(
                id: PathID(0), traits: traits, socket: 0, remote: .loopback(port: 1),
                datagramLimit: 1472, algorithm: .modelBased, initialWindowPackets: 10, now: .zero)
            path.validation.handleValidated()
            path.setState(Bool.random(using: &generator) ? .active : .standby, now: .zero)
            path.peerStatus = Bool.random(using: &generator) ? .available : .standby
            path.lastAskedAt = now - time(upTo: round % 3 == 0 ? 0.5 : 150)
            path.lastHeardAskingAt = now - time(upTo: 150)
            if Bool.random(using: &generator) {
                budget.notePayload(bytes: 1 << 20, now: now - time(upTo: 2))
            }
            let idleTimeout = time(upTo: 60)
            let exact = budget.due(
                path, isBusy: Bool.random(using: &generator),
                hasActive: Bool.random(using: &generator), idleTimeout: idleTimeout)
            guard exact <= now else { continue }
            due += 1
            let mayBeDue = budget.mayBeDue(path, by: now, idleTimeout: idleTimeout)
            path.mtu.handleProbeSent(1472)
            let mayAsk = path.mayAsk(budget, idleTimeout, now: now)
            #expect(mayBeDue && mayAsk, "round \(round)")
        }
        #expect(due > 1000)
    }
}
