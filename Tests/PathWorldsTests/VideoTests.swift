import PathLearning
import PathTelemetry
import Testing

@testable import PathWorlds

/// Video that adapts its rate to what arrives in time.
@Suite struct VideoTests {
    /// A link of 3 Mbit/s that has 1 Mbit/s from the 20th second to the 40th.
    private func figures(adapts: Bool) throws -> WorkloadFigures {
        let text = """
            duration = "60s"
            warm-up = "10s"
            [[link]]
            rate = "3mbit"
            rtt = "40ms"
            queue = "40kB"
            [[link.change]]
            at = "20s"
            rate = "1mbit"
            [[link.change]]
            at = "40s"
            rate = "3mbit"
            [[workload]]
            kind = "video"
            rate = "2mbit"
            deadline = "200ms"
            \(adapts ? "least-rate = \"300kbit\"" : "")
            """
        let world = try WorldFile.parse(text, name: "video", file: "video")
        let run = WorldRun(
            world: world, contender: Contender(name: "steady", policy: .steady, model: nil),
            seed: 3)
        return try run.run(world: 0, contender: 0).workloads[0]
    }

    @Test func aNarrowLinkLowersTheRate() throws {
        let fixed = try figures(adapts: false)
        let adaptive = try figures(adapts: true)
        // A fifth to a half of the fixed stream's frames meet a link of half their rate.
        #expect(fixed[.late] > 0.3, "\(fixed[.late])")
        #expect(adaptive[.late] < fixed[.late] / 2, "\(adaptive[.late])")
        // 2 Mbit/s for 30 of 50 seconds, 1 Mbit/s for 20: at most 1.6 Mbit/s.
        #expect((0.7e6...1.6e6).contains(adaptive[.goodput]), "\(adaptive[.goodput])")
        #expect(fixed[.goodput].isNaN)
    }

    @Test func theRuleOfReports() {
        var adaptation = RateAdaptation(leastShare: 0.1, start: .zero)
        adaptation.check(now: .zero + .seconds(1))
        #expect(adaptation.share == 1)
        // No report for over two seconds: half, and half again only after two more.
        adaptation.check(now: .zero + .milliseconds(2100))
        adaptation.check(now: .zero + .milliseconds(2200))
        #expect(adaptation.share == 0.5)
        adaptation.check(now: .zero + .milliseconds(4200))
        #expect(adaptation.share == 0.25)
        for second in 3..<9 { adaptation.check(now: .zero + .seconds(Int64(second) * 3)) }
        #expect(adaptation.share == 0.1)
    }
}
