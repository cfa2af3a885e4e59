import Foundation
import Testing

@testable import PathLearning
@testable import PathTelemetry

private func decide(_ selector: inout PathSelector, _ set: CandidateSet, _ bytes: Int = 10_000)
    -> Decision
{
    selector.decide(set, burst: burst(bytes, .stream), now: .zero).decision
}

@Suite struct WaitingPolicyTests {
    /// A fast path without room and a slow one with room.
    private func blocked(fast: Double, slow: Double, window: Int = 20_000) -> CandidateSet {
        var set = candidates([fast, slow])
        for index in 0..<2 { set[index].congestionWindow = window }
        set[0].room = 0
        set[0].bytesInFlight = window
        return set
    }

    @Test func ecfWaitsWhenThatCompletesEarlier() throws {
        var selector = try PathSelector.make("ecf")
        // 20 ms (1 + 1) = 40 ms on the fast path against 200 ms: waits.
        #expect(decide(&selector, blocked(fast: 0.020, slow: 0.200)).action == .wait)
        // 20 ms x 2 against 30 ms: does not.
        #expect(decide(&selector, blocked(fast: 0.020, slow: 0.030)).chosen == 1)
        // With room there is nothing to wait for.
        #expect(decide(&selector, candidates([0.020, 0.200])).chosen == 0)
        // A long queue on a small window takes many rounds on the fast path.
        let many = blocked(fast: 0.020, slow: 0.200, window: 2_000)
        #expect(decide(&selector, many, 60_000).chosen == 1)
    }

    @Test func ecfHasHysteresisWhileItWaits() throws {
        var selector = try PathSelector.make("ecf:beta=0.25")
        // Bar without waiting: 2 x 20 < slow + delta; delta is slow / 20.
        let near = blocked(fast: 0.020, slow: 0.0361)
        #expect(decide(&selector, near).chosen == 1)
        // 40 ms < 1.25 (36.1 + 1.8): it would go on waiting, but s completes within 2 rtt_f + delta.
        #expect(decide(&selector, blocked(fast: 0.020, slow: 0.200)).action == .wait)
        #expect(decide(&selector, near).chosen == 1)
    }

    @Test(arguments: ["ecf", "blest:window=10000", "peekaboo:wait=1"])
    func aSilentPathIsNotWaitedFor(policy: String) throws {
        var selector = try PathSelector.make(policy)
        var set = blocked(fast: 0.020, slow: 0.200)
        set[0].unansweredAge = 1
        let decision = decide(&selector, set)
        #expect(decision.action == PathSet(PathID(1)) && decision.propensity == 1)
    }

    /// Bulk has far more left than a burst, and uses the slow path.
    @Test func ecfComparesAllBytesThatAreLeft() throws {
        var selector = try PathSelector.make("ecf")
        let set = blocked(fast: 0.040, slow: 0.100, window: 100_000)
        func chosen(left: Int) -> PathSet {
            let context = BurstContext(
                bytes: 64_000, deadline: .seconds(1), trafficClass: .stream, bytesLeft: left)
            return selector.decide(set, burst: context, now: .zero).decision.action
        }
        // 40 ms (1 + 1) < 110 ms, and 100 ms >= 2 x 40 + 10 ms.
        #expect(chosen(left: 64_000) == .wait)
        // 40 ms (50 + 1) > 1.25 x 110 ms.
        #expect(chosen(left: 5_000_000) == PathSet(PathID(1)))
    }

    /// Room on the fast path does not end the waiting, and its hysteresis holds.
    @Test func ecfStillWaitsAfterTheFastPathHadRoom() throws {
        var selector = try PathSelector.make("ecf")
        // 1.5 windows are left: 20 ms (1.5 + 1) = 50 ms against 45.1 ms, or 56.4 ms while it waits;
        // 41 ms x 1.5 is above 2 x 20 + 4.1 ms.
        let near = blocked(fast: 0.020, slow: 0.041)
        #expect(decide(&selector, near, 30_000).chosen == 1)
        #expect(decide(&selector, blocked(fast: 0.020, slow: 0.200)).action == .wait)
        #expect(decide(&selector, candidates([0.020, 0.200])).chosen == 0)
        #expect(decide(&selector, near, 30_000).action == .wait)
    }

    @Test func blestWaitsWhenTheReceiverWouldBlock() throws {
        var selector = try PathSelector.make("blest:window=380000")
        // n = 200 / 20 + 1, X = (20000 + 1400 (11 - 1) / 2) 11 = 297000 bytes, times 1.2 and with
        // 1400 held: fits.
        let set = blocked(fast: 0.020, slow: 0.200)
        #expect(decide(&selector, set).chosen == 1)
        var held = set
        held[1].bytesInFlight = 40_000
        #expect(decide(&selector, held).action == .wait)
        // Bursts that block the receiver make it more careful, once in a round trip: 1.24, 1.28.
        var actions: [PathSet] = []
        for round in 1...3 {
            selector.learn(
                Feedback(
                    features: set[1].features, predictedDelivery: 0.1, burst: burst(),
                    outcome: outcome(nil), now: .zero, path: PathID(1), memo: 1))
            let now = Instant.zero + .milliseconds(Int64(25 * round))
            for _ in 0..<2 {
                actions.append(selector.decide(set, burst: burst(), now: now).decision.action)
            }
        }
        let slow = PathSet(PathID(1))
        #expect(actions == [slow, slow, .wait, .wait, .wait, .wait])
    }

    /// A path that only waits for its pacer is free in a moment; peekaboo does not wait for it.
    @Test func peekabooWaitsForAFullWindowOnly() throws {
        var selector = try PathSelector.make("peekaboo:wait=1,send=0")
        var set = blocked(fast: 0.020, slow: 0.200)
        #expect(decide(&selector, set).action == .wait)
        set[0].bytesInFlight = 10_000
        #expect(decide(&selector, set).action == PathSet(PathID(1)))
    }

    /// A world where waiting pays, and one where it does not.
    @Test(arguments: [(0.150, true), (0.024, false)])
    func peekabooLearnsToWait(slow: Double, waits: Bool) throws {
        var selector = try PathSelector.make("peekaboo", seed: 4)
        var random = SeededGenerator(seed: 2)
        var now = Instant.zero
        var since: Instant?
        var waited: [Bool] = []
        for _ in 0..<1500 {
            now += .milliseconds(10)
            var set = blocked(fast: 0.020, slow: slow)
            // Room comes back a round trip after it went.
            if let start = since, now - start >= .milliseconds(20) { set[0].room = 20_000 }
            let decision = selector.decide(set, burst: burst(), now: now).decision
            if decision.action == .wait {
                if since == nil { since = now }
                waited.append(true)
                continue
            }
            if since == nil { waited.append(false) }
            since = nil
            let path = decision.action.first ?? PathID(0)
            let delivery = (path.index == 0 ? 0.010 : slow / 2) * (1 + 0.1 * random.uniform())
            var result = outcome(delivery)
            result.closedAt = now
            selector.learn(
                Feedback(
                    features: set[path.index].features, predictedDelivery: 0.02, burst: burst(),
                    outcome: result, now: now, path: path, action: decision.action,
                    propensity: decision.propensity, memo: decision.memo))
        }
        let last = waited.suffix(300)
        let share = Double(last.filter { $0 }.count) / Double(last.count)
        #expect(waits ? share > 0.6 : share < 0.25, "waited in \(share)")
    }
}

@Suite struct StandbyPolicyTests {
    @Test func backupStaysBacksUpAndReturnsAfterAHoldDown() throws {
        var selector = try PathSelector.make("backup:hold=1")
        var set = candidates([0.100, 0.010, 0.010])
        set[1].traits.isBackup = true
        func chosen(_ milliseconds: Int64) -> Int {
            selector.decide(
                set, burst: burst(), now: .zero + .milliseconds(milliseconds)
            ).decision.chosen
        }
        #expect(chosen(0) == 0)
        set[0].unansweredAge = 0.5
        #expect(chosen(100) == 2)
        set[0].unansweredAge = 0
        #expect(chosen(900) == 2)
        #expect(chosen(1150) == 0)
        set[2].lossRate = 0.9
        set[0].lossRate = 0.9
        #expect(chosen(1200) == 1)
    }

    @Test func weightsFollowReliabilityAndLatency() throws {
        var selector = try PathSelector.make("weighted:by=telemetry,reliability=10,latency=1")
        var set = candidates([0.020, 0.040])
        #expect(relativeError(values(&selector, set), [2.0 / 3, 1.0 / 3]) < 1e-12)
        set[0].lossRate = 0.1
        let share = 2 * 0.3486784401
        #expect(
            relativeError(values(&selector, set), [share / (1 + share), 1 / (1 + share)]) < 1e-9)
        set[1].unansweredAge = 0.4
        #expect(values(&selector, set)[0] > 0.87)
    }

    private func values(_ selector: inout PathSelector, _ set: CandidateSet) -> [Double] {
        probabilities(decide(&selector, set).distribution)
    }

    @Test func learnedWeightsFollowOutcomes() throws {
        var selector = try PathSelector.make("weighted:by=learned")
        let set = candidates([0.040, 0.040])
        #expect(relativeError(values(&selector, set), [0.5, 0.5]) < 1e-12)
        for step in 0..<200 {
            let path = step % 2
            selector.learn(
                Feedback(
                    features: set[path].features, predictedDelivery: 0.02, burst: burst(),
                    outcome: outcome(path == 0 ? 0.02 : 0.06), now: .zero + .milliseconds(1),
                    path: PathID(path)))
        }
        // Three times slower than predicted: about a quarter of the weight.
        #expect((values(&selector, set)[0] - 0.75).magnitude < 0.02)
    }

    /// Without losses copies are useless: most intervals send none, while other arms are still
    /// tried.
    @Test func olsSendsFewCopiesWhereNothingIsLost() throws {
        let set = candidates([0.020, 0.025])
        var selector = try PathSelector.make("ols", seed: 3)
        var arms = [0, 0, 0]
        for step in 0..<60_000 {
            let now = Instant.zero + .milliseconds(Int64(step))
            let decision = selector.decide(set, burst: burst(), now: now).decision
            #expect(decision.action.contains(PathID(0)) && decision.action.count <= 2)
            let arm = Int(decision.memo) - 1
            #expect(decision.distribution[0] == 1 - OLSPolicy.arms[arm])
            if step > 20_000 { arms[arm] += 1 }
            var result = outcome(0.01)
            result.closedAt = now
            selector.learn(
                Feedback(
                    features: set[0].features, predictedDelivery: 0.01, burst: burst(),
                    outcome: result, now: now, path: PathID(0), action: decision.action,
                    propensity: decision.propensity, memo: decision.memo))
        }
        #expect(arms[2] > 2 * (arms[0] + arms[1]), "\(arms)")
        #expect(arms.allSatisfy { $0 > 0 }, "\(arms)")
    }
}

@Suite struct TablePolicyTests {
    private func play(
        _ selector: inout PathSelector, steps: Int, seed: UInt64,
        set: (Int) -> CandidateSet, delivery: (Int, Int) -> Double?
    ) -> [Int] {
        var chosen: [Int] = []
        for step in 0..<steps {
            let now = Instant.zero + .milliseconds(10 * Int64(step))
            let candidates = set(step)
            let decision = selector.decide(candidates, burst: burst(), now: now).decision
            chosen.append(decision.chosen)
            var result = outcome(delivery(step, decision.chosen))
            result.closedAt = now
            selector.learn(
                Feedback(
                    features: candidates[decision.chosen].features,
                    predictedDelivery: candidates[decision.chosen].predictedDelivery,
                    burst: burst(), outcome: result, now: now, path: PathID(decision.chosen),
                    action: decision.action, propensity: decision.propensity, memo: decision.memo))
        }
        return chosen
    }

    @Test(arguments: ["exp3", "prune"])
    func theBestPathIsFoundAndLeftAgain(policy: String) throws {
        var selector = try PathSelector.make(policy, seed: 2)
        let same = candidates([0.06, 0.06, 0.06, 0.06])
        let chosen = play(&selector, steps: 12_000, seed: 1, set: { _ in same }) { step, path in
            let best = step < 6000 ? 2 : 0
            return path == best ? 0.02 : 0.06
        }
        let first = chosen[4000..<6000].filter { $0 == 2 }.count
        let second = chosen[10_000...].filter { $0 == 0 }.count
        #expect(first > 1800 && second > 1800, "\(first), \(second)")
    }

    /// The best expert gets the weight: here the one that uses losses.
    @Test func exp4FollowsTheRightExpert() throws {
        var selector = try PathSelector.make("exp4", seed: 5)
        var random = SeededGenerator(seed: 8)
        var good: [Int] = []
        let chosen = play(
            &selector, steps: 8000, seed: 1,
            set: { _ in
                var set = candidates((0..<3).map { _ in 0.02 + 0.05 * random.uniform() })
                for index in 0..<3 {
                    set[index].lossRate = random.uniform()
                    set[index].rate = 1e6 * random.uniform()
                }
                good.append((0..<3).min { set[$0].lossRate < set[$1].lossRate } ?? 0)
                return set
            }
        ) { step, path in path == good[step] ? 0.02 : 0.2 }
        let right = (6000..<8000).filter { chosen[$0] == good[$0] }.count
        #expect(right > 1850, "\(right)")
    }

    /// Two kinds of networks with opposite models: falcon switches to the one in force.
    @Test func falconChoosesTheClusterInForce() throws {
        var random = SeededGenerator(seed: 12)
        func set() -> CandidateSet {
            var set = candidates([0.06, 0.06])
            for index in 0..<2 {
                set[index].features[Feature.price.rawValue] = 2 * random.uniform() - 1
                set[index].features[Feature.lossLong.rawValue] = 0
            }
            return set
        }
        func delivery(_ candidate: Candidate, _ kind: Int) -> Double {
            0.03 * exp((kind == 0 ? 1 : -1) * candidate.features[Feature.price.rawValue])
        }
        let weights = [1.0, -1].map { slope in
            (0...FeatureSchema.count).map { $0 == Feature.price.rawValue ? slope : 0 }
        }
        var settings = FalconSettings()
        settings.epsilon = 0
        settings.ratio = 1e6
        settings.memory = 0.5
        var falcon = FalconPolicy(
            settings: settings, clusters: ClusterModels(weights: weights), cost: Cost())
        var now = Instant.zero
        var wrong = [0, 0, 0]
        for step in 0..<900 {
            now += .milliseconds(10)
            let kind = step < 300 ? 0 : step < 600 ? 1 : 0
            let candidates = set()
            var distribution = ActionDistribution()
            let span = [candidates[0], candidates[1]]
            falcon.distribution(
                for: span.span, burst: burst(), now: now, into: &distribution)
            let chosen = distribution[0] > 0.5 ? 0 : 1
            let both = (0..<2).map { delivery(candidates[$0], kind) }
            if both[chosen] > both.min()! { wrong[step / 300] += 1 }
            var result = outcome(both[chosen])
            result.closedAt = now
            falcon.learn(
                Feedback(
                    features: candidates[chosen].features,
                    predictedDelivery: candidates[chosen].predictedDelivery,
                    burst: burst(), outcome: result, now: now, path: PathID(chosen)))
        }
        // h of the candidates is 30 ms, and the models are right about it.
        #expect(wrong[0] <= 60 && wrong[1] <= 130 && wrong[2] <= 130, "\(wrong)")
    }
}
