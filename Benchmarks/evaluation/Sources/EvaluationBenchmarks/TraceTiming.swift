import Glibc
import PathLearning
import PathTelemetry
import PathTrace

/// Times a trace that is larger than the memory bound: the real writer records it, then the command
/// evaluates, describes, verifies, merges and exports it.
enum TraceTiming {
    static func run(_ program: String, decisions: Int) {
        guard let scratch = Scratch() else { return }
        let trace = scratch.path + "/large.trace"
        let start = now()
        do throws(TraceError) { try record(decisions, to: trace) } catch {
            return print("record: \(error.description)")
        }
        var status = stat()
        stat(trace, &status)
        print(
            "\(decisions) decisions recorded in \(milliseconds(now() - start)), "
                + "\(status.st_size >> 20) MB")
        Child.report("trace info", runs: 1, [program, "trace", "info", trace])
        let evaluate = [program, "evaluate", trace, "--policy", "steady"]
        Child.report("evaluate, one policy", runs: 1, evaluate)
        Child.report(
            "evaluate, two, all estimators", runs: 1,
            evaluate + ["--policy", "min-rtt", "--estimator", "all"])
        Child.report("trace verify", runs: 1, [program, "trace", "verify", trace])
        let merged = scratch.path + "/merged.trace"
        Child.report(
            "trace merge", runs: 1, [program, "trace", "merge", trace, "--output", merged])
        unlink(merged)
        Child.report("trace export", runs: 1, [program, "trace", "export", trace])
    }

    /// Four paths whose numbers drift, a policy that sometimes explores every path, and delivery
    /// times that scatter about the prediction.
    static func record(_ decisions: Int, to path: String) throws(TraceError) {
        let writer = try TraceWriter(
            path: path, schema: .current, programVersion: "benchmark", ifExists: .replace)
        let session = writer.beginSession(
            SessionInfo(startedWallClock: 0, started: .zero, role: "benchmark"))
        let ring = writer.makeRing(whenFull: .wait)
        for index in 0..<4 {
            ring.record(
                added: PathInfo(
                    path: PathID(index), name: "path\(index)", local: "", remote: "",
                    traits: PathTraits(), added: .zero), session: session)
        }
        var generator = SeededGenerator(seed: 1)
        var record = first()
        for number in 0..<decisions {
            let time = Instant.zero + .microseconds(Int64(number) * 100)
            record.number = UInt64(number)
            record.time = time
            record.burst.bytes = 1000 + Int(generator.next() % 64_000)
            change(&record, &generator)
            ring.record(record, session: session)
            let chosen = record.candidates[record.decision.chosen]
            let delivery = chosen.predictedDelivery * (0.7 + 0.6 * generator.uniform())
            ring.record(
                Outcome(
                    decision: record.number, delivery: delivery, isLate: delivery > 0.15,
                    deadline: 0.15, packets: 40, lostPackets: 0,
                    closedAt: time + TimeDelta(seconds: delivery)), session: session)
        }
        writer.endSession(session, at: .zero + .microseconds(Int64(decisions) * 100))
        try writer.close()
    }

    private static func first() -> DecisionRecord {
        var candidates = CandidateSet()
        var distribution = ActionDistribution()
        for index in 0..<4 {
            candidates.append(Candidate(path: PathID(index)))
            distribution.append(PathSet(PathID(index)), 0.25)
        }
        return DecisionRecord(
            number: 0, time: .zero,
            burst: BurstContext(bytes: 0, deadline: .milliseconds(150), trafficClass: .message),
            candidates: candidates, decision: Decision(distribution: distribution, chosen: 0),
            draw: 0)
    }

    /// An acknowledgement changes a third of the numbers of one path in four.
    private static func change(
        _ record: inout DecisionRecord, _ generator: inout SeededGenerator
    ) {
        var best = 0
        for index in 0..<4 {
            if generator.next() & 3 == 0 {
                let rtt = Double(20_000_000 + generator.next() % 60_000_000) * 1e-9
                record.candidates[index].smoothedRTT = rtt
                record.candidates[index].rate = 1e6 + 1e6 * generator.uniform()
                for feature in 0..<8 {
                    record.candidates[index].features[feature] = generator.uniform()
                }
            }
            record.candidates[index].unansweredAge = Double(generator.next() % 50_000_000) * 1e-9
            record.candidates[index].predictedDelivery =
                record.candidates[index].smoothedRTT / 2 + 0.05 * generator.uniform()
            if record.candidates[index].predictedDelivery
                < record.candidates[best].predictedDelivery
            {
                best = index
            }
        }
        var distribution = ActionDistribution()
        for index in 0..<4 {
            distribution.append(PathSet(PathID(index)), index == best ? 0.7 : 0.1)
        }
        record.draw = generator.uniform()
        var chosen = 3
        var sum = 0.0
        for index in 0..<4 {
            sum += distribution[index]
            if record.draw < sum {
                chosen = index
                break
            }
        }
        record.decision = Decision(distribution: distribution, chosen: chosen)
    }
}
