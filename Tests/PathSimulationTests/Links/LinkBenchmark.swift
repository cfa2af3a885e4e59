import Glibc
import Testing

@testable import PathSimulation
@testable import PathTelemetry

/// Packets per second through one link; run with `PATHWISE_BENCH=1` and `-c release`.
@Suite(
    .serialized,
    .enabled(if: getenv("PATHWISE_BENCH") != nil, "a benchmark; set PATHWISE_BENCH=1"))
struct LinkBenchmark {
    @Test(arguments: [
        "rate=1000,rtt=20", "rate=1000,rtt=20,ge=0.0051:0.25", "netem=1,rate=1000,delay=10",
        "rate=1000,delay=20,jitter=normal:5,reorder=1", "rate=0,rtt=0",
    ])
    func packetsPerSecond(_ options: String) throws {
        var link = try link(options)
        let count = 5_000_000
        let start = clock()
        for index in 0..<count {
            let now = Instant(nanoseconds: Int64(index) * 12_100)
            while link.popDelivery(now: now) != nil {}
            _ = link.handleSend(bytes: 1472, token: index, now: now)
        }
        let seconds = Double(clock() - start) / Double(CLOCKS_PER_SEC)
        print("\(options): \(Double(count) / seconds / 1e6) M packets/s")
        #expect(link.counters.sent.packets == count)
    }
}
