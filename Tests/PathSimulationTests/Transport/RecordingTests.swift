import PathLearning
@testable import PathSimulation
import PathTelemetry
import PathTransport
import Testing

/// Recording does not change a run.
@Suite struct RecordingTests {
    private static let paths = [
        "rate=20,rtt=20", "rate=10,rtt=60,queue=60000b", "rate=15,rtt=40,loss=0.02",
    ]

    /// Every datagram of both directions at its nanosecond, with recording on neither side, on the
    /// client, and on both.
    @Test(arguments: ["learned", "earliest", "lin-ts", "redundant", "ecf"], UInt64(1)...3)
    func theRunIsTheSame(policy: String, seed: UInt64) throws {
        var hashes: [UInt64] = []
        var samples: [Int] = []
        for (client, server) in [(false, false), (true, false), (true, true)] {
            var world = try Bench.world(
                RecordingTests.paths, policy: PolicySpecification(parsing: policy), seed: seed
            ) { settings in
                settings.client.isRecording = client
                settings.server.isRecording = server
                settings.client.sampleInterval = .milliseconds(37)
            }
            world.run(for: .seconds(4))
            Bench.expectSound(world, finished: false)
            hashes.append(world.transcriptHash)
            samples.append(
                world.application.clientRecords.filter {
                    if case .sample = $0 { true } else { false }
                }.count)
        }
        #expect(hashes[1] == hashes[0] && hashes[2] == hashes[0])
        #expect(samples[0] == 0 && samples[1] > 250 && samples[1] == samples[2], "\(samples)")
    }
}
