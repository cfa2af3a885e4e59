import Foundation
import Testing

@testable import PathLearning
@testable import PathSimulation

/// The learned policy against the steady rule in the same worlds with the same seeds.
@Suite(.serialized) struct LearnedScenarioTests {
    private static let seeds: [UInt64] = [1, 2, 3, 4, 5]

    /// Bulk transfers are long and differ by less than a thousandth between seeds.
    private func seeds(_ scenario: LearnedScenario) -> ArraySlice<UInt64> {
        if case .bulk = scenario.load { return Self.seeds.prefix(1) }
        return Self.seeds[...]
    }

    private func mean(
        _ scenario: LearnedScenario, _ policy: PolicySpecification
    ) throws -> (seconds: Double, late: Double, events: Int) {
        var sum = (seconds: 0.0, late: 0.0, events: 0)
        let share = 1 / Double(seeds(scenario).count)
        for seed in seeds(scenario) {
            let result = try scenario.run(policy, seed: seed)
            sum.seconds += share * result.seconds
            sum.late += share * result.lateShare
            sum.events += result.guardEvents.count
        }
        return sum
    }

    @Test func neverMateriallyWorseAndBetterOnMost() throws {
        var (better, worse) = (0, 0)
        func text(_ value: Double, _ digits: Int) -> String {
            String(format: "%.\(digits)f", value)
        }
        var table = "scenario | steady, ms (late %) | learned\n"
        for scenario in LearnedScenario.all {
            let steady = try mean(scenario, .steady)
            let learned = try mean(scenario, .learned(LearnedSettings()))
            let change = learned.seconds / steady.seconds - 1
            table += "\(scenario.name) | "
            table += "\(text(1e3 * steady.seconds, 2)) (\(text(100 * steady.late, 2))) | "
            table += "\(text(1e3 * learned.seconds, 2)) (\(text(100 * learned.late, 2))) "
            table += "\(text(100 * change, 2)) %\n"
            #expect(change <= 0.02, "\(scenario.name): \(text(100 * change, 2)) % worse")
            // A smaller difference is a tie: bulk data uses any path with room under every policy.
            if change < -0.001 { better += 1 }
            if change > 0.001 { worse += 1 }
        }
        if ProcessInfo.processInfo.environment["PATHWISE_TABLES"] != nil { print(table) }
        #expect(better > worse, "\(table)")
    }
}
