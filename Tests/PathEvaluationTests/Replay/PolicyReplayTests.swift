import Foundation
import PathTelemetry
import PathTrace
import Testing

@testable import PathEvaluation
@testable import PathLearning

/// A policy replayed on its own recording, learning as it goes, states what it stated live.
@Suite struct PolicyReplayTests {
    @Test(arguments: [
        "lin-ucb:epsilon=0.3", "weighted:by=learned", "prune:epsilon=0.2", "exp3", "exp4",
        "epsilon-greedy", "softmax:temperature=0.3", "lin-ts:scale=2", "squarecb",
        "discounted-lin-ucb:epsilon=0.1,change=3", "sliding-lin-ucb:epsilon=0.1,window=1",
        "falcon:epsilon=0.1",
    ])
    func everyProbabilityIsTheSame(policy: String) throws {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "pathwise-replay-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "own.trace").path
        let specification = try PolicySpecification(parsing: policy)
        _ = try record(specification, count: 500, seed: 21, to: path)
        var replay = try PolicyReplay(
            .policy(specification, mode: .online), pathNames: ["dsl", "lte", "sat"])
        var compared = 0
        var cursor = try TraceReader(path: path).batches(
            columns: [.outcomes, .candidates, .distributions])
        var batch = DecisionBatch()
        var live = ActionDistribution()
        while try cursor.next(into: &batch) {
            for decision in 0..<batch.count {
                replay.state(decision, of: batch)
                let again = replay.distribution
                batch.fillDistribution(of: decision, into: &live)
                #expect(again.count == live.count)
                for index in 0..<min(again.count, live.count) {
                    #expect(
                        again[index].bitPattern == live[index].bitPattern,
                        "decision \(batch.numbers[decision])")
                    compared += 1
                }
            }
        }
        #expect(compared > 1400)
    }
}
