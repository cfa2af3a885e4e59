import Glibc
import PathLearning
import PathTelemetry
import PathTrace

/// Measures the cost of recording for the recording thread and the writer thread, and how fast
/// traces are read.
///
/// The load has decisions over 4 paths, in which a third of the candidates' numbers change from one
/// decision to the next, with the frequencies of a recording of `pathwise demo`; each has an
/// outcome 50 ms later.
enum RecordingBenchmarks {
    static let all = [Benchmark(name: "record", run: recording)]

    /// How often each feature differs from the same path's in the decision before; an
    /// acknowledgement changes those with 0.286.
    private static let changes: [Double] = [
        0.286, 0.286, 0.001, 0.286, 0.286, 0.286, 0.038, 0.279, 0.111, 0.111, 0.005, 0.294, 1, 1,
        0.494, 0, 0, 0.5, 0.017, 0.361, 0, 0, 0, 0.941,
    ]

    private static func records(_ count: Int) -> [DecisionRecord] {
        var generator = SeededGenerator(seed: 1)
        var candidates = CandidateSet()
        var distribution = ActionDistribution()
        for index in 0..<4 {
            candidates.append(Candidate(path: PathID(index)))
            distribution.append(PathSet(PathID(index)), 0.25)
        }
        var record = DecisionRecord(
            number: 0, time: .zero,
            burst: BurstContext(bytes: 0, deadline: .seconds(5), trafficClass: .stream),
            candidates: candidates, decision: Decision(distribution: distribution, chosen: 0),
            draw: 0)
        func nanoseconds() -> Double { Double(generator.next() % 100_000_000) * 1e-9 }
        return (0..<count).map { _ in
            record.draw = generator.uniform()
            record.burst.bytes = 1000 + Int(generator.next() % 64_000)
            record.decision.chosen = Int(generator.next() % 4)
            let burst = generator.uniform()
            for index in 0..<4 {
                let isAcknowledged = generator.uniform() < 0.286
                for feature in 0..<FeatureVector.count {
                    let share = changes[feature]
                    let isChanged = share == 0.286 ? isAcknowledged : generator.uniform() < share
                    guard isChanged else { continue }
                    record.candidates[index].features[feature] = generator.uniform()
                }
                record.candidates[index].features[Feature.burstBytes.rawValue] = burst
                record.candidates[index].predictedDelivery = generator.uniform()
                record.candidates[index].unansweredAge = nanoseconds()
                if isAcknowledged {
                    record.candidates[index].smoothedRTT = nanoseconds()
                    record.candidates[index].rttVariation = nanoseconds()
                }
                guard generator.uniform() < 0.5 else { continue }
                record.candidates[index].room = Int(generator.next() % 1_000_000)
                record.candidates[index].bytesInFlight = Int(generator.next() % 1_000_000)
            }
            return record
        }
    }

    private static func outcome(_ number: Int, _ generator: inout SeededGenerator) -> Outcome {
        Outcome(
            decision: UInt64(number), delivery: Double(generator.next() % 50_000_000) * 1e-9,
            isLate: false, deadline: 5, packets: 40, lostPackets: 0,
            closedAt: .zero + .microseconds(Int64(number) * 100 + 50_000))
    }

    /// The cost of a recording.
    private struct Recording {
        var seconds = 0.0
        /// Processor time per decision, nanoseconds: of `record`, and of the writer's thread.
        var push = 0.0
        var writer = 0.0
        var allocations = 0.0
        var dropped: UInt64 = 0
        var fileBytes = 0.0
    }

    /// Records decisions as fast as the writer accepts them, or at `rate` per second.
    private static func record(
        _ count: Int, rate: Double?, _ records: inout [DecisionRecord], to path: String
    ) throws -> Recording {
        let writer = try TraceWriter(
            path: path, schema: .current, programVersion: "benchmark", ifExists: .replace)
        let session = writer.beginSession(
            SessionInfo(startedWallClock: 0, started: .zero, role: "benchmark"))
        let ring = writer.makeRing(whenFull: rate == nil ? .wait : .drop)
        let delay = rate.map { Int($0 * 0.05) } ?? 500
        var generator = SeededGenerator(seed: 2)
        var result = Recording()
        let start = Clock.wall
        let mask = records.count - 1
        var number = 0
        var pushed: UInt64 = 0
        var allocations: UInt = 0
        while number < count {
            var due = count
            if let rate {
                due = min(count, Int(Double(Clock.wall - start) * 1e-9 * rate))
                if due == number {
                    usleep(1000)
                    continue
                }
            }
            // Numbers and times are set outside the measured interval.
            let chunk = min(due - number, 64)
            for index in number..<number + chunk {
                records[index & mask].number = UInt64(index)
                records[index & mask].time = .zero + .microseconds(Int64(index) * 100)
            }
            let before = Allocations.count
            let began = Clock.processor
            for index in number..<number + chunk {
                ring.record(records[index & mask], session: session)
                if index >= delay {
                    ring.record(outcome(index - delay, &generator), session: session)
                }
            }
            pushed += Clock.processor - began
            allocations += Allocations.count - before
            number += chunk
        }
        try writer.close()
        result.seconds = Double(Clock.wall - start) * 1e-9
        result.push = Double(pushed) / Double(count)
        result.writer = Double(writer.statistics.cpuNanoseconds) / Double(count)
        result.allocations = Double(allocations) / Double(count)
        result.dropped = ring.drops.total
        var status = stat()
        if stat(path, &status) == 0 { result.fileBytes = Double(status.st_size) / Double(count) }
        return result
    }

    private static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

    private static func recording() throws {
        var folder = Array("/tmp/pathwise-bench-XXXXXX".utf8CString)
        guard mkdtemp(&folder) != nil else { return print("record: no folder for temporary files") }
        let directory = String(
            decoding: folder.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        let path = directory + "/bench.trace"
        defer {
            for ending in ["", "-wal", "-shm"] { unlink(path + ending) }
            rmdir(directory)
        }
        var records = records(1024)
        var paced: [Recording] = []
        for _ in 0..<3 {
            paced.append(try record(50_000, rate: 10_000, &records, to: path))
        }
        var fast: [Recording] = []
        for _ in 0..<3 { fast.append(try record(1_000_000, rate: nil, &records, to: path)) }
        let push = StepCost(
            time: median(paced.map(\.push)), allocations: median(paced.map(\.allocations)))
        report("record, a decision and an outcome into the ring", push.text)
        report(
            "record, as fast as the file takes them",
            "\(number(median(fast.map { 1e-3 * 1e6 / $0.seconds }))) thousand/s (wall), "
                + "\(number(median(fast.map(\.writer)))) ns of the writer's thread, "
                + "\(number(median(fast.map(\.fileBytes)))) bytes each")
        report(
            "record, at 10,000 decisions/s",
            "\(number(median(paced.map { ($0.push + $0.writer) * 1e-3 }))) % of a core "
                + "(ring \(number(median(paced.map { $0.push * 1e-3 }))), "
                + "writer \(number(median(paced.map { $0.writer * 1e-3 })))), "
                + "\(paced.map(\.dropped).reduce(0, +)) dropped")
        try reading(path)
    }

    private static func reading(_ path: String) throws {
        let kinds: [(String, DecisionColumns)] = [
            ("read, outcomes", [.outcomes]),
            ("read, for training: features of the chosen", [.outcomes, .chosenFeatures]),
            ("read, features of all candidates", [.outcomes, .candidateFeatures, .distributions]),
            ("read, for replay: whole candidates", [.outcomes, .candidates, .distributions]),
        ]
        for (name, columns) in kinds {
            var rates: [Double] = []
            for _ in 0..<3 {
                let start = Clock.processor
                var cursor = try TraceReader(path: path).batches(columns: columns)
                var batch = DecisionBatch()
                var decisions = 0
                while try cursor.next(into: &batch) { decisions += batch.count }
                rates.append(Double(decisions) * 1e3 / Double(Clock.processor - start))
            }
            report(name, "\(number(median(rates))) million decisions/s")
        }
        var usage = rusage()
        getrusage(__rusage_who_t(0), &usage)
        report("read, resident memory at most", "\(usage.ru_maxrss / 1024) MB")
    }
}
