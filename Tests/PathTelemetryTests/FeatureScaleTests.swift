import Foundation
import Testing

@testable import PathTelemetry

/// The values that the kernel writes for one candidate.
struct FilledCandidate {
    var features = FeatureVector(repeating: .nan)
    var prediction = Double.nan
    var rtt = Double.nan
    var variation = Double.nan
    var age = Double.nan
    var loss = Double.nan

    /// Reads paths into a memory and fills candidates from them.
    static func fill(
        _ paths: [(PathSnapshot, PathEstimator)], burst: BurstContext, now: Instant,
        clockOffset: TimeDelta? = nil, utcOffset: TimeDelta = .zero, memory: inout FeatureMemory
    ) -> [FilledCandidate] {
        memory.begin(burst, now: now, utcOffset: utcOffset)
        for (place, (var snapshot, var estimator)) in paths.enumerated() {
            memory.read(
                &snapshot, &estimator.evidence, clockOffset: clockOffset, at: place)
        }
        let step = 40
        var doubles = [Double](repeating: .nan, count: step * max(1, paths.count))
        doubles.withUnsafeMutableBytes { bytes in
            if let base = bytes.baseAddress { memory.fill(base, count: paths.count, step: step) }
        }
        return paths.indices.map { place in
            var filled = FilledCandidate()
            for index in 0..<24 { filled.features[index] = doubles[place * step + index] }
            filled.prediction = doubles[place * step + 24]
            filled.rtt = doubles[place * step + 25]
            filled.variation = doubles[place * step + 26]
            filled.age = doubles[place * step + 27]
            filled.loss = doubles[place * step + 28]
            return filled
        }
    }
}

/// Random paths that appear and vanish, sometimes with an invalid number.
struct RandomPaths {
    var random: SeededGenerator
    var now = Instant.zero + .seconds(100)
    var paths: [(PathSnapshot, PathEstimator)] = []

    init(_ count: Int, seed: UInt64) {
        random = SeededGenerator(seed: seed)
        for index in 0..<count {
            var snapshot = PathSnapshot(
                path: PathID(index), state: .active,
                traits: PathTraits(
                    pricePerGB: Double(index), kind: index % 2 == 0 ? .starlink : .wifi))
            snapshot.minRTT = .milliseconds(15)
            paths.append((snapshot, PathEstimator()))
        }
    }

    private mutating func odd() -> Double {
        switch random.next() % 6 {
        case 0: .nan
        case 1: .infinity
        case 2: -0.0
        case 3: Double(bitPattern: random.next())
        default: exp((random.uniform() - 0.5) * 40)
        }
    }

    /// Something happens to some of the paths; often nothing but time.
    mutating func step() {
        now += .microseconds(Int64(random.next() % 3) * 700)
        for index in paths.indices where random.next() % 2 == 0 {
            let time = now - .microseconds(Int64(random.next() % 5000))
            switch random.next() % 9 {
            case 0, 1:
                paths[index].1.handleAck(
                    rtt: .microseconds(Int64(random.next() % 90_000)),
                    rawOneWayDelay: random.next() % 3 == 0
                        ? nil : .microseconds(Int64(random.next() % 60_000)),
                    bytes: 1200, deliveryRate: odd(), now: now)
                paths[index].1.handleDelivered(packets: 2, now: now)
            case 2:
                paths[index].1.handleLoss(packets: 3, longestRun: 2, now: now)
            case 3:
                paths[index].0.smoothedRTT = .microseconds(Int64(random.next() % 90_000))
                paths[index].0.rttVariation = .microseconds(Int64(random.next() % 9_000))
            case 4: paths[index].0.bytesInFlight = Int(random.next() % 100_000)
            case 5: paths[index].0.pacingDelay = .microseconds(Int64(random.next() % 2000))
            case 6: paths[index].0.oldestUnanswered = random.next() % 2 == 0 ? nil : time
            case 7:
                paths[index].0.pacingRate = random.next() % 2 == 0 ? odd() : 1e6
                paths[index].0.congestionWindow = Int(random.next() % 90_000)
            default: paths[index].0.traits.pricePerGB = odd()
            }
        }
    }
}

@Suite struct FeatureFillTests {
    private func burst(_ step: Int) -> BurstContext {
        BurstContext(
            bytes: step % 7 == 0 ? 1200 : 10_000, deadline: .milliseconds(200),
            trafficClass: .message, currentPath: step % 5 == 0 ? nil : PathID(step % 3))
    }

    /// Raw quantities computed directly from their descriptions, not from the estimator's evidence.
    private func raw(
        _ snapshot: PathSnapshot, _ estimator: PathEstimator, _ burst: BurstContext, now: Instant
    ) -> [Double] {
        let smoothed = snapshot.smoothedRTT.seconds
        let least = min(snapshot.minRTT, snapshot.smoothedRTT).seconds
        let rate = rate(snapshot, estimator)
        let perRTT = smoothed > 0 ? 1 / smoothed : 0
        let lastReply = snapshot.lastReply ?? estimator.lastReply
        let unanswered = snapshot.oldestUnanswered.map { max(0, (now - $0).seconds) } ?? 0
        let phase = Double(now.nanoseconds % 15_000_000_000) * (2 * Double.pi / 15e9)
        let isStarlink = snapshot.traits.kind == .starlink
        func age(_ instant: Instant?) -> Double { instant.map { (now - $0).seconds } ?? .infinity }
        return [
            smoothed, snapshot.rttVariation.seconds * perRTT, least, estimator.rttSlope,
            estimator.delayExcess, estimator.jitterP90, rate, estimator.rateVariation,
            estimator.lossShareShort, estimator.lossShareLong, Double(estimator.lastLossBurst),
            age(estimator.lastLoss), age(lastReply), unanswered * perRTT,
            (Double(snapshot.bytesInFlight) + 1200) / (rate * least + 1200),
            snapshot.pacingDelay.seconds, Double(snapshot.probeTimeouts), Double(burst.bytes),
            burst.deadline.seconds, burst.currentPath == snapshot.path ? 1 : 0,
            snapshot.traits.pricePerGB, isStarlink ? sin(phase) : 0, isStarlink ? cos(phase) : 0,
            1,
        ]
    }

    /// The pacing rate, else the delivery rate, else window over RTT, within the user's limit.
    private func rate(_ snapshot: PathSnapshot, _ estimator: PathEstimator) -> Double {
        func isRate(_ x: Double) -> Bool { x > 0 && x.isFinite }
        let delivered = max(estimator.deliveryRate, snapshot.deliveryRate)
        let window = Double(snapshot.congestionWindow) / max(1e-3, snapshot.smoothedRTT.seconds)
        let own =
            isRate(snapshot.pacingRate)
            ? snapshot.pacingRate : isRate(delivered) ? delivered : window
        return max(1000, min(own, snapshot.traits.rateLimit))
    }

    /// h = wait + bytes x service time + max(usual delay, arrival behind what the path holds).
    private func prediction(
        _ snapshot: PathSnapshot, _ estimator: PathEstimator, _ burst: BurstContext,
        clockOffset: TimeDelta?, now: Instant
    ) -> Double {
        let rate = rate(snapshot, estimator)
        let excess =
            Double(snapshot.bytesInFlight) + Double(burst.bytes)
            - Double(snapshot.congestionWindow)
        let wait = max(snapshot.pacingDelay.seconds, excess / rate, 0)
        let leastRTT = min(snapshot.minRTT, snapshot.smoothedRTT).seconds
        var delay = leastRTT / 2
        if let raw = estimator.rawDelayMinimum {
            delay = clockOffset.map { max(0, (raw - $0).seconds) } ?? 0
        }
        let age = snapshot.oldestUnanswered.map { max(0, (now - $0).seconds) } ?? 0
        let reply = snapshot.lastReply ?? estimator.lastReply
        let held = min(age, reply.map { (now - $0).seconds + leastRTT } ?? .infinity)
        let evidence = estimator.evidence
        let prior = min(rate * 0.002, 2400)
        let perByte = (evidence.queuedTime + prior / rate) / (evidence.queuedBytes + prior)
        let pause = held - leastRTT - 1200 * perByte - 0.008
        let end =
            delay - held + 2.5 * max(0, pause) + Double(snapshot.bytesInFlight) * perByte
        let share = 0.3 / (0.3 + max(0, reply.map { (now - $0).seconds } ?? .infinity))
        let usual = delay + evidence.usualExcess + evidence.lastingExcess * share * share
        return max(1e-4, wait + Double(burst.bytes) * perByte + max(delay, end, usual))
    }

    /// All values equal their definitions to the last bit, for any remembered state.
    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func theKernelIsTheDefinition(seed: UInt64) {
        var world = RandomPaths(5, seed: seed)
        var memory = FeatureMemory()
        let offset = TimeDelta.milliseconds(3)
        for step in 0..<6000 {
            world.step()
            let burst = burst(step)
            let filled = FilledCandidate.fill(
                world.paths, burst: burst, now: world.now, clockOffset: offset, memory: &memory)
            for (index, (snapshot, estimator)) in world.paths.enumerated() {
                let raw = raw(snapshot, estimator, burst, now: world.now)
                for feature in Feature.allCases where feature != .predictionGap {
                    let own = raw[feature.rawValue]
                    let got = filled[index].features[feature.rawValue]
                    if got != feature.scaling.apply(own) {
                        Issue.record("\(feature) of \(own) is \(got) at step \(step)")
                        return
                    }
                }
                var best = Double.infinity
                for other in filled.indices where other != index {
                    best = min(best, filled[other].prediction)
                }
                let gap = filled[index].features[Feature.predictionGap.rawValue]
                let ratio = filled[index].prediction / best
                #expect(gap == Feature.predictionGap.scaling.apply(ratio))
                #expect(
                    filled[index].prediction
                        == prediction(
                            snapshot, estimator, burst, clockOffset: offset, now: world.now))
                #expect(filled[index].loss == estimator.lossShareLong)
                #expect(filled[index].rtt == snapshot.smoothedRTT.seconds)
                #expect(filled[index].variation == snapshot.rttVariation.seconds)
            }
        }
    }

    /// Remembered state of earlier decisions changes nothing.
    @Test func memoryChangesNoResult() {
        var world = RandomPaths(4, seed: 9)
        var memory = FeatureMemory()
        for step in 0..<3000 {
            world.step()
            var fresh = FeatureMemory()
            let burst = burst(step)
            // Some paths in another order: positions are not path numbers.
            let some = step % 3 == 0 ? world.paths.reversed() : Array(world.paths.prefix(3))
            let with = FilledCandidate.fill(some, burst: burst, now: world.now, memory: &memory)
            let without = FilledCandidate.fill(some, burst: burst, now: world.now, memory: &fresh)
            for place in some.indices {
                for index in 0..<24
                where with[place].features[index].bitPattern
                    != without[place].features[index].bitPattern
                {
                    Issue.record("feature \(index) at step \(step)")
                    return
                }
                #expect(with[place].loss == without[place].loss)
            }
        }
    }

    /// A path without any evidence has the features of zeros.
    @Test func theFirstReadingIsComputed() {
        var memory = FeatureMemory()
        var snapshot = PathSnapshot(path: PathID(7), state: .active, traits: PathTraits())
        snapshot.smoothedRTT = .zero
        snapshot.rttVariation = .zero
        snapshot.minRTT = .zero
        let filled = FilledCandidate.fill(
            [(snapshot, PathEstimator())], burst: burst(1), now: .zero, memory: &memory)
        #expect(filled[0].features[0] == Feature.smoothedRTT.scaling.apply(0))
        #expect(filled[0].features[9] == 0)
        #expect(filled[0].features[23] == 0)
    }
}
