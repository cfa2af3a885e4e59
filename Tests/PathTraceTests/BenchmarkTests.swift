import Glibc
import PathTelemetry
import Testing

@testable import PathLearning
@testable import PathTrace

private let isBenchmark = getenv("PATHWISE_BENCH") != nil

/// Figures, printed; run with PATHWISE_BENCH=1 and `-c release`.
@Suite(.enabled(if: isBenchmark, "PATHWISE_BENCH is not set"), .serialized)
struct BenchmarkTests {
    private func seconds(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    private func decisions(_ paths: Int) -> [DecisionRecord] {
        var generator = SeededGenerator(seed: 99)
        return (0..<64).map { _ in
            var record = generator.decision(number: 0, time: .zero, candidates: paths)
            var distribution = ActionDistribution()
            for index in 0..<paths { distribution.append(PathSet(PathID(index)), 0.25) }
            record.decision = Decision(distribution: distribution, chosen: 1)
            return record
        }
    }

    @Test(arguments: [2, 4])
    func throughput(paths: Int) throws {
        let scratch = Scratch()
        var records = decisions(paths)
        let writer = try TraceWriter(
            path: scratch.file(), schema: testSchema, programVersion: "1")
        let ring = writer.makeRing(bytes: 64 << 20, whenFull: .wait)
        let session = writer.beginSession(sessionInfo())
        var generator = SeededGenerator(seed: 5)
        let count = 600_000
        let start = seconds(CLOCK_MONOTONIC)
        for number in 0..<count {
            let index = number & 63
            records[index].number = UInt64(number)
            records[index].time = Instant(nanoseconds: Int64(number) * 5_000)
            ring.record(records[index], session: session)
            ring.record(
                generator.outcome(of: UInt64(number), at: records[index].time), session: session)
        }
        try writer.close()
        let elapsed = seconds(CLOCK_MONOTONIC) - start
        let cpu = Double(writer.statistics.cpuNanoseconds) * 1e-9
        print(
            "record, \(paths) paths: \(Int(Double(count) / elapsed)) decisions with outcomes/s, "
                + "writer \(cpu / Double(count) * 1e6) us of CPU each")

        let reader = try TraceReader(path: scratch.file())
        let readStart = seconds(CLOCK_MONOTONIC)
        var sum = 0.0
        try reader.forEachDecision { sum += $0.record.draw }
        let readElapsed = seconds(CLOCK_MONOTONIC) - readStart
        print("read, \(paths) paths: \(Int(Double(count) / readElapsed)) decisions/s (\(sum))")
    }

    /// Rows that checksums cover: samples of paths with their totals, and events.
    @Test func samples() throws {
        let scratch = Scratch()
        let writer = try TraceWriter(
            path: scratch.file(), schema: testSchema, programVersion: "1")
        let ring = writer.makeRing(bytes: 64 << 20, whenFull: .wait)
        let session = writer.beginSession(sessionInfo())
        var generator = SeededGenerator(seed: 5)
        let count = 200_000
        for number in 0..<count {
            let time = Instant(nanoseconds: Int64(number) * 1_000_000)
            var sample = generator.sample(at: time)
            sample.totals = PathTotals(
                packetsSent: UInt64(number), bytesSent: 1, packetsReceived: 1, bytesReceived: 1,
                packetsLost: 0)
            ring.record(sample, session: session)
            if number % 10 == 0 {
                ring.record(
                    TraceEvent(time: time, kind: .note, text: "said", value: 1), session: session)
            }
        }
        try writer.close()
        let cpu = Double(writer.statistics.cpuNanoseconds) * 1e-9
        print("samples: writer \(cpu / Double(count) * 1e6) us of CPU each")
    }

    @Test func producer() throws {
        let scratch = Scratch()
        var records = decisions(4)
        let writer = try TraceWriter(
            path: scratch.file(), schema: testSchema, programVersion: "1")
        let ring = writer.makeRing(bytes: 8 << 20)
        let session = writer.beginSession(sessionInfo())
        var best = Double.infinity
        for round in 0..<20 {
            let start = seconds(CLOCK_THREAD_CPUTIME_ID)
            for number in 0..<4_000 {
                let index = number & 63
                records[index].number = UInt64(round * 4_000 + number)
                ring.record(records[index], session: session)
            }
            best = min(best, (seconds(CLOCK_THREAD_CPUTIME_ID) - start) / 4_000)
            try writer.flush()
        }
        print("producer: \(best * 1e9) ns a decision over 4 paths, \(ring.drops.total) dropped")
        try writer.close()
    }

    @Test func tenThousandASecond() throws {
        let scratch = Scratch()
        var records = decisions(4)
        let writer = try TraceWriter(
            path: scratch.file(), schema: testSchema, programVersion: "1")
        let ring = writer.makeRing()
        let session = writer.beginSession(sessionInfo())
        var generator = SeededGenerator(seed: 6)
        let start = seconds(CLOCK_MONOTONIC)
        var number = 0
        while number < 50_000 {
            let due = Int((seconds(CLOCK_MONOTONIC) - start) * 10_000)
            while number < min(due, 50_000) {
                records[number & 63].number = UInt64(number)
                ring.record(records[number & 63], session: session)
                ring.record(generator.outcome(of: UInt64(number), at: .zero), session: session)
                number += 1
            }
            usleep(2_000)
        }
        try writer.close()
        let elapsed = seconds(CLOCK_MONOTONIC) - start
        let cpu = Double(writer.statistics.cpuNanoseconds) * 1e-9
        print(
            "10,000 decisions/s over 4 paths: writer uses \(cpu / elapsed * 100) % of a core, "
                + "\(ring.drops.total) dropped, \(writer.statistics.commits) commits")
    }
}
