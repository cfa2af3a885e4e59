import CKernels
import DenseMath
import Foundation
import Testing

@testable import PathLearning
@testable import PathTelemetry

@Suite struct KernelCostTests {
    @Test func candidatesAreAsTheKernelsKnowThem() {
        typealias Layout = MemoryLayout<Candidate>
        typealias Kernel = MemoryLayout<ck_candidate>
        #expect(Layout.offset(of: \.features) == 0)
        #expect(Kernel.offset(of: \.features) == 0)
        #expect(Layout.offset(of: \.predictedDelivery) == Kernel.offset(of: \.prediction))
        #expect(Layout.offset(of: \.smoothedRTT) == Kernel.offset(of: \.rtt))
        #expect(Layout.offset(of: \.rttVariation) == Kernel.offset(of: \.variation))
        #expect(Layout.offset(of: \.unansweredAge) == Kernel.offset(of: \.age))
        #expect(Layout.offset(of: \.lossRate) == Kernel.offset(of: \.loss))
        #expect(Layout.offset(of: \.path) == Kernel.offset(of: \.standing.path))
        #expect(Layout.offset(of: \.traits.weight) == Kernel.offset(of: \.standing.weight))
        #expect(Layout.offset(of: \.traits.pricePerGB) == Kernel.offset(of: \.standing.price))
        #expect(Layout.offset(of: \.traits.rateLimit) == Kernel.offset(of: \.standing.rate_limit))
        #expect(Layout.offset(of: \.traits.isBackup) == Kernel.offset(of: \.standing.is_backup))
        #expect(Layout.offset(of: \.traits.kind) == Kernel.offset(of: \.standing.kind))
        #expect(Layout.offset(of: \.room) == Kernel.offset(of: \.standing.room))
        #expect(Layout.offset(of: \.bytesInFlight) == Kernel.offset(of: \.standing.in_flight))
        #expect(Layout.offset(of: \.congestionWindow) == Kernel.offset(of: \.standing.window))
        #expect(Layout.offset(of: \.rate) == Kernel.offset(of: \.standing.rate))
        #expect(Layout.stride == Kernel.stride)
        #expect(CK_CANDIDATES == PathID.limit && CK_FEATURES == FeatureSchema.count)
    }

    private func candidates(_ count: Int, _ random: inout SeededGenerator) -> [Candidate] {
        (0..<count).map { index in
            var candidate = Candidate(
                path: PathID(15 - index), traits: PathTraits(pricePerGB: random.uniform()))
            for feature in 0..<24 { candidate.features[feature] = 2 * random.uniform() - 1 }
            candidate.predictedDelivery = random.next() % 9 == 0 ? 0 : 0.1 * random.uniform()
            candidate.smoothedRTT = 0.05 * random.uniform()
            candidate.rttVariation = 0.01 * random.uniform()
            candidate.unansweredAge = random.next() % 2 == 0 ? 0 : 0.1 * random.uniform()
            return candidate
        }
    }

    /// A posterior after some learning.
    private func posterior(_ size: Int, _ random: inout SeededGenerator) -> LinearPosterior {
        var posterior = LinearPosterior(prior: LinearPrior(size: size + 1, lambda: 2))
        for _ in 0..<50 {
            var x = [Double](repeating: 0, count: SmallKernels.stride(size + 1))
            for index in 0..<size { x[index] = 2 * random.uniform() - 1 }
            x[size] = 1
            posterior.learn(x, target: random.uniform() - 0.5, decay: 0.99)
        }
        return posterior
    }

    @Test(arguments: [16, 24], [1, 2, 3, 4, 5, 8, 16])
    func optimisticCostsAreTheirDefinition(size: Int, count: Int) {
        var random = SeededGenerator(seed: UInt64(100 * size + count))
        let posterior = posterior(size, &random)
        let all = candidates(count, &random)
        var optimism = ck_optimism(
            alpha: 0.7, scale: 1, lowest: -2, highest: 4, per_price: 0.3)
        var costs = [Double](repeating: .nan, count: 16)
        var deliveries = costs
        all.span.withKernel { first, step, count in
            posterior.withWeights { theta, matrix, scale in
                optimism.scale = scale
                ck_optimistic_costs(
                    &optimism, theta, matrix, size, posterior.stride, first, step, count, &costs,
                    &deliveries)
            }
        }
        for (index, candidate) in all.enumerated() {
            var x = [Double](repeating: 0, count: posterior.stride)
            for feature in 0..<size { x[feature] = candidate.features[feature] }
            x[size] = 1
            let (mean, spread) = posterior.predict(x)
            let h = max(1e-4, candidate.predictedDelivery)
            let cost =
                log(h) + min(max(mean, -2), 4) - 0.7 * spread.squareRoot()
                + 0.3 * candidate.traits.pricePerGB
            #expect((costs[index] - cost).magnitude < 1e-11)
            let delivery = h * exp(min(max(mean, -2), 4))
            #expect((deliveries[index] - delivery).magnitude < 1e-11 * delivery)
        }
    }

    @Test(arguments: [1, 3, 4, 7, 16], [TrafficClass.stream, .message])
    func learnedCostsAreTheirDefinition(count: Int, trafficClass: TrafficClass) {
        var random = SeededGenerator(seed: UInt64(count))
        let all = candidates(count, &random)
        var settings = LearnedSettings()
        settings.switching = 0.05
        var scorer = LearnedScorer(settings: settings, cost: Cost(), stride: 28)
        for index in 0..<25 {
            scorer.weights[index] = random.uniform() - 0.5
            scorer.weights[28 + index] = random.uniform() - 0.5
        }
        scorer.terms[0].late_correction = -1.5
        var offsets = PathOffsets()
        var errors = [(path: Int, error: Double)]()
        for _ in 0..<20 {
            let sample = (path: Int(random.next() % 16), error: random.uniform() - 0.3)
            offsets.learn(PathID(sample.path), error: sample.error, decay: 0.9)
            errors.append(sample)
        }
        offsets.fill(&scorer.terms[0], usual: 0.2, optimism: 0.4)
        var surcharges = PathSurcharges()
        for _ in 0..<30 { surcharges.learn(PathID(15), error: 0.01, elapsed: 0) }
        surcharges.fill(&scorer.terms[0])
        let deadline = 0.04
        let context = BurstContext(
            bytes: 20_000, deadline: .milliseconds(40), trafficClass: trafficClass,
            currentPath: PathID(14))
        var memory = [Double](repeating: .nan, count: LearnedEvaluation.capacity)
        memory.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            let evaluation = scorer.evaluate(all.span, burst: context, in: base)
            #expect(evaluation.isFinite)
            for (index, candidate) in all.enumerated() {
                var mean = scorer.weights[24]
                var logit = scorer.weights[28 + 24] - 1.5
                for feature in 0..<24 {
                    mean += scorer.weights[feature] * candidate.features[feature]
                    logit += scorer.weights[28 + feature] * candidate.features[feature]
                }
                var (sum, square, weight) = (0.0, 0.0, 6.0)
                for (age, sample) in errors.reversed().enumerated()
                where sample.path == candidate.path.index {
                    let share = pow(0.9, Double(age))
                    sum += share * sample.error
                    square += share * sample.error * sample.error
                    weight += share
                }
                let offset = sum / weight
                let variance = max(0, (square + 6 * 0.2) / weight - offset * offset)
                let longer = min(max(mean + offset + variance / 2, -2), 3)
                let late = 1 / (1 + exp(-logit))
                let h = max(1e-4, candidate.predictedDelivery)
                let delivery = h * exp(longer)
                let deviation = (variance + 0.01).squareRoot()
                let missed = 1 / (1 + exp(1.702 * (log(deadline) - log(h) - longer) / deviation))
                let surcharge = candidate.path == PathID(15) ? 0.01 * 30 / 50 : 0
                let timely = min(delivery, deadline)
                let expected = (1 - missed) * timely + missed * 2 * deadline + surcharge
                let result = min(max(expected, 0.3 * timely), 2 * deadline)
                if trafficClass == .message {
                    #expect((evaluation.results[index] - result).magnitude < 1e-12)
                }
                let basis = trafficClass == .message ? log(result) : log(h) + longer + late
                let cost =
                    basis - 0.4 * (1 / weight).squareRoot()
                    + 20_000 * 1e-6 * candidate.traits.pricePerGB
                    + (candidate.path == PathID(14) ? 0 : 0.05)
                #expect((evaluation.rows[index] - cost).magnitude < 1e-11)
                #expect((evaluation.rows[16 + index] - late).magnitude < 1e-12)
                #expect((evaluation.rows[32 + index] - delivery).magnitude < 1e-11)
                #expect(evaluation.estimates[index] == SteadyPolicy.estimate(candidate))
                #expect(
                    (evaluation.overdue & (1 << UInt32(index)) != 0)
                        == SteadyPolicy.isSuspicious(candidate))
            }
        }
    }
}
