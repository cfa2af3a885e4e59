import Foundation
import Pathwise
import Testing

@testable import PathLearning
@testable import PathwiseCommand

@Suite struct ShippedModelTests {
    private static let file = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../models/default.safetensors").path

    /// The built-in model is the file of this source tree and has this build's features.
    @Test func isTheFileInModels() throws {
        let shipped = try ShippedModel.load()
        let file = try Model.load(Self.file)
        #expect(shipped.hash == file.hash)
        #expect(shipped.kind == "ridge")
        let residual = try #require(shipped.residual)
        let isFinite = residual.head.weights.allSatisfy { $0.isFinite }
        #expect(isFinite)
        // It predicted held-out deliveries better than the heuristic alone.
        let own = try #require(shipped.notes["holdout_rmse"].flatMap(Double.init))
        let heuristic = try #require(
            shipped.notes["holdout_heuristic_rmse"].flatMap(Double.init))
        #expect(own < 0.97 * heuristic)
    }

    @Test func onlyLearnedStartsFromIt() throws {
        func hash(_ policy: String) throws -> UInt64? {
            try PolicyArgument(parsing: policy).load().model?.hash
        }
        let shipped = try ShippedModel.load().hash
        #expect(try hash("learned") == shipped)
        #expect(try hash("learned:epsilon=0.1") == shipped)
        #expect(try hash("steady") == nil)
        #expect(try hash("lin-ucb") == nil)
    }
}
