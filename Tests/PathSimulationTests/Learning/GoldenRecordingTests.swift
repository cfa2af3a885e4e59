import Foundation
import PathLearning
@testable import PathSimulation
import PathTelemetry
import PathTransport
import Testing

/// The same seed gives the same recording, bit for bit, for every policy, from one version of the
/// program to the next.
///
/// A change that is meant to change decisions rewrites the file with `PATHWISE_UPDATE_GOLDEN=1`, and
/// says in its message which policies changed and why.
@Suite struct GoldenRecordingTests {
    private static let policies =
        PolicySpecification.catalogue.map(\.name) + [
            "single:1", "weighted:by=telemetry", "weighted:by=learned", "lin-ucb:features=16",
        ]
    private static let file = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Golden/recordings.txt")

    /// Messages with a deadline beside a stream, over three unlike paths, one of which fails for a
    /// while.
    private static func line(_ policy: String) throws -> String {
        var settings = WorldSettings()
        settings.policy = try PolicySpecification(parsing: policy)
        settings.client.isRecording = true
        let links = [
            "rate=12,rtt=20,jitter=2", "rate=8,rtt=60,queue=60000b,down=2-2.7",
            "rate=15,rtt=40,loss=0.02",
        ]
        var world = try World(
            links: try links.map { try LinkSpecification(parsing: $0) }, settings: settings,
            application: MessageFlow(
                size: 3000, interval: .milliseconds(15), deadline: .milliseconds(120), seconds: 4,
                hasBulk: true), seed: 7)
        world.run(for: .seconds(5))
        let records = world.application.records
        return "\(policy) \(records.decisions) \(records.waits) \(records.copies) "
            + "\(records.outcomes) \(StableHash.text(records.hash.value))"
    }

    @Test func everyRecordingIsAsBefore() throws {
        let lines = try GoldenRecordingTests.policies.map { try GoldenRecordingTests.line($0) }
        let text =
            (["# policy, decisions, waits, copies, outcomes, hash"] + lines)
            .joined(separator: "\n") + "\n"
        if ProcessInfo.processInfo.environment["PATHWISE_UPDATE_GOLDEN"] != nil {
            try Data(text.utf8).write(to: GoldenRecordingTests.file)
        }
        let golden = try String(contentsOf: GoldenRecordingTests.file, encoding: .utf8)
        let before = golden.split(separator: "\n")
        let after = text.split(separator: "\n")
        #expect(before.count == after.count)
        for (old, new) in zip(before, after) { #expect(old == new) }
    }
}
