import Foundation
import Testing

@testable import PathTelemetry

@Suite struct FeatureSchemaTests {
    @Test func hashIsTheSchemasAndStable() {
        let schema = FeatureSchema.current
        #expect(schema.names.count == FeatureSchema.count)
        #expect(Set(schema.names).count == FeatureSchema.count)
        #expect(schema.hash == StableHash(schema.text).value)
        #expect(StableHash.text(schema.hash) == "f90c4309a7b8d78b")
        #expect(schema.text.split(separator: "\n").count == 25)
    }

    @Test func hashFunctionHasItsPublishedValues() {
        #expect(StableHash("").value == 0xcbf2_9ce4_8422_2325)
        #expect(StableHash("a").value == 0xaf63_dc4c_8601_ec8c)
        #expect(StableHash("foobar").value == 0x8594_4171_f739_67e8)
        #expect(StableHash.text(0x1f) == "000000000000001f")
    }

    @Test func logarithmAgreesWithTheLibrary() {
        var random = SeededGenerator(seed: 3)
        var worst = 0.0
        for _ in 0..<100_000 {
            let x = exp((random.uniform() - 0.5) * 200)
            let error = (naturalLogarithm(x) - log(x)).magnitude
            worst = max(worst, error / max(1, log(x).magnitude))
        }
        #expect(worst <= 1e-13)
        #expect(naturalLogarithm(1) == 0)
    }

    @Test func scalingIsItsFormula() {
        for feature in Feature.allCases {
            let scaling = feature.scaling
            let x = scaling.low + (scaling.high - scaling.low) * 0.3
            let expected =
                switch scaling.curve {
                case .linear: x / scaling.divisor
                case .logarithm: log(x / scaling.reference) / scaling.divisor
                case .logarithmOfOnePlus: log(1 + x / scaling.reference) / scaling.divisor
                }
            #expect((scaling.apply(x) - expected).magnitude < 1e-12)
            #expect(scaling.apply(.infinity) == scaling.apply(scaling.high))
            #expect(scaling.apply(-.infinity) == scaling.apply(scaling.low))
            #expect(scaling.apply(.nan) == scaling.apply(scaling.low))
            #expect(scaling.apply(scaling.high).magnitude < 8, "\(feature) is of about one")
            #expect(scaling.apply(scaling.low).magnitude < 8)
        }
    }
}

@Suite struct FeatureExtractionTests {
    private func extract(
        _ snapshot: PathSnapshot, _ estimator: PathEstimator = PathEstimator(),
        burst: BurstContext, now: Instant, utcOffset: TimeDelta = .zero
    ) -> FeatureVector {
        var memory = FeatureMemory()
        return FilledCandidate.fill(
            [(snapshot, estimator)], burst: burst, now: now, utcOffset: utcOffset, memory: &memory
        )[0].features
    }

    private let burst = BurstContext(
        bytes: 10_000, deadline: .milliseconds(200), trafficClass: .message,
        currentPath: PathID(1))

    @Test func valuesOfAKnownPath() {
        var snapshot = PathSnapshot(
            path: PathID(1), state: .active, traits: PathTraits(pricePerGB: 2, kind: .starlink))
        snapshot.smoothedRTT = .milliseconds(50)
        snapshot.rttVariation = .milliseconds(10)
        snapshot.minRTT = .milliseconds(25)
        snapshot.pacingRate = 1.25e6
        snapshot.bytesInFlight = 61_300
        snapshot.pacingDelay = .milliseconds(10)
        snapshot.probeTimeouts = 1
        let now = Instant.zero + .seconds(100)
        snapshot.oldestUnanswered = now - .milliseconds(100)
        snapshot.lastReply = now - .milliseconds(100)
        let vector = extract(snapshot, burst: burst, now: now, utcOffset: .milliseconds(8_750))
        func value(_ feature: Feature) -> Double { vector[feature.rawValue] }
        func near(_ feature: Feature, _ expected: Double) -> Bool {
            (value(feature) - expected).magnitude < 1e-12
        }
        #expect(near(.smoothedRTT, 0))
        #expect(near(.rttVariation, 0.4))
        #expect(near(.minRTT, log(0.5)))
        #expect(near(.deliveryRate, 0))
        #expect(near(.inFlight, log(62_500.0 / 32_450)))
        #expect(near(.pacingDelay, log(2)))
        #expect(near(.probeTimeouts, log(2)))
        #expect(near(.unansweredAge, log(3)))
        #expect(near(.sinceReply, log(2)))
        #expect(near(.sinceLoss, log(601) / 3))
        #expect(near(.burstBytes, 0))
        #expect(near(.deadline, 0))
        #expect(near(.currentPath, 1))
        #expect(near(.price, log(3)))
        // 108.75 s is a quarter of the grid.
        #expect(near(.gridSine, 1))
        #expect(near(.gridCosine, 0))
        #expect(near(.predictionGap, 0))
    }

    @Test(arguments: [1, 2] as [UInt64])
    func alwaysFiniteAndOfAboutOne(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<5000 {
            var snapshot = PathSnapshot(
                path: PathID(Int(random.next() % 16)), state: .active,
                traits: PathTraits(
                    pricePerGB: Double(bitPattern: random.next()),
                    rateLimit: Double(bitPattern: random.next()), kind: .starlink))
            func time() -> TimeDelta {
                TimeDelta(nanoseconds: Int64(bitPattern: random.next() >> (random.next() % 64)))
            }
            snapshot.smoothedRTT = time()
            snapshot.rttVariation = time()
            snapshot.minRTT = time()
            snapshot.pacingDelay = time()
            snapshot.bytesInFlight = Int(truncatingIfNeeded: random.next())
            snapshot.congestionWindow = Int(truncatingIfNeeded: random.next())
            snapshot.pacingRate = Double(bitPattern: random.next())
            snapshot.deliveryRate = Double(bitPattern: random.next())
            snapshot.oldestUnanswered = Instant(nanoseconds: Int64(bitPattern: random.next()))
            snapshot.lastReply = Instant(nanoseconds: Int64(bitPattern: random.next()))
            snapshot.probeTimeouts = Int(truncatingIfNeeded: random.next())
            var memory = FeatureMemory()
            let other = PathSnapshot(path: PathID(0), state: .active, traits: PathTraits())
            let vector = FilledCandidate.fill(
                [(snapshot, PathEstimator()), (other, PathEstimator())], burst: burst,
                now: Instant(nanoseconds: Int64(bitPattern: random.next())), memory: &memory
            )[0].features
            for index in 0..<FeatureSchema.count where !(vector[index].magnitude < 8) {
                Issue.record("\(FeatureSchema.current.names[index]) is \(vector[index])")
            }
        }
    }
}
