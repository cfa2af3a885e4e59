import Glibc
import PathNetwork
import PathTelemetry
import PathTransport
import Pathwise
import Testing

@testable import PathForward

/// Measurements of flows of datagrams; they run with PATHWISE_BENCH=1.
struct DatagramBenchmark {
    private static let isOn = getenv("PATHWISE_BENCH").map { String(cString: $0) == "1" } ?? false

    /// The median and the 99th percentile of the time from a datagram to its echo.
    private func roundTrips(
        _ program: Program, _ remote: SocketAddress, bytes: Int, count: Int
    ) async throws -> (median: Double, high: Double) {
        try await blocking {
            let poller = try Poller()
            try poller.add(program.socket.descriptor, token: 1)
            var events = Poller.Events()
            var batch = try ReceiveBatch(capacity: 4)
            let content = [UInt8](repeating: 7, count: bytes)
            var times: [Double] = []
            for _ in 0..<count {
                let begin = MonotonicClock.now()
                _ = program.send(content, to: remote)
                try poller.wait(until: begin + .seconds(1), into: &events)
                guard case .received = program.socket.receive(into: &batch) else { continue }
                times.append(Double((MonotonicClock.now() - begin).nanoseconds) / 1000)
                usleep(500)
            }
            times.sort()
            return (times[times.count / 2], times[times.count * 99 / 100])
        }
    }

    @Test(.enabled(if: isOn, "a measurement: PATHWISE_BENCH=1"))
    func latencyOfAnIdleForward() async throws {
        let pair = try await DatagramPair()
        let echo = try Echo()
        let listener = try pair.listener(.target(echo.target))
        let program = try Program()
        for bytes in [100, 1_400] {
            let direct = try await roundTrips(
                program, echo.program.address, bytes: bytes, count: 2000)
            let forwarded = try await roundTrips(
                program, listener.localAddress, bytes: bytes, count: 2000)
            print(
                "datagrams of \(bytes) bytes, round trip in us: direct \(direct.median) "
                    + "(p99 \(direct.high)), forwarded \(forwarded.median) (p99 \(forwarded.high))")
            #expect(forwarded.median > direct.median)
        }
        listener.close()
        echo.stop()
        await pair.close()
    }

    /// How many datagrams a second one flow carries one way, and how many of them arrive.
    @Test(.enabled(if: isOn, "a measurement: PATHWISE_BENCH=1"))
    func rateOfOneFlow() async throws {
        let pair = try await DatagramPair()
        let target = try Program()
        let listener = try pair.listener(.target(ForwardTarget(target.address)))
        let entry = listener.localAddress
        let program = try Program()
        for rate in [5_000, 20_000, 40_000] {
            let arrived = Task {
                try await blocking { try target.receive(rate, patience: .seconds(1)).count }
            }
            try await blocking {
                let content = [UInt8](repeating: 7, count: 1_200)
                let begin = MonotonicClock.now()
                for number in 0..<rate {
                    let due = begin + TimeDelta(seconds: Double(number) / Double(rate))
                    while MonotonicClock.now() < due { sched_yield() }
                    _ = program.send(content, to: entry)
                }
            }
            print("\(rate) datagrams of 1200 bytes in a second: \(try await arrived.value) arrived")
        }
        print("counters: \(listener.counters)")
        #expect(listener.counters.datagramsSent > 0)
        listener.close()
        await pair.close()
    }
}
