import Testing

@testable import PathTrace

/// Figures of how a session explores.
@Suite struct LearningFiguresTests {
    /// The mean of equal probabilities is none below the least one, whatever sums are rounded to.
    @Test func theMeanIsNotBelowTheLeast() throws {
        for propensity in [0.995, 0.1, 0.3, 1 / 3.0] {
            var figures = LearningFigures()
            for _ in 0..<1_000 {
                figures.add(propensity: propensity, greatest: propensity)
                let mean = try #require(figures.meanPropensity)
                #expect(mean >= figures.leastPropensity && mean - propensity < 1e-12)
            }
        }
    }
}
