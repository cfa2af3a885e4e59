import Foundation
import PathLearning
import PathSimulation
import Testing

/// The learned policy against the steady rule, same worlds, same seeds.
@Suite(.serialized) struct LearnedScenarioTests {
    private static let seeds: [UInt64] = [1, 2, 3, 4, 5]

    /// Bulk is long, and the same to a thousandth with every seed.
    private func seeds(_ scenario: LearnedScenario) -> ArraySlice<UInt64> {
        if case .bulk = scenario.load { return Self.seeds.prefix(1) }
        return Self.seeds[...]
    }

    private func mean(
        _ scenario: LearnedScenario, _ policy: PolicySpecification
    ) throws -> (seconds: Double, late: Double, forced: Double, events: Int) {
        var sum = (seconds: 0.0, late: 0.0, forced: 0.0, events: 0)
        let share = 1 / Double(seeds(scenario).count)
        for seed in seeds(scenario) {
            let result = try scenario.run(policy, seed: seed)
            sum.seconds += share * result.seconds
            sum.late += share * result.lateShare
            sum.forced += share * result.forcedShare
            sum.events += result.guardEvents.count
        }
        return sum
    }

    @Test func neverMaterialyWorseAndBetterOnMost() throws {
        var (better, worse) = (0, 0)
        var table = "scenario | steady, ms (late %) | learned, ms (late %) | change\n"
        for scenario in LearnedScenario.all {
            let steady = try mean(scenario, .steady)
            let learned = try mean(scenario, .learned(LearnedSettings()))
            let change = learned.seconds / steady.seconds - 1
            func text(_ value: Double, _ digits: Int) -> String {
                String(format: "%.\(digits)f", value)
            }
            table += "\(scenario.name) | "
            table += "\(text(1e3 * steady.seconds, 2)) (\(text(100 * steady.late, 2))) | "
            table += "\(text(1e3 * learned.seconds, 2)) (\(text(100 * learned.late, 2))) | "
            table += "\(text(100 * change, 2)) % | forced \(text(100 * learned.forced, 0)) %, "
            table += "guard \(learned.events)\n"
            #expect(change <= 0.02, "\(scenario.name): \(text(100 * change, 2)) % worse")
            // Closer is a tie: bulk takes whatever path has room, whoever chooses.
            if change < -0.001 { better += 1 }
            if change > 0.001 { worse += 1 }
        }
        if ProcessInfo.processInfo.environment["PATHWISE_TABLES"] != nil { print(table) }
        #expect(better > worse, "\(table)")
    }
}
