import Foundation
import PathTrace

@testable import PathLearning
@testable import PathTelemetry

/// Recordings of worlds with known parameters.
struct TrainingWorld {
    /// The residual of a candidate besides the noise.
    var residual: (FeatureVector) -> Double = { 0.6 * $0[0] - 0.4 * $0[1] + 0.3 * $0[2] }
    /// The logarithm of the odds of being late.
    var lateLogit: (FeatureVector) -> Double = { _ in -5 }
    var noise = 0.2
    /// Probability of each of the three paths.
    var propensities = [0.5, 0.3, 0.2]
    var generator: SeededGenerator
    var started: Int64 = 0

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    /// Writes one session; every 25th decision is forced.
    mutating func write(_ decisions: Int, to path: String) throws {
        let schema = FeatureSchema.current
        let writer = try TraceWriter(
            path: path,
            schema: TraceWriter.Schema(
                hash: StableHash.text(schema.hash), text: schema.text, names: schema.names),
            programVersion: "0.1.0")
        let ring = writer.makeRing(whenFull: .wait)
        let session = writer.beginSession(
            SessionInfo(
                startedWallClock: 1_800_000_000_000_000_000, started: .zero, role: "send",
                peer: "peer", policy: "weighted", seed: 5, programVersion: "0.1.0",
                command: "pathwise send"))
        for index in 0..<3 {
            ring.record(
                added: PathInfo(
                    path: PathID(index), name: "p\(index)", local: "192.0.2.\(index)",
                    remote: "198.51.100.1:5000", traits: PathTraits(), added: .zero),
                session: session)
        }
        for number in 0..<decisions {
            var candidates = CandidateSet()
            for path in 0..<3 {
                var candidate = Candidate(path: PathID(path))
                for feature in 0..<FeatureVector.count {
                    candidate.features[feature] = 2 * generator.uniform() - 1
                }
                candidate.predictedDelivery = 0.02 * exp(2 * generator.uniform())
                candidate.room = 1_000_000
                candidate.rate = 1e6
                candidates.append(candidate)
            }
            let draw = generator.uniform()
            let isForced = number % 25 == 24
            let chosen =
                isForced || draw < propensities[0]
                ? 0 : draw < propensities[0] + propensities[1] ? 1 : 2
            var distribution = ActionDistribution()
            for path in 0..<3 {
                distribution.append(
                    PathSet(PathID(path)),
                    isForced ? (path == 0 ? 1 : 0) : propensities[path])
            }
            let time = Instant(nanoseconds: Int64(number) * 10_000_000)
            ring.record(
                DecisionRecord(
                    number: UInt64(number), time: time,
                    burst: BurstContext(
                        bytes: 12_000, deadline: TimeDelta(seconds: 20), trafficClass: .message),
                    candidates: candidates,
                    decision: Decision(
                        distribution: distribution, chosen: chosen, isForced: isForced),
                    draw: draw), session: session)
            let candidate = candidates[chosen]
            let delivery =
                candidate.predictedDelivery
                * exp(residual(candidate.features) + noise * generator.normal())
            let isLate = generator.uniform() < 1 / (1 + exp(-lateLogit(candidate.features)))
            ring.record(
                Outcome(
                    decision: UInt64(number), delivery: isLate ? nil : delivery, isLate: isLate,
                    deadline: 20, packets: 10, lostPackets: isLate ? 10 : 0,
                    closedAt: time + TimeDelta(seconds: isLate ? 20 : delivery)),
                session: session)
        }
        writer.endSession(session, at: Instant(nanoseconds: Int64(decisions) * 10_000_000))
        try writer.close()
    }
}

/// A temporary folder that is removed with this object.
final class Scratch {
    let path: String

    init() {
        path =
            FileManager.default.temporaryDirectory
            .appendingPathComponent("pathwise-training-\(UUID().uuidString)").path
        try? FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }
}
