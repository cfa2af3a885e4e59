import PathTelemetry
import Testing

@testable import PathSimulation

/// Rates from a series, and packets that are released together.
@Suite struct RateSeriesTests {
    /// By hand: 8 Mbit/s are 1 byte a microsecond.
    @Test func departures() throws {
        let series = try #require(
            RateSeries(interval: .milliseconds(10), megabits: [8, 0, 4]))
        let ms: Int64 = 1_000_000
        #expect(series.departure(bytes: 1000, start: 0) == ms)
        #expect(series.departure(bytes: 1000, start: 9 * ms) == 10 * ms)
        // Half before the pause, half after it at half the rate.
        #expect(series.departure(bytes: 1000, start: 19 * ms / 2) == 21 * ms)
        #expect(series.departure(bytes: 1000, start: 15 * ms) == 22 * ms)
        // A round carries 15,000 bytes.
        #expect(series.departure(bytes: 15_000, start: 0) == 30 * ms)
        #expect(series.departure(bytes: 31_000, start: 0) == 61 * ms)
        #expect(series.departure(bytes: 1000, start: 300 * ms + 29 * ms) == 329 * ms + 3 * ms / 2)
        #expect(RateSeries(interval: .milliseconds(1), megabits: [0, 0]) == nil)
        #expect(RateSeries(interval: .milliseconds(1), megabits: [11]) == nil)
        #expect(RateSeries(interval: .milliseconds(1), megabits: [12]) != nil)
        #expect(RateSeries(interval: .zero, megabits: [12]) == nil)
        #expect(RateSeries(interval: .seconds(1), megabits: [-1, 20]) == nil)
        #expect(RateSeries(interval: .seconds(1), megabits: [.nan]) == nil)
    }

    /// An overloaded link carries each rate of the series for its time.
    @Test func ratesOfALink() throws {
        var parameters = LinkParameters()
        parameters.rateSeries = RateSeries(interval: .seconds(1), megabits: [10, 2, 6])
        let run = Run(
            Link(parameters, seed: 1, path: 0, direction: .forward),
            interval: 1500 * 8 / 20e6, until: 6)
        for (second, rate) in [10.0, 2, 6, 10, 2, 6].enumerated() {
            let got = run.megabits(from: Double(second), to: Double(second + 1))
            #expect(abs(got - rate) < 0.03, "\(second): \(got)")
        }
    }

    /// Arrivals come in bursts whose times follow from the link alone, and order is kept.
    @Test func aggregation() throws {
        func arrivals(every gap: Double) throws -> [Link.Delivery] {
            Run(
                try link("rate=100,delay=5,aggregate=8", seed: 3), payload: 972, interval: gap,
                until: 20
            ).deliveries
        }
        let dense = try arrivals(every: 0.0005)
        #expect(dense.count == 40_000)
        #expect(zip(dense, dense.dropFirst()).allSatisfy { $0.token < $1.token })
        let bursts = Set(dense.map(\.time))
        #expect(abs(Double(bursts.count) - 2500) < 60, "\(bursts.count)")
        let gaps = zip(bursts.sorted(), bursts.sorted().dropFirst()).map { ($1 - $0).milliseconds }
        #expect(gaps.max() ?? 0 <= 16)
        let delays = dense.map { ($0.time - at(Double($0.token) * 0.0005)).milliseconds }
        #expect(delays.min() ?? 0 >= 5 && delays.max() ?? 99 <= 21.1)
        // Sparse packets leave at some of the same times.
        let sparse = Set(try arrivals(every: 0.011).map(\.time))
        #expect(sparse.count > 1000 && sparse.isSubset(of: bursts))
    }
}
