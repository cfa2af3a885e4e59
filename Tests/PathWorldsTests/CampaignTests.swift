import PathLearning
import PathReport
import PathTelemetry
import Testing

@testable import PathWorlds

/// A campaign gives the same result however it is run, and every policy meets the same world.
@Suite struct CampaignTests {
    static func campaign(jobs: Int, seeds: [UInt64] = [1, 2]) throws -> Campaign {
        var worlds = [
            try ShippedWorlds.world(named: "S3"),
            try ShippedWorlds.world(named: "drive_three_operators"),
        ]
        for index in worlds.indices { worlds[index].duration = .seconds(6) }
        return Campaign(
            worlds: worlds,
            contenders: [
                Contender(name: "steady", policy: .steady, model: nil),
                Contender(name: "earliest", policy: .earliest, model: nil),
            ],
            seeds: seeds, jobs: jobs)
    }

    /// One thread and three give the same runs in the same order.
    @Test func jobsChangeNothing() throws {
        let one = try CampaignTests.campaign(jobs: 1).run { _ in true }
        let three = try CampaignTests.campaign(jobs: 3).run { _ in true }
        #expect(one.map(\.fingerprint) == three.map(\.fingerprint))
        #expect(one.map(\.seed) == [1, 1, 1, 1, 2, 2, 2, 2])
        #expect(one.map(\.world) == [0, 0, 1, 1, 0, 0, 1, 1])
        #expect(one.map(\.contender) == [0, 1, 0, 1, 0, 1, 0, 1])
        // Seeds do differ, while policies may decide the same.
        for place in 0..<4 { #expect(one[place].fingerprint != one[place + 4].fingerprint) }
        let text = Comparison(
            worlds: try CampaignTests.campaign(jobs: 1).worlds,
            contenders: try CampaignTests.campaign(jobs: 1).contenders, baseline: 0,
            confidence: 0.95, runs: one)
        #expect(text.json.text().contains("\"fingerprint\""))
    }

    /// A campaign that is stopped returns the seeds that are complete.
    @Test func stoppedCampaigns() throws {
        let runs = try CampaignTests.campaign(jobs: 1, seeds: [1, 2, 3]).run { $0.done < 6 }
        #expect(runs.map(\.seed) == [1, 1, 1, 1])
    }

    /// A run under way ends when the campaign is stopped, long before its own end.
    @Test func aRunUnderWayEnds() throws {
        var world = try ShippedWorlds.world(named: "S1")
        world.duration = .seconds(80_000)
        let campaign = Campaign(
            worlds: [world], contenders: [Contender(name: "a", policy: .steady, model: nil)],
            seeds: [1], jobs: 1)
        #expect(try campaign.run { $0.virtualSeconds < 3 }.isEmpty)
    }

    /// A policy that is bound to a path which the world does not have is refused.
    @Test func aPathThatIsNotThere() throws {
        let contender = Contender(
            name: "a", policy: try PolicySpecification(parsing: "single:9"), model: nil)
        let run = WorldRun(
            world: try ShippedWorlds.world(named: "S1"), contender: contender, seed: 1)
        #expect(throws: LearningError.self) { try run.run(world: 0, contender: 0) }
    }

    /// Transfers go on beyond the number of streams that the peer allows at a time.
    @Test func manyTransfers() throws {
        var world = try ShippedWorlds.world(named: "S1")
        world.duration = .seconds(30)
        world.workloads = [Workload.usual[5]]
        world.workloads[0].kind = .transfers(TransferLoad(sizes: [10_000], think: .zero))
        let run = WorldRun(
            world: world, contender: Contender(name: "a", policy: .steady, model: nil), seed: 1)
        let figures = try run.run(world: 0, contender: 0).workloads[0]
        // A transfer takes about a round trip of 20 ms.
        #expect(figures[.completed] > 500, "\(figures[.completed])")
    }

    /// Messages and streams of a more urgent class go first where they meet.
    @Test func classesGoInTheirOrder() throws {
        /// The first workload's figures in a world with too little room for all.
        func figures(_ workloads: String) throws -> WorkloadFigures {
            let world = try WorldFileTests.parse(
                """
                duration = "20s"
                [[link]]
                rate = "4mbit"
                rtt = "20ms"
                \(workloads)
                [[workload]]
                kind = "bulk"
                """)
            let run = WorldRun(
                world: world, contender: Contender(name: "a", policy: .steady, model: nil), seed: 1)
            return try run.run(world: 0, contender: 0).workloads[0]
        }
        func transfers(_ name: String) throws -> Double {
            try figures(
                """
                [[workload]]
                kind = "transfers"
                size = "200kB"
                class = "\(name)"
                """)[.completion]
        }
        func messages(_ name: String) throws -> Double {
            try figures(
                """
                [[workload]]
                kind = "messages"
                size = 1200
                interval = "4.8ms"
                class = "\(name)"
                [[workload]]
                kind = "messages"
                size = 12000
                interval = "50ms"
                class = "media"
                """)[.mean]
        }
        #expect(try transfers("interactive") < 0.6 * transfers("bulk"))
        #expect(try messages("interactive") < 0.3 * messages("bulk"))
    }

    /// Every policy is offered the same messages at the same times.
    @Test func offersAreTheSame() throws {
        var world = try ShippedWorlds.world(named: "van_starlink_two_lte")
        world.duration = .seconds(5)
        var offers: [[Instant]] = []
        for policy in [PolicySpecification.steady, .minRTT] {
            let contender = Contender(name: "p", policy: policy, model: nil)
            let logs = try WorldRun(world: world, contender: contender, seed: 9).logs()
            guard case .messages(let log) = logs[0] else {
                Issue.record("no messages")
                return
            }
            offers.append(log.sentAt)
        }
        #expect(offers[0] == offers[1])
        // 30 frames a second from 0.5 s on.
        #expect(abs(offers[0].count - 135) <= 1, "\(offers[0].count)")
    }
}

/// The one who knows the future is not beaten.
@Suite struct OracleTests {
    @Test(arguments: ["S1", "S2", "S3", "S4", "drive_three_operators", "van_starlink_two_lte"])
    func noPolicyIsBetter(name: String) throws {
        var world = try ShippedWorlds.world(named: name)
        world.duration = .seconds(20)
        let contenders = [
            Contender(name: "steady", policy: .steady, model: nil),
            Contender(
                name: "redundant", policy: try PolicySpecification(parsing: "redundant"),
                model: nil), .oracle,
        ]
        let runs = try Campaign(
            worlds: [world], contenders: contenders, seeds: [1, 2], jobs: 2
        ).run { _ in true }
        let means = contenders.indices.map { contender in
            let own = runs.filter { $0.contender == contender }.map { $0.workloads[0][.mean] }
            return own.reduce(0, +) / 2
        }
        #expect(means[2] < means[0] * 1.001 && means[2] < means[1] * 1.001, "\(means)")
        // It is near: without losses, it has a propagation delay as everyone else.
        #expect(means[2] > means[0] * 0.3, "\(means)")
        let bytes = runs.filter { $0.contender == 2 }.map { $0.linkBytes.reduce(0, +) }
        #expect(bytes[0] > 100_000)
    }

    @Test func otherWorkloadsHaveNone() throws {
        let world = try ShippedWorlds.world(named: "train")
        let run = try WorldRun(world: world, contender: .oracle, seed: 1).run(
            world: 0, contender: 0)
        #expect(run.workloads[0][.completion].isNaN && run.payloadBytes == 0)
    }
}
