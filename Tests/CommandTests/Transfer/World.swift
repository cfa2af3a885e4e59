import Glibc
import PathTrace

@testable import PathLearning
@testable import PathTelemetry

/// A world with known parameters: deliveries are the heuristic's prediction times the exponential
/// of a linear function of the features and of noise.
struct World {
    static let names = ["dsl", "lte", "sat"]
    /// True weights of the first features; the others have no effect.
    static let weights = [0.6, -0.4, 0.3]
    static let noise = 0.2
    /// Share of bursts that are never acknowledged, on any path.
    static let late = 0.005
    static let deadline = 2.0
    /// Probabilities with which the recording policy takes the paths.
    static let propensities = [0.5, 0.3, 0.2]

    private var generator: SeededGenerator

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    static func residual(_ candidate: Candidate) -> Double {
        var sum = 0.0
        for (index, weight) in weights.enumerated() { sum += weight * candidate.features[index] }
        return sum
    }

    /// The mean reward of a decision for this candidate.
    static func reward(_ candidate: Candidate) -> Double {
        let intime = -(log(candidate.predictedDelivery) + residual(candidate))
        return (1 - late) * intime - late * (log(deadline) + 1)
    }

    private mutating func record(_ number: Int) -> DecisionRecord {
        var candidates = CandidateSet()
        for path in World.names.indices {
            var candidate = Candidate(path: PathID(path))
            for feature in 0..<FeatureVector.count {
                candidate.features[feature] = 2 * generator.uniform() - 1
            }
            candidate.predictedDelivery = 0.02 * exp(2 * generator.uniform())
            candidate.smoothedRTT = 0.04
            candidate.room = 1_000_000
            candidate.congestionWindow = 1_000_000
            candidate.rate = 1e6
            candidates.append(candidate)
        }
        let draw = generator.uniform()
        var distribution = ActionDistribution()
        let isForced = number % 25 == 24
        for path in World.names.indices {
            distribution.append(
                PathSet(PathID(path)), isForced ? (path == 0 ? 1 : 0) : World.propensities[path])
        }
        let chosen = isForced || draw < 0.5 ? 0 : draw < 0.8 ? 1 : 2
        return DecisionRecord(
            number: UInt64(number), time: Instant(nanoseconds: Int64(number) * 10_000_000),
            burst: BurstContext(
                bytes: 12_000, deadline: TimeDelta(seconds: World.deadline), trafficClass: .message),
            candidates: candidates,
            decision: Decision(distribution: distribution, chosen: chosen, isForced: isForced),
            draw: draw)
    }

    private mutating func outcome(of record: DecisionRecord) -> Outcome {
        let candidate = record.candidates[record.decision.chosen]
        let delivery =
            candidate.predictedDelivery
            * exp(World.residual(candidate) + World.noise * generator.normal())
        let isLate = generator.uniform() < World.late || delivery > World.deadline
        return Outcome(
            decision: record.number, delivery: isLate ? nil : delivery, isLate: isLate,
            deadline: World.deadline, packets: 10, lostPackets: isLate ? 10 : 0,
            closedAt: record.time + TimeDelta(seconds: isLate ? World.deadline : delivery))
    }

    /// What was written.
    struct Written {
        var decisions = 0
        var forced = 0
        var late = 0
        /// True mean reward of always taking the candidate with the least prediction, on the
        /// decisions that were not forced.
        var earliest = 0.0
    }

    /// Writes one session of decisions with their outcomes.
    ///
    /// - Parameter schemaHash: the schema hash in the trace.
    @discardableResult
    mutating func write(
        _ decisions: Int, to path: String,
        schemaHash: String = StableHash.text(FeatureSchema.current.hash)
    ) throws -> Written {
        let schema = FeatureSchema.current
        let writer = try TraceWriter(
            path: path,
            schema: TraceWriter.Schema(hash: schemaHash, text: schema.text, names: schema.names),
            programVersion: "0.1.0")
        let ring = writer.makeRing(whenFull: .wait)
        let session = writer.beginSession(
            SessionInfo(
                startedWallClock: 1_800_000_000_000_000_000, started: .zero, role: "send",
                peer: "peer", policy: "weighted", seed: 5, programVersion: "0.1.0",
                command: "pathwise send"))
        for (index, name) in World.names.enumerated() {
            ring.record(
                added: PathInfo(
                    path: PathID(index), name: name, local: "192.0.2.\(index)",
                    remote: "198.51.100.1:5000", traits: PathTraits(), added: .zero),
                session: session)
        }
        var written = Written(decisions: decisions)
        for number in 0..<decisions {
            let record = record(number)
            let outcome = outcome(of: record)
            ring.record(record, session: session)
            ring.record(outcome, session: session)
            if record.decision.isForced {
                written.forced += 1
                continue
            }
            if outcome.isLate { written.late += 1 }
            var best = record.candidates[0]
            for index in 1..<record.candidates.count
            where record.candidates[index].predictedDelivery < best.predictedDelivery {
                best = record.candidates[index]
            }
            written.earliest += World.reward(best)
        }
        written.earliest /= Double(max(1, decisions - written.forced))
        writer.endSession(session, at: Instant(nanoseconds: Int64(decisions) * 10_000_000))
        try writer.close()
        return written
    }
}
