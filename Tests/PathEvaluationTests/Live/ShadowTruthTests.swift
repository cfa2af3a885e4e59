import Glibc
import PathTransport
import Testing

@testable import PathEvaluation
@testable import PathLearning
@testable import PathSimulation
@testable import PathTelemetry

/// Messages at a steady pace, whose decisions are judged while they are sent.
private struct JudgedMessages: WorldApplication {
    let interval: TimeDelta
    let deadline: TimeDelta
    let end: TimeDelta
    var evaluation = LiveEvaluation()
    let keeps: Bool
    private(set) var rows: [JudgedDecision] = []
    private(set) var isClosed = false
    private var nextAt: Instant?
    private let bytes = [UInt8](repeating: 7, count: 1000)

    /// - Parameter keeps: whether the rows are kept.
    init(interval: TimeDelta, deadline: TimeDelta, seconds: Int64, keeps: Bool = false) {
        self.keeps = keeps
        self.interval = interval
        self.deadline = deadline
        end = .seconds(seconds)
    }

    var nextWake: Instant { nextAt ?? .distantFuture }
    var isDone: Bool { isClosed }

    mutating func handleClient(_ connection: inout Connection, now: Instant) {
        while let event = connection.pollEvent() {
            if case .closed = event { isClosed = true }
        }
        connection.drainRecords { record in
            guard case .judged(let row) = record else { return }
            evaluation.add(row)
            if keeps { rows.append(row) }
        }
        guard connection.isEstablished else { return }
        var due = nextAt ?? WorldClock.start + .milliseconds(500)
        while due <= now, now - WorldClock.start < end {
            _ = try? bytes.withUnsafeBytes {
                try connection.sendMessage(
                    $0, options: MessageOptions(deadline: now + deadline), now: now)
            }
            due += interval
        }
        nextAt = now - WorldClock.start < end ? due : .distantFuture
    }

    mutating func handleServer(_ connection: inout Connection, now: Instant) {
        while connection.pollEvent() != nil {}
        while connection.receiveMessage() != nil {}
    }
}

/// What is estimated of a policy in the shadow, beside what it achieves when it decides in the same world.
@Suite struct ShadowTruthTests {
    static let worlds: [(name: String, links: [String])] = [
        ("two like links", ["rate=20,rtt=40,jitter=5,loss=0.01", "rate=20,rtt=44,jitter=5"]),
        ("near and jittery, far and calm", ["rate=10,rtt=30,jitter=30", "rate=10,rtt=70"]),
        ("losses on the near one", ["rate=10,rtt=30,loss=0.08", "rate=10,rtt=60"]),
        ("outages", ["rate=10,rtt=30,down=5-5.6/15", "rate=10,rtt=60,jitter=10"]),
        ("three links", ["rate=5,rtt=50,jitter=20", "rate=8,rtt=60", "rate=10,rtt=80,loss=0.02"]),
    ]

    private func run(
        _ policy: PolicySpecification, shadow: PolicySpecification?, _ links: [String],
        seconds: Int64, seed: UInt64
    ) throws -> LiveReport {
        var settings = WorldSettings()
        settings.policy = policy
        settings.client.judging = try shadow.map { .shadow(try ShadowPolicy($0)) } ?? .rules
        var world = try PathSimulation.World(
            links: try links.map { try LinkSpecification(parsing: $0) }, settings: settings,
            application: JudgedMessages(
                interval: .milliseconds(20), deadline: .milliseconds(120), seconds: seconds),
            seed: seed)
        world.run(for: .seconds(seconds + 1))
        return world.application.evaluation.report()
    }

    private struct Row {
        var estimate: LiveReport.Rival
        var truth: LiveReport
        var covers: Bool {
            estimate.cost.low <= truth.cost.high && truth.cost.low <= estimate.cost.high
        }
    }

    private func row(
        _ policy: String, _ shadow: String, _ links: [String], seconds: Int64, seed: UInt64
    ) throws -> Row {
        let (own, other) = (
            try PolicySpecification(parsing: policy), try PolicySpecification(parsing: shadow)
        )
        let report = try run(own, shadow: other, links, seconds: seconds, seed: seed)
        return Row(
            estimate: try #require(report.shadow),
            truth: try run(other, shadow: nil, links, seconds: seconds, seed: seed))
    }

    /// With a policy that tries every path, the estimate is near the truth.
    @Test func estimatesAreNearTheTruth() throws {
        for (name, links) in ShadowTruthTests.worlds.prefix(3) {
            let row = try row("exp3", "steady", links, seconds: 60, seed: 1)
            #expect(row.estimate.isUsable, "\(name)")
            #expect(
                (row.estimate.cost.value - row.truth.cost.value).magnitude < 0.1,
                "\(name): \(row.estimate.cost) and \(row.truth.cost)")
        }
    }

    /// Time to add a decision and to make a report, for docs/measurements.md.
    @Test(.enabled(if: getenv("PATHWISE_BENCH") != nil, "a measurement; set PATHWISE_BENCH=1"))
    func times() throws {
        var settings = WorldSettings()
        settings.client.judging = .shadow(try ShadowPolicy(.steady))
        var world = try PathSimulation.World(
            links: try ShadowTruthTests.worlds[4].links.map {
                try LinkSpecification(parsing: $0)
            }, settings: settings,
            application: JudgedMessages(
                interval: .milliseconds(5), deadline: .milliseconds(120), seconds: 60, keeps: true),
            seed: 1)
        world.run(for: .seconds(61))
        let rows = world.application.rows
        var (adding, reporting): ([Double], [Double]) = ([], [])
        for _ in 0..<5 {
            var evaluation = LiveEvaluation()
            let clock = ContinuousClock()
            let start = clock.now
            for row in rows { evaluation.add(row) }
            let middle = clock.now
            _ = evaluation.report()
            adding.append(start.duration(to: middle) / .seconds(1) / Double(rows.count))
            reporting.append(middle.duration(to: clock.now) / .seconds(1))
        }
        print(
            "\(rows.count) decisions, each added in \(adding.sorted()[2] * 1e9) ns, "
                + "a report in \(reporting.sorted()[2] * 1e3) ms, "
                + "a row has \(MemoryLayout<JudgedDecision>.stride) bytes")
    }

    /// The table of docs/measurements.md.
    @Test(.enabled(if: getenv("PATHWISE_BENCH") != nil, "a measurement; set PATHWISE_BENCH=1"))
    func table() throws {
        print(
            "world | decides | shadow | agrees | worth | verdict | late, estimate (truth) | cost, estimate (truth)"
        )
        var (covered, usable, all) = (0, 0, 0)
        for (name, links) in ShadowTruthTests.worlds {
            for (policy, shadow) in [
                ("learned", "steady"), ("learned", "earliest"), ("exp3", "steady"),
                ("exp3", "learned"), ("steady", "earliest"), ("learned", "learned"),
            ] {
                for seed in UInt64(1)...5 {
                    let row = try row(policy, shadow, links, seconds: 120, seed: seed)
                    all += 1
                    if row.estimate.isUsable {
                        usable += 1
                        if row.covers { covered += 1 }
                    }
                    guard seed == 1 else { continue }
                    let cost = row.estimate.cost
                    func fixed(_ value: Double, _ digits: Int) -> String {
                        NumberText.fixed(value, digits)
                    }
                    let late = row.estimate.network?.lateShare ?? .nan
                    print(
                        "\(name) | \(policy) | \(shadow) | "
                            + "\(fixed(row.estimate.agreement * 100, 1)) % | "
                            + "\(fixed(row.estimate.effectiveCount, 0)) | "
                            + "\(row.estimate.verdict.level.words) | "
                            + "\(fixed(late * 100, 2)) % "
                            + "(\(fixed(row.truth.network.lateShare * 100, 2)) %) | "
                            + "\(fixed(cost.value, 3)) +- "
                            + "\(fixed((cost.high - cost.low) / 2, 3)) "
                            + "(\(fixed(row.truth.cost.value, 3)))")
                }
            }
        }
        print(
            "of \(all) estimates \(usable) are usable, and \(covered) of those agree with the truth"
        )
    }
}
