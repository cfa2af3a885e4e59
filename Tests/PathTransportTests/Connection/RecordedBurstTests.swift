import PathLearning
import PathTelemetry
import Testing

@testable import PathTransport

@Suite struct RecordedBurstTests {
    /// The end of a stream that is sent alone is a burst too, and no burst has size zero.
    @Test func everyBurstHasASize() throws {
        var configuration = ConnectionConfiguration()
        configuration.isRecording = true
        var pair = try ConnectionPair(configuration: configuration)
        pair.run(milliseconds: 200)
        let stream = try pair.client.openStream()
        let written = try [UInt8](repeating: 1, count: 5000).withUnsafeBytes {
            try pair.client.write(stream, $0)
        }
        #expect(written == 5000)
        pair.run(milliseconds: 200)
        try pair.client.finish(stream)
        pair.run(milliseconds: 200)
        var sizes: [Int] = []
        pair.client.drainRecords {
            if case .decision(let record) = $0 { sizes.append(record.burst.bytes) }
        }
        #expect(sizes.count >= 2)
        #expect(sizes.allSatisfy { $0 > 0 }, "\(sizes)")
        #expect(sizes.last == 1, "the end alone: \(sizes)")
    }
}
