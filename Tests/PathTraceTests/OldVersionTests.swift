import Foundation
import PathLearning
import PathTelemetry
import PathTrace
import Testing

/// Traces that earlier versions of the program recorded.
@Suite struct OldVersionTests {
    /// A transfer over two links, recorded as format 2, which has no bytes of outcomes.
    private static let version2 = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "Golden/version2.trace").path

    /// Decisions, planned bytes and late outcomes as counted by the program that recorded them.
    @Test func formatTwoReads() throws {
        let reader = try TraceReader(path: OldVersionTests.version2)
        var decisions = 0
        var planned = 0
        var late = 0
        try reader.forEachDecision { decision in
            decisions += 1
            planned += decision.record.burst.bytes
            #expect(decision.record.burst.bytesLeft == decision.record.burst.bytes)
            guard let outcome = decision.outcome else { return }
            late += outcome.isLate ? 1 : 0
            #expect(outcome.bytes.isEmpty)
        }
        #expect(decisions == 23 && planned == 144_745 && late == 3)
        let report = try TraceVerifier(reader).verify()
        #expect(report.isSound, "\(report)")
    }

    /// Its blocks are copied unchanged into a trace of the present format.
    @Test func formatTwoMerges() throws {
        let scratch = Scratch()
        let merger = try TraceMerger([OldVersionTests.version2])
        _ = try merger.merge(into: scratch.file(), programVersion: "1")
        let reader = try TraceReader(path: scratch.file())
        let report = try TraceVerifier(reader).verify()
        #expect(report.isSound && report.decisions == 23 && report.outcomes == 23)
        #expect(
            try query(
                scratch.file(),
                """
                SELECT sum(decisions), sum(bytes) IS NULL FROM path_shares WHERE session = 1
                """) == ["23|1"])
    }
}
