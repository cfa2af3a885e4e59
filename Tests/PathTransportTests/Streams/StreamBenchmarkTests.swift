import Glibc
import PathTelemetry
import Testing

@testable import PathTransport

/// Figures of the stream layer: `PATHWISE_BENCH=1 swift test -c release -Xswiftc -enable-testing
/// --filter StreamBenchmarkTests`.
@Suite(.enabled(if: getenv("PATHWISE_BENCH") != nil, "set PATHWISE_BENCH=1, in a release build"))
struct StreamBenchmarkTests {
    @Test(arguments: [(1, 0), (16, 0), (16, 50)])
    func nanosecondsOfAPacket(reordering: Int, lossEvery: Int) throws {
        let result = try StreamBenchmark.run(
            packets: 1_000_000, reordering: reordering, lossEvery: lossEvery)
        let name = "reordering \(reordering), loss 1 in \(lossEvery)"
        print(
            "\(name): \(Int(result.total)) ns a packet, \(Int(result.copies)) of them copies,",
            "\(Int(result.bookkeeping)) bookkeeping")
        #expect(result.total > 0 && result.copies > 0)
    }

    /// Pieces of 64 bytes that arrive in any order, each between others, up to so many gaps.
    @Test(arguments: [64, 1_024, 16_384])
    func nanosecondsOfAFragmentAmongGaps(gaps: Int) throws {
        var random = SeededGenerator(seed: 5)
        var places = Array(0..<UInt64(gaps))
        let piece = [UInt8](repeating: 1, count: 64)
        var stream = ReceiveStream(window: 8 << 20, maximumWindow: 8 << 20)
        var (base, pieces, started) = (UInt64(0), 0, clock())
        // The first round makes the storage.
        for round in 0..<1 + 200_000 / gaps {
            if round == 1 { (pieces, started) = (0, clock()) }
            for odd: UInt64 in [1, 0] {
                places.shuffle(using: &random)
                for place in places {
                    let offset = base + (place * 2 + odd) * 64
                    _ = try piece.withUnsafeBytes {
                        try stream.handle(offset: offset, data: $0, isFinal: false)
                    }
                    pieces += 1
                }
            }
            base += UInt64(gaps) * 128
            var sink = [UInt8](repeating: 0, count: gaps * 128)
            let read = sink.withUnsafeMutableBytes { stream.read(into: $0) }
            #expect(read == gaps * 128)
            let now = Instant(nanoseconds: Int64(round + 1) * 1_000_000_000)
            _ = stream.windowUpdate(now: now, rtt: .milliseconds(20))
        }
        let nanoseconds = Double(clock() - started) * 1_000 / Double(pieces)
        print("\(gaps) gaps: \(Int(nanoseconds)) ns a piece of 64 bytes")
    }
}
