import PathTransport
import Testing

@testable import PathLearning
@testable import PathSimulation
@testable import PathTelemetry

/// Policies in the shadow of real endpoints.
@Suite struct ShadowTests {
    private static func world(
        _ policy: String, _ judging: Judging, isRecording: Bool = true, seed: UInt64 = 7
    ) throws -> World<MessageFlow> {
        var settings = WorldSettings()
        settings.policy = try PolicySpecification(parsing: policy)
        settings.client.isRecording = isRecording
        settings.client.judging = judging
        settings.server.judging = judging
        let links = [
            "rate=12,rtt=20,jitter=2", "rate=8,rtt=60,queue=60000b,down=2-2.7",
            "rate=15,rtt=40,loss=0.02",
        ]
        return try World(
            links: try links.map { try LinkSpecification(parsing: $0) }, settings: settings,
            application: MessageFlow(
                size: 3000, interval: .milliseconds(15), deadline: .milliseconds(120), seconds: 4,
                hasBulk: true), seed: seed)
    }

    private static func shadow(_ policy: String) throws -> Judging {
        .shadow(try ShadowPolicy(PolicySpecification(parsing: policy)))
    }

    /// Every datagram at its nanosecond, and every recorded number, with and without a shadow.
    @Test(arguments: ["learned", "lin-ts", "steady", "redundant"])
    func theRunIsTheSame(policy: String) throws {
        var transcripts: Set<UInt64> = []
        var records: Set<UInt64> = []
        for judging in [
            Judging.off, .rules, try ShadowTests.shadow("learned"),
            try ShadowTests.shadow("lin-ts"),
        ] {
            var world = try ShadowTests.world(policy, judging)
            world.run(for: .seconds(5))
            transcripts.insert(world.transcriptHash)
            records.insert(world.application.records.hash.value)
            #expect(world.application.records.decisions > 200)
            #expect(world.application.judged.isEmpty == !judging.isOn)
        }
        #expect(transcripts.count == 1 && records.count == 1)
    }

    /// In its own shadow a policy does what is done, through failures, retransmissions and copies; the
    /// rows are the same with and without a recording.
    @Test(arguments: ["learned", "lin-ts"])
    func itsOwnShadowAgrees(policy: String) throws {
        for isRecording in [true, false] {
            var world = try ShadowTests.world(
                policy, try ShadowTests.shadow(policy), isRecording: isRecording)
            world.run(for: .seconds(5))
            let rows = world.application.judged
            #expect(rows.count > 100)
            for row in rows { #expect(row.shadow?.agreement == row.propensity) }
        }
    }

    /// The shadow takes over in the middle of traffic, and gives back.
    @Test func promotionDropsNothing() throws {
        var world = try ShadowTests.world("steady", try ShadowTests.shadow("learned"))
        world.run(for: .milliseconds(1500))
        #expect(world.client.policyName == "steady")
        let isPromoted = world.client.promoteShadow(now: world.now)
        #expect(isPromoted && world.client.policyName == "learned")
        #expect(world.client.shadow?.policy.name == "steady")
        world.run(for: .milliseconds(3000))
        let isBack = world.client.promoteShadow(now: world.now)
        #expect(isBack && world.client.policyName == "steady")
        world.run(for: .seconds(5))
        var plain = try ShadowTests.world("steady", .off)
        plain.run(for: .seconds(5))
        let (late, usual) = (world.application.lateShare, plain.application.lateShare)
        #expect(late <= usual + 0.02, "\(late) against \(usual)")
        #expect(Set(world.application.judged.map(\.judge)).count == 3)
        #expect(world.stall == nil)
    }
}
