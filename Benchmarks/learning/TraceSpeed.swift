import Glibc
import PathLearning
import PathTelemetry
import PathTrace
import PathTraining

/// Training from a trace file: decisions a second and memory.
enum TraceSpeed {
    /// Trains from a trace of `write`, in a separate process, so that its peak of memory is that of
    /// training alone.
    static func train(path: String) throws {
        var options = TrainingOptions()
        options.seed = 1
        let trainer = try ModelTrainer(options)
        let decisions = try TraceReader(path: path).info().decisions
        let reading = try LearningBenchmarks.median(decisions > 2_000_000 ? 1 : 3) {
            try read(path)
        }
        let before = LearningBenchmarks.processor()
        let runs = decisions > 2_000_000 ? 1 : 5
        let seconds = try LearningBenchmarks.median(runs) {
            _ = try trainer.train([path])
        }
        let busy = (LearningBenchmarks.processor() - before) / Double(runs + 1)
        func rate(_ seconds: Double) -> String {
            LearningBenchmarks.text(Double(decisions) / seconds / 1e3, 0)
        }
        let report = LearningBenchmarks.report
        report(
            "pathwise train, \(decisions) decisions of 3 candidates",
            "\(rate(seconds)) thousand decisions/s, processor \(rate(busy))")
        report("resident memory, peak", "\(peak()) MB")
        report(
            "of it reading the columns",
            "\(LearningBenchmarks.text(reading / Double(decisions) * 1e9, 0)) of "
                + "\(LearningBenchmarks.text(seconds / Double(decisions) * 1e9, 0)) ns")
    }

    /// Reads the columns that training uses, and discards them.
    private static func read(_ path: String) throws {
        let reader = try TraceReader(path: path)
        var cursor = try reader.batches(columns: [.outcomes, .chosenFeatures])
        var batch = DecisionBatch()
        while try cursor.next(into: &batch) {}
    }

    /// Largest resident memory of this process so far, MB.
    private static func peak() -> Int {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss / 1024
    }

    /// Writes a recording of decisions over three paths whose features are all random and therefore
    /// incompressible.
    static func write(path: String, decisions: Int) throws {
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
