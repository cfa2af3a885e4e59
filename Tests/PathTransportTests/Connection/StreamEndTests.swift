import PathTelemetry
import Testing

@testable import PathTransport

/// The end of a stream that comes alone, after all its data has arrived.
@Suite struct StreamEndTests {
    /// Two equal paths, each of which would deliver the end as soon as the other: it is sent on one.
    @Test(arguments: [0, 1_000])
    func equalPathsDoNotWaitForEachOther(bytes: Int) throws {
        var pair = try ConnectionPair { _, _ in .milliseconds(10) }
        pair.run(milliseconds: 100)
        let stream = try pair.client.openStream()
        let data = [UInt8](repeating: 7, count: 60_000)
        for _ in 0..<4 {
            data.withUnsafeBytes { _ = try? pair.client.write(stream, $0) }
            pair.run(milliseconds: 100)
        }
        for index in 0..<2 { #expect(pair.client.paths[index].recovery.rtt.hasSample) }
        data.prefix(bytes).withUnsafeBytes { _ = try? pair.client.write(stream, $0) }
        try pair.client.finish(stream)
        pair.run(milliseconds: 100)
        let served = pair.box
        let box = try #require(served)
        var received = 0
        var isFinished = false
        var room = [UInt8](repeating: 0, count: 65_536)
        while !isFinished {
            let part = try box.with { connection in
                try room.withUnsafeMutableBytes { try connection.read(stream, into: $0) }
            }
            guard part.count > 0 || part.isFinished else { break }
            received += part.count
            isFinished = part.isFinished
        }
        #expect(received == 240_000 + bytes)
        #expect(isFinished)
    }
}
