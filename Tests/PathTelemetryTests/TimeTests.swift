import PathTelemetry
import Testing

@Suite struct TimeTests {
    /// Numbers of a peer become times that saturate at the limits.
    @Test func wholeUnitsStopAtTheLimits() {
        let values: [Int64] = [.max, .max / 999, .max / 2]
        for value in values {
            #expect(TimeDelta.seconds(value) == .infinite)
            #expect(TimeDelta.milliseconds(value) == .infinite)
            #expect(TimeDelta.microseconds(value) == .infinite)
            #expect(TimeDelta.microseconds(-value).nanoseconds == .min)
        }
        #expect(TimeDelta.microseconds(1 << 50).nanoseconds == (1 << 50) * 1_000)
        #expect(TimeDelta.seconds(-3).nanoseconds == -3_000_000_000)
    }

    @Test func differencesAndSumsAreInverse() {
        let start = Instant(nanoseconds: 1_000)
        let later = start + .milliseconds(5)
        #expect(later - start == .milliseconds(5))
        #expect(later - .milliseconds(5) == start)
        #expect(start < later)
    }

    @Test func arithmeticSaturatesInsteadOfTrapping() {
        #expect(Instant.distantFuture + .seconds(1) == .distantFuture)
        #expect(Instant(nanoseconds: .min) - Instant.distantFuture == TimeDelta(nanoseconds: .min))
        #expect(TimeDelta.infinite * Int64(2) == .infinite)
        #expect(TimeDelta(seconds: .infinity) == .infinite)
        #expect(TimeDelta(seconds: .nan) == .zero)
    }
}

@Suite struct SeededGeneratorTests {

    @Test func sameSeedSameSequence() {
        var one = SeededGenerator(seed: 7)
        var two = SeededGenerator(seed: 7)
        var other = SeededGenerator(seed: 8)
        let first = (0..<100).map { _ in one.next() }
        #expect(first == (0..<100).map { _ in two.next() })
        #expect(first != (0..<100).map { _ in other.next() })
    }

    @Test func uniformHasTheRightMeanAndStaysInRange() {
        var generator = SeededGenerator(seed: 1)
        let draws = (0..<100_000).map { _ in generator.uniform() }
        #expect(draws.allSatisfy { $0 >= 0 && $0 < 1 })
        #expect(abs(draws.reduce(0, +) / 100_000 - 0.5) < 0.005)
    }
}

@Suite struct PathSetTests {
    @Test func popsInOrder() {
        var set: PathSet = [PathSet(PathID(3)), PathSet(PathID(15)), PathSet(PathID(0))]
        #expect(set.count == 3)
        #expect(set.popFirst() == PathID(0))
        #expect(set.popFirst() == PathID(3))
        #expect(set.popFirst() == PathID(15))
        #expect(set.popFirst() == nil)
        #expect(PathSet.wait.first == nil)
    }
}
