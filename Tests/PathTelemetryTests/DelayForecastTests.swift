import Foundation
import Testing

@testable import PathTelemetry

@Suite struct DelayForecastTests {
    /// Feeds delays every `spacing` seconds.
    private func forecast(_ delays: [Double], spacing: Double) -> DelayForecast {
        var forecast = DelayForecast()
        for delay in delays {
            forecast.add(delay, elapsed: spacing, decay: exp(-spacing))
        }
        return forecast
    }

    /// The forecast of a packet that is sent when the latest delay is `age` old.
    private func next(_ forecast: DelayForecast, age: Double) -> Double {
        let share = DelayForecast.span / (DelayForecast.span + age)
        return forecast.level
            + forecast.persistence * (forecast.recent - forecast.level) * share * share
    }

    /// Delays that are independent of each other are predicted by their mean, not by the latest one.
    @Test(arguments: 1...5 as ClosedRange<UInt64>)
    func independentDelaysDoNotLast(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let delays = (0..<600).map { _ in 0.03 + 0.02 * random.uniform() }
        let found = forecast(delays, spacing: 0.02)
        #expect(found.persistence < 0.3, "\(found.persistence)")
        #expect((next(found, age: 0.03) - 0.04).magnitude < 0.003)
    }

    /// Delays that change five times a second last for some packets.
    @Test(arguments: 1...5 as ClosedRange<UInt64>)
    func delaysThatStayAreFollowed(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var errors = (forecast: 0.0, mean: 0.0)
        var found = DelayForecast()
        var delay = 0.0
        for step in 0..<3000 {
            if step % 10 == 0 { delay = 0.03 + 0.02 * random.uniform() }
            if step > 500 {
                errors.forecast += abs(next(found, age: 0.02) - delay)
                errors.mean += abs(found.level - delay)
            }
            found.add(delay, elapsed: 0.02, decay: exp(-0.02))
        }
        #expect(found.persistence > 0.6, "\(found.persistence)")
        #expect(errors.forecast < 0.6 * errors.mean, "\(errors)")
    }

    /// An old deviation counts less, and the first delay is all that is known at first.
    @Test func deviationsFadeWithAge() {
        var found = forecast([0.03], spacing: 0)
        #expect(next(found, age: 5) == 0.03)
        for _ in 0..<200 { found.add(0.03, elapsed: 0.02, decay: exp(-0.02)) }
        for _ in 0..<10 { found.add(0.08, elapsed: 0.02, decay: exp(-0.02)) }
        let ages = [0, 0.1, 0.3, 1, 10].map { next(found, age: $0) }
        #expect(zip(ages, ages.dropFirst()).allSatisfy(>), "\(ages)")
        #expect(ages[0] > 0.05 && (ages[4] - found.level).magnitude < 1e-4)
    }

    /// A path is predicted with the delay that is usual on it, not with the least of ten seconds.
    @Test func evidenceHasTheUsualDelay() {
        var random = SeededGenerator(seed: 3)
        var estimator = PathEstimator()
        var sum = 0.0
        for step in 0..<1000 {
            let jitter = Int64(random.uniform() * 20_000)
            if step >= 500 { sum += Double(jitter) * 1e-6 / 500 }
            estimator.handleAck(
                rtt: .milliseconds(60),
                rawOneWayDelay: .milliseconds(-5000) + .microseconds(jitter), bytes: 1200,
                deliveryRate: nil, now: .zero + .milliseconds(Int64(10 * step)))
        }
        #expect((estimator.evidence.usualExcess - sum).magnitude < 0.001)
        estimator.forgetOneWayDelays()
        #expect(estimator.evidence.usualExcess == 0 && estimator.evidence.lastingExcess == 0)
    }
}
