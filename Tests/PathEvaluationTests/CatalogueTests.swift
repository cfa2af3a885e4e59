import PathTelemetry
import Testing

@testable import PathEvaluation

/// Tests that the properties of each estimator in the catalogue are true.
@Suite struct CatalogueTests {
    @Test func everyEstimatorIsDescribed() {
        let kinds = EstimatorDescriptor.catalogue
        #expect(Set(kinds.map(\.name)).count == kinds.count)
        for kind in kinds {
            #expect(!kind.summary.isEmpty && !kind.summary.hasSuffix("."), "\(kind)")
            #expect(EstimatorDescriptor.named(kind.name) == kind)
            guard let number = kind.number else {
                #expect(Estimator(parsing: "\(kind)=1") == nil, "\(kind)")
                continue
            }
            #expect(Estimator(parsing: "\(kind)=\(number.example)")?.lambda != nil, "\(kind)")
            #expect(number.grid.allSatisfy(number.range.contains), "\(kind)")
            #expect(number.grid.isEmpty == (number.choice == .free), "\(kind)")
        }
    }

    private func rows(_ count: Int) -> [OffPolicyRow] {
        var generator = SeededGenerator(seed: 12)
        return (0..<count).map { _ in
            OffPolicyRow(
                weight: 4 * generator.uniform() * generator.uniform(),
                reward: generator.uniform(), modelled: generator.uniform(),
                direct: generator.uniform(), robustModelled: 0.5, robustDirect: 0.4,
                isMatch: generator.uniform() < 0.5)
        }
    }

    /// Each gives a value, or, without a model, only those that need none; and if the value comes
    /// from totals too, it is the same.
    @Test func everyEstimatorGivesItsValue() throws {
        let rows = rows(700)
        let scores = Estimator.scores(for: Estimator.all)
        let sums = OffPolicySums(rows, scores: scores)
        var totals = TimeBatches.Batch()
        for row in rows {
            totals += TimeBatches.Batch(
                count: 1, reward: row.reward, weight: row.weight,
                inverse: row.weight * row.reward, direct: row.direct,
                residual: row.weight * (row.reward - row.modelled))
        }
        for kind in EstimatorDescriptor.catalogue {
            let estimate = try #require(sums.estimate(Estimator(kind)), "\(kind)")
            #expect(estimate.value.isFinite && estimate.standardError > 0, "\(kind)")
            #expect((estimate.lambda != nil) == (kind.number.map { $0.choice != .free } ?? false))
            if let value = totals.value(kind) {
                #expect((value - estimate.value).magnitude < 1e-12, "\(kind)")
            }
        }
        let modelFree = OffPolicySums(rows, scores: scores, hasModel: false)
        for kind in EstimatorDescriptor.catalogue {
            let needsModel = kind.needs.contains(.model)
            #expect((modelFree.estimate(Estimator(kind)) == nil) == needsModel, "\(kind)")
        }
    }
}
