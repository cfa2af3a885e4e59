import PathTelemetry
import PathTransport
import Testing

@testable import PathLearning
@testable import PathSimulation

@Suite struct RateLimitTests {
    /// `limit=` of a path: a link of 50 Mbit/s is used with the 5 Mbit/s that the user allows.
    @Test func aPathStaysBelowItsLimit() throws {
        var settings = WorldSettings()
        settings.policy = .earliest
        var limited = PathTraits()
        limited.rateLimit = 5e6 / 8
        var world = try World(
            links: [
                try LinkSpecification(parsing: "rate=50,rtt=20"),
                try LinkSpecification(parsing: "rate=10,rtt=30"),
            ], traits: [limited, PathTraits()], settings: settings,
            application: BulkTransfer(total: nil, seed: 1), seed: 1)
        world.run(for: .seconds(6))
        let first = world.links[0].forward.counters.sent.bytes
        #expect(Double(first) * 8 / 6e6 <= 5.4)
        #expect(Double(first) * 8 / 6e6 >= 4.5)
        let total = world.application.rate(from: .seconds(2), to: .seconds(6)) / 1e6
        #expect(total >= 15 * 0.955 * 0.94)
        #expect(!world.application.isCorrupt)
    }
}
