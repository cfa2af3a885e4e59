import PathTransport
import Testing

@testable import PathLearning
@testable import PathSimulation
@testable import PathTelemetry

/// Messages over links that lose everything for a moment, as fading radio links do.
@Suite struct FadingLinkTests {
    /// The share of messages of 2 Mbit/s that arrive later than 150 ms, over 20 s of several seeds.
    private func late(_ links: [String], policy: PolicySpecification, seeds: Int) throws -> Double {
        var share = 0.0
        for seed in 1...UInt64(seeds) {
            var settings = WorldSettings()
            settings.policy = policy
            let flow = MessageFlow(
                size: 1200, interval: .microseconds(4800), deadline: .milliseconds(150),
                seconds: 20, redundancy: 0.1)
            var world = try World(
                links: try links.map { try LinkSpecification(parsing: $0) }, settings: settings,
                application: flow, seed: seed)
            world.run(for: .seconds(20))
            share += world.application.share(above: 0.15) / Double(seeds)
        }
        return share
    }

    /// A link that fails for 190 ms each two seconds.
    ///
    /// 3.0 % have to be late, and 5.5 % if its return is known a round trip later. It was 7.4 %: the
    /// window was full of lost packets, probes came ever more rarely, and what waited was too late to be
    /// sent but went before all that was not.
    @Test(arguments: [PolicySpecification.steady, .learned()])
    func theReturnOfTheOnlyLinkIsNoticedAtOnce(policy: PolicySpecification) throws {
        var link = "rate=100,rtt=40,queue=300000b"
        for second in stride(from: 2, through: 18, by: 2) { link += ",down=\(second)-\(second).19" }
        let share = try late([link], policy: policy, seeds: 1)
        #expect(share < 0.057, "\(share)")
        #expect(share > 0.03, "\(share): faster than possible")
    }

    /// Two links with 0.39 s of loss each 3.3 s, and 79 ms each 1.1 s, of which messages use either or
    /// both.
    ///
    /// It was 1.3 % on one and 1.1 % on both: the window of the second link stayed as small as what it
    /// had last carried.
    @Test func theSecondLinkCarriesAll() throws {
        let links = [
            "rate=26,rtt=5,queue=347350b,fading=3340:392",
            "rate=100,rtt=38,queue=389995b,fading=1115:79",
        ]
        let plain = try late(links, policy: .steady, seeds: 20)
        let redundant = try PolicySpecification(parsing: "redundant")
        let twice = try late(links, policy: redundant, seeds: 20)
        #expect(plain < 0.01 && twice < 0.01, "\(twice) on both, \(plain) on one")
    }
}
