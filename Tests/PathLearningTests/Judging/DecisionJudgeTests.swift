import Testing

@testable import PathLearning
@testable import PathTelemetry

/// What is noted of decisions for policies that do not make them.
@Suite struct DecisionJudgeTests {
    private static let deadline = TimeDelta.seconds(1)
    private let burst = BurstContext(bytes: 10_000, deadline: deadline, trafficClass: .message)

    /// Path 1 is fast but late in one of five decisions; path 0 takes 40 ms.
    private func outcome(of path: PathID, _ step: Int, number: UInt64, now: Instant) -> Outcome {
        let delivery: Double? = path.index == 0 ? 0.04 : step % 5 == 0 ? nil : 0.02
        return Outcome(
            decision: number, delivery: delivery, isLate: delivery == nil, deadline: 1, packets: 7,
            lostPackets: 0, closedAt: now, path: path)
    }

    /// Decides `steps` times, with the outcome of a decision known three steps later.
    private func run(
        _ engine: inout DecisionEngine, steps: Int, from first: Int = 0,
        each: (DecisionRecord, JudgedDecision?) -> Void = { _, _ in }
    ) {
        let set = candidates([0.03, 0.031])
        var pending: [Outcome] = []
        for step in first..<first + steps {
            let now = Instant.zero + .milliseconds(10) * Int64(step)
            guard case .send(let dispatch) = engine.decide(among: set, burst: burst, now: now)
            else { continue }
            let record = engine.record
            pending.append(outcome(of: dispatch.path, step, number: dispatch.number, now: now))
            if pending.count > 3 {
                var known = pending.removeFirst()
                known.closedAt = now
                engine.handleOutcome(known)
                while engine.pollOutcome() != nil {}
            }
            each(record, engine.pollJudged())
        }
    }

    private func engine(
        _ policy: String, _ judging: Judging, seed: UInt64 = 3
    ) throws -> DecisionEngine {
        var engine = DecisionEngine(try PathSelector.make(policy, seed: seed))
        engine.setJudge(DecisionJudge(judging))
        return engine
    }

    private func shadow(_ policy: String) throws -> Judging {
        .shadow(try ShadowPolicy(PolicySpecification(parsing: policy)))
    }

    /// Whoever is judged, the decisions are the same, bit for bit.
    @Test(arguments: ["learned", "lin-ts", "exp3", "steady"])
    func decisionsAreTheSame(policy: String) throws {
        var all: [[Double]] = []
        for judging in [Judging.off, .rules, try shadow("learned"), try shadow("lin-ts")] {
            var engine = try engine(policy, judging)
            var numbers: [Double] = []
            run(&engine, steps: 400) { record, _ in
                var distribution = record.decision.distribution
                distribution.workOut(chosen: record.decision.chosen)
                numbers += probabilities(distribution)
                numbers += [record.draw, Double(record.decision.chosen)]
            }
            all.append(numbers)
        }
        #expect(all[0].count >= 1600)
        #expect(all[1] == all[0] && all[2] == all[0] && all[3] == all[0])
    }

    /// A policy in its own shadow learns what it learns itself, so it would do what is done.
    @Test(arguments: ["learned", "lin-ucb", "lin-ts", "exp3", "falcon"])
    func itsOwnShadowAgrees(policy: String) throws {
        var engine = try engine(policy, shadow(policy))
        var rows = 0
        run(&engine, steps: 600) { _, row in
            guard let row, let opinion = row.shadow else { return }
            rows += 1
            #expect(opinion.agreement == row.propensity)
            #expect(opinion.unsupported == 0 && (opinion.weightSquare - 1).magnitude < 1e-9)
        }
        #expect(rows == 597)
    }

    /// A row has the outcome with its price, what was expected before, and each path's probability.
    @Test func aRowIsComplete() throws {
        var engine = try engine("exp3", .rules)
        var set = candidates([0.03, 0.031])
        set[1].traits.pricePerGB = 4
        set[0].predictedDelivery = 0.04
        set[1].predictedDelivery = 0.02
        let cost = Cost()
        for step in 0..<300 {
            let now = Instant.zero + .milliseconds(10) * Int64(step)
            guard case .send(let dispatch) = engine.decide(among: set, burst: burst, now: now)
            else { return }
            let made = engine.decision
            var known = outcome(of: dispatch.path, step, number: dispatch.number, now: now)
            known.bytes.add(12_000, to: dispatch.path)
            engine.handleOutcome(known)
            while engine.pollOutcome() != nil {}
            let polled = engine.pollJudged()
            let row = try #require(polled)
            let place = dispatch.path.index
            #expect(row.number == dispatch.number && row.action == PathSet(dispatch.path))
            #expect(row.propensity == made.propensity && row.shadow == nil)
            #expect(row.offered == [PathSet(PathID(0)), PathSet(PathID(1))])
            #expect(row.paths[0].probability == made.distribution[0])
            #expect(row.paths[1].probability == made.distribution[1])
            #expect(row.isLate == known.isLate && row.bytes == 12_000)
            let price = place == 1 ? cost.price(bytes: 12_000, pricePerGB: 4) : 0
            #expect(row.cost == cost.total(outcome: known, price: price))
            #expect(row.expectedCost == row.paths[place].expectedCost)
            // Nothing is known yet, or it is near what was seen of the path.
            if step == 0 {
                let planned = place == 1 ? cost.price(bytes: 10_000, pricePerGB: 4) : 0
                let prediction = [0.04, 0.02][place]
                #expect(
                    (row.expectedCost - naturalLog(prediction) - planned).magnitude < 1e-12)
            }
            // The steady rule takes the least round trip.
            #expect(row.steady.agreement == (place == 0 ? 1 : 0))
            #expect(row.steady.expectedCost == row.paths[0].expectedCost)
        }
    }

    private func naturalLog(_ value: Double) -> Double {
        Cost().total(
            outcome: Outcome(
                decision: 0, delivery: value, isLate: false, deadline: 1, packets: 1,
                lostPackets: 0, closedAt: .zero), price: 0)
    }

    /// Forced decisions say nothing about others.
    @Test func forcedDecisionsAreNotJudged() throws {
        var engine = try engine("learned", shadow("learned"))
        let set = candidates([0.03])
        for step in 0..<20 {
            let now = Instant.zero + .milliseconds(10) * Int64(step)
            guard case .send(let dispatch) = engine.decide(among: set, burst: burst, now: now)
            else { return }
            engine.handleOutcome(
                outcome(of: dispatch.path, step, number: dispatch.number, now: now))
            while engine.pollOutcome() != nil {}
            let row = engine.pollJudged()
            #expect(row?.number == nil)
        }
    }

    /// The shadow decides with what it has learned, and the former policy goes on in its place; the
    /// second time takes it back.
    @Test func promotionAndBack() throws {
        var engine = try engine("steady", shadow("learned"))
        run(&engine, steps: 300)
        // The next decision would teach it the latest outcome.
        engine.learn()
        let set = candidates([0.03, 0.031])
        let now = Instant.zero + .seconds(3)
        let present = engine.judge?.shadow
        var learned = try #require(present)
        let fresh = try PathSelector.make("learned")
        let known = probabilities(
            learned.decide(set, burst: burst, now: now).decision.distribution)
        let score = learned.score(of: set[0], burst: burst)
        #expect(score != fresh.score(of: set[0], burst: burst), "it has learned nothing")
        let isPromoted = engine.promoteShadow()
        #expect(isPromoted == true)
        var (policy, shadow) = (engine.policy, engine.shadow?.policy.name)
        #expect(policy == "learned" && shadow == "steady")
        _ = engine.decide(among: set, burst: burst, now: now)
        let decided = probabilities(engine.decision.distribution)
        #expect(decided == known)
        let scored = engine.selector.score(of: set[0], burst: burst)
        #expect(scored == score)
        var judges: Set<UInt32> = []
        run(&engine, steps: 50, from: 301) { _, row in
            if let row { judges.insert(row.judge) }
        }
        let isBack = engine.promoteShadow()
        #expect(isBack == true)
        (policy, shadow) = (engine.policy, engine.shadow?.policy.name)
        #expect(policy == "steady" && shadow == "learned")
        // Rows of before are told from those of after.
        run(&engine, steps: 50, from: 351) { _, row in
            if let row { #expect(!judges.contains(row.judge)) }
        }
        #expect(judges.count == 1)
        engine.setJudge(nil)
        let isNone = engine.promoteShadow()
        policy = engine.policy
        #expect(isNone == nil && policy == "steady")
    }

    /// A policy of which a shadow cannot be made is gone after a promotion.
    @Test func aFormerPolicyMayBeUnfitForTheShadow() throws {
        var engine = try engine("ecf", shadow("learned"))
        let isPromoted = engine.promoteShadow()
        let (policy, isShadowGone) = (engine.policy, engine.shadow == nil)
        #expect(isPromoted == true && policy == "learned" && isShadowGone)
        let needsFull = engine.needs.fullPaths
        #expect(!needsFull)
    }

    @Test(arguments: ["ecf", "redundant", "blest", "single:1", "single:lte", "reinject"])
    func somePoliciesCannotBeInTheShadow(policy: String) throws {
        let specification = try PolicySpecification(parsing: policy)
        #expect(throws: LearningError.notForShadow(policy: specification.name)) {
            try ShadowPolicy(specification)
        }
    }
}
