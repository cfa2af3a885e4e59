import Glibc
import PathLearning
import PathTelemetry
import PathTrace
import PathTraining

/// Training from a trace file: decisions a second and memory.
enum TraceSpeed {
    static func run(path: String, decisions: Int) throws {
        try write(path, decisions)
        let before = peak()
        var options = TrainingOptions()
        options.seed = 1
        let trainer = try ModelTrainer(options)
        let seconds = try LearningBenchmarks.median(decisions > 2_000_000 ? 1 : 3) {
            _ = try trainer.train([path])
        }
        let report = LearningBenchmarks.report
        report(
            "pathwise train, \(decisions) decisions of 3 candidates",
            "\(LearningBenchmarks.text(Double(decisions) / seconds / 1e3, 0)) thousand "
                + "decisions/s")
        report(
            "resident memory, peak",
            "\(peak()) MB (\(before) MB after writing the trace)")
        let work = try LearningBenchmarks.median(3) { try learn(min(decisions, 1_000_000)) }
        report(
            "of it after reading, a row",
            "\(LearningBenchmarks.text(work / Double(min(decisions, 1_000_000)) * 1e9, 0)) ns")
    }

    /// What training does with a row once it is read.
    private static func learn(_ rows: Int) throws {
        var generator = SeededGenerator(seed: 5)
        let row = (0...FeatureSchema.count).map { _ in generator.uniform() }
        var ridge = SegmentedRidge(size: FeatureSchema.count)
        for index in 0..<rows {
            row.withUnsafeBufferPointer {
                ridge.add($0, segment: index * SegmentedRidge.segments / rows)
            }
        }
        _ = try ridge.fit(lambdas: [1])
    }

    /// The most memory this process held so far, megabytes.
    private static func peak() -> Int {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss / 1024
    }

    private static func write(_ path: String, _ decisions: Int) throws {
        let schema = FeatureSchema.current
        let writer = try TraceWriter(
            path: path,
            schema: TraceWriter.Schema(
                hash: StableHash.text(schema.hash), text: schema.text, names: schema.names),
            programVersion: "benchmark")
        let ring = writer.makeRing(whenFull: .wait)
        let session = writer.beginSession(
            SessionInfo(
                startedWallClock: 0, started: .zero, role: "send", peer: "peer",
                policy: "weighted", seed: 1, programVersion: "benchmark", command: "benchmark"))
        var generator = SeededGenerator(seed: 9)
        var candidates = CandidateSet()
        var distribution = ActionDistribution()
        for path in 0..<3 {
            candidates.append(Candidate(path: PathID(path)))
            distribution.append(PathSet(PathID(path)), 1.0 / 3)
        }
        for number in 0..<decisions {
            for path in 0..<3 {
                for feature in 0..<FeatureVector.count {
                    candidates[path].features[feature] = 2 * generator.uniform() - 1
                }
                candidates[path].predictedDelivery = 0.02 + 0.1 * generator.uniform()
            }
            let chosen = number % 3
            let time = Instant(nanoseconds: Int64(number) * 100_000)
            ring.record(
                DecisionRecord(
                    number: UInt64(number), time: time,
                    burst: BurstContext(
                        bytes: 12_000, deadline: TimeDelta(seconds: 2), trafficClass: .message),
                    candidates: candidates,
                    decision: Decision(distribution: distribution, chosen: chosen),
                    draw: (Double(chosen) + 0.5) / 3), session: session)
            let delivery =
                candidates[chosen].predictedDelivery
                * exp(0.5 * candidates[chosen].features[0] + 0.2 * generator.uniform())
            ring.record(
                Outcome(
                    decision: UInt64(number), delivery: delivery, isLate: false, deadline: 2,
                    packets: 9, lostPackets: 0,
                    closedAt: time + TimeDelta(seconds: delivery)), session: session)
        }
        writer.endSession(session, at: Instant(nanoseconds: Int64(decisions) * 100_000))
        try writer.close()
    }
}
