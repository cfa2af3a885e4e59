import Glibc
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
}
