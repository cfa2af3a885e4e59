import PathEvaluation
import PathLearning
import PathTelemetry
import Testing

@testable import PathWorlds

/// Differences are paired, and intervals cover the truth as often as they say.
@Suite struct ComparisonTests {
    static func run(_ contender: Int, _ seed: UInt64, mean: Double) -> RunFigures {
        RunFigures(
            world: 0, contender: contender, seed: seed,
            workloads: [
                WorkloadFigures(values: [(.mean, mean), (.late, 0)], blocks: [mean, mean])
            ],
            linkBytes: [100, 50], payloadBytes: 100)
    }

    /// Seeds differ tenfold, and the policies by a tenth in each: the pairs show it.
    @Test func pairsShowSmallDifferences() throws {
        var world = try ShippedWorlds.world(named: "S1")
        world.workloads = [Workload.usual[0]]
        var runs: [RunFigures] = []
        for seed in UInt64(0)..<10 {
            let base = 0.01 * Double(1 + seed)
            runs.append(ComparisonTests.run(0, seed, mean: base))
            runs.append(
                ComparisonTests.run(1, seed, mean: base - 0.001 - 0.0001 * Double(seed % 2)))
        }
        let contender = Contender(name: "a", policy: .steady, model: nil)
        let comparison = Comparison(
            worlds: [world], contenders: [contender, contender], baseline: 0, confidence: 0.95,
            runs: runs)
        let cell = comparison.cell(world: 0, contender: 1, workload: 0, metric: .mean)
        #expect(abs(cell.value - (0.055 - 0.00105)) < 1e-12)
        let difference = try #require(cell.difference)
        let interval = try #require(cell.interval)
        #expect(abs(difference + 0.00105 / 0.055) < 1e-9)
        #expect(interval.contains(difference) && interval.high < -0.0175 && interval.low > -0.021)
        #expect(comparison.mean(world: 0, contender: 0, \.overhead) == 1.5)
        let overall = comparison.overall(contender: 1)
        #expect(overall.count == 1 && overall.nearBest == 1)
        #expect(abs(overall.worst - difference) < 1e-9)
        // One world: the interval is that of the seeds.
        let all = try #require(overall.interval)
        #expect(abs(all.low - interval.low) < 2e-3 && abs(all.high - interval.high) < 2e-3)
    }

    /// Intervals of eight skewed differences cover the mean in 92 % of cases or more; plain
    /// percentiles would in 85 %.
    @Test func coverageOfFewPairs() throws {
        var random = SeededGenerator(seed: 5)
        var covered = 0
        let trials = 1500
        for trial in 0..<trials {
            let differences = (0..<8).map { _ in random.normal() + 0.5 * random.exponential() }
            let interval = try #require(
                PairedBootstrap.interval(
                    differences, confidence: 0.95, seed: UInt64(trial), resamples: 400))
            if interval.contains(0.5) { covered += 1 }
        }
        let share = Double(covered) / Double(trials)
        #expect(share > 0.92 && share < 0.99, "\(share)")
    }

    @Test func tooFewPairs() {
        #expect(PairedBootstrap.interval([1, 2], confidence: 0.95, seed: 1) == nil)
        #expect(PairedBootstrap.interval([1, .nan, 2], confidence: 0.95, seed: 1) == nil)
    }

    /// A transfer that never ends, and a silence up to the end of the run, are seen.
    @Test func whatNeverEndsCounts() throws {
        let start = Instant.zero
        let end = start + .seconds(60)
        var log = StreamLog(start: start, stop: end, isTransfers: true)
        for second in 0..<3 {
            log.begin(now: start + .seconds(Int64(second) * 2))
            log.add(1000, now: start + .seconds(Int64(second) * 2 + 1))
            log.complete(now: start + .seconds(Int64(second) * 2 + 1))
        }
        #expect(WorkloadFigures(.stream(log), warmUp: start, end: end)[.completion] == 1)
        log.begin(now: start + .seconds(10))
        let figures = WorkloadFigures(.stream(log), warmUp: start, end: end)
        #expect(figures[.completion] == (3 + 50) / 4.0 && figures[.completed] == 3)
        // Too short to tell anything.
        let early = WorkloadFigures(.stream(log), warmUp: start, end: start + .milliseconds(10_500))
        #expect(early[.completion] == 1)

        var bulk = StreamLog(start: start, stop: end, isTransfers: false)
        bulk.add(1000, now: start + .seconds(2))
        bulk.add(1000, now: start + .seconds(5))
        #expect(WorkloadFigures(.stream(bulk), warmUp: start, end: end)[.gap] == 55)
    }

    /// A policy that delivers nothing is the worst, and not left out.
    @Test func nothingDeliveredIsWorst() throws {
        var world = try ShippedWorlds.world(named: "S1")
        world.workloads = [Workload.usual[0]]
        let runs = (UInt64(0)..<6).flatMap { seed in
            [2e6, 0].enumerated().map { place, rate in
                RunFigures(
                    world: 0, contender: place, seed: seed,
                    workloads: [WorkloadFigures(values: [(.goodput, rate)], blocks: [rate])],
                    linkBytes: [1], payloadBytes: 1)
            }
        }
        let contender = Contender(name: "a", policy: .steady, model: nil)
        let comparison = Comparison(
            worlds: [world], contenders: [contender, contender], baseline: 0, confidence: 0.95,
            runs: runs)
        let overall = comparison.overall(contender: 1)
        #expect(overall.count == 1 && overall.nearBest == 0 && overall.worst > 1000)
    }
}
