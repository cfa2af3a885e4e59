import Glibc
import PathTrace

@testable import PathLearning
@testable import PathTelemetry

let testSchema = TraceWriter.Schema(
    hash: "0123abcd", text: "test features", names: (0..<24).map { "f\($0)" })

/// A temporary folder that is removed with its content.
final class Scratch {
    let path: String

    init() {
        var template = Array("/tmp/pathwise-trace-XXXXXX".utf8CString)
        path = mkdtemp(&template).map { String(cString: $0) } ?? "/tmp"
    }

    func file(_ name: String = "t.trace") -> String { path + "/" + name }

    deinit {
        guard path.hasPrefix("/tmp/pathwise-trace-"), let folder = opendir(path) else { return }
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { unlink(path + "/" + name) }
        }
        closedir(folder)
        rmdir(path)
    }
}

func bytes(of path: String) -> [UInt8]? {
    guard let file = fopen(path, "rb") else { return nil }
    defer { fclose(file) }
    var content: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = fread(&chunk, 1, chunk.count, file)
        if count == 0 { return content }
        content.append(contentsOf: chunk[0..<count])
    }
}

func write(_ content: [UInt8], to path: String) {
    guard let file = fopen(path, "wb") else { return }
    fwrite(content, 1, content.count, file)
    fclose(file)
}

extension SeededGenerator {
    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    /// Any bit pattern, so also infinities, NaNs and subnormals.
    mutating func anyDouble() -> Double {
        below(4) == 0 ? Double(bitPattern: next()) : (uniform() - 0.5) * 1e3
    }

    mutating func traits() -> PathTraits {
        PathTraits(
            weight: uniform() + 0.1, pricePerGB: uniform(),
            rateLimit: below(2) == 0 ? .infinity : uniform() * 1e9, isBackup: below(2) == 0,
            kind: LinkKind.allCases[below(LinkKind.allCases.count)])
    }

    mutating func decision(number: UInt64, time: Instant, candidates: Int? = nil) -> DecisionRecord
    {
        var set = CandidateSet()
        let count = candidates ?? below(17)
        for index in 0..<count {
            var candidate = Candidate(path: PathID(index), traits: traits())
            for feature in 0..<FeatureVector.count { candidate.features[feature] = anyDouble() }
            candidate.predictedDelivery = uniform()
            candidate.smoothedRTT = anyDouble()
            candidate.rttVariation = anyDouble()
            candidate.unansweredAge = anyDouble()
            candidate.lossRate = anyDouble()
            candidate.room = below(1 << 54) - (1 << 53)
            candidate.bytesInFlight = below(1 << 20)
            candidate.congestionWindow = below(1 << 20)
            candidate.rate = anyDouble()
            set.append(candidate)
        }
        var distribution = ActionDistribution()
        let actions = max(1, count) + below(max(1, 32 - count))
        for index in 0..<actions {
            let action =
                index < count
                ? PathSet(PathID(index)) : PathSet(rawValue: UInt16(truncatingIfNeeded: next()))
            distribution.append(action, 1 / Double(actions))
        }
        return DecisionRecord(
            number: number, time: time,
            burst: BurstContext(
                bytes: below(1 << 20), deadline: TimeDelta(nanoseconds: Int64(below(1 << 40))),
                trafficClass: below(2) == 0 ? .stream : .message,
                currentPath: below(2) == 0 ? nil : PathID(below(16)),
                bytesLeft: below(1 << 30)),
            candidates: set,
            decision: Decision(
                distribution: distribution, chosen: below(actions), isForced: below(8) == 0),
            draw: uniform())
    }

    /// A decision that passes verification.
    mutating func soundDecision(number: UInt64, time: Instant) -> DecisionRecord {
        var record = decision(number: number, time: time, candidates: 3)
        for index in 0..<3 {
            for feature in 0..<FeatureVector.count {
                record.candidates[index].features[feature] = uniform()
            }
        }
        record.burst.bytes = 1 + below(60_000)
        record.burst.deadline = .milliseconds(150)
        var distribution = ActionDistribution()
        for (index, probability) in [0.5, 0.25, 0.25].enumerated() {
            distribution.append(PathSet(PathID(index)), probability)
        }
        record.decision = Decision(distribution: distribution, chosen: below(3))
        return record
    }

    mutating func outcome(of decision: UInt64, at time: Instant) -> Outcome {
        let late = below(4) == 0
        var bytes = PathBytes()
        for _ in 0..<below(4) { bytes.add(below(1 << 20), to: PathID(below(16))) }
        return Outcome(
            decision: decision, delivery: late ? nil : uniform(), isLate: late,
            deadline: uniform() + 1, packets: below(64), lostPackets: below(3), bytes: bytes,
            closedAt: time)
    }

    mutating func sample(at time: Instant) -> PathSample {
        var snapshot = PathSnapshot(
            path: PathID(below(16)), state: PathState.allCases[below(PathState.allCases.count)],
            traits: traits())
        snapshot.smoothedRTT = TimeDelta(nanoseconds: Int64(below(1 << 40)))
        snapshot.rttVariation = TimeDelta(nanoseconds: Int64(below(1 << 40)))
        snapshot.latestRTT = TimeDelta(nanoseconds: Int64(bitPattern: next()))
        snapshot.bytesInFlight = below(1 << 30)
        snapshot.congestionWindow = below(1 << 30)
        snapshot.pacingRate = uniform() * 1e9
        snapshot.deliveryRate = .infinity
        snapshot.pacingDelay = TimeDelta(nanoseconds: Int64(below(1 << 40)))
        if below(2) == 0 { snapshot.oldestUnanswered = Instant(nanoseconds: Int64(below(1 << 40))) }
        if below(2) == 0 { snapshot.lastReply = Instant(nanoseconds: Int64(below(1 << 40))) }
        snapshot.probeTimeouts = below(7)
        return PathSample(time: time, snapshot: snapshot)
    }
}

/// Every bit of a decision, for comparisons that hold for NaN too.
func image(_ record: DecisionRecord) -> [UInt64] {
    var image: [UInt64] = [
        record.number, UInt64(bitPattern: record.time.nanoseconds),
        UInt64(bitPattern: Int64(record.burst.bytes)),
        UInt64(bitPattern: Int64(record.burst.bytesLeft)),
        UInt64(bitPattern: record.burst.deadline.nanoseconds),
        UInt64(record.burst.trafficClass.rawValue),
        UInt64(record.burst.currentPath?.rawValue ?? 255), record.draw.bitPattern,
        UInt64(record.decision.chosen), record.decision.isForced ? 1 : 0,
        UInt64(record.candidates.count), UInt64(record.decision.distribution.count),
    ]
    for index in 0..<record.candidates.count {
        let candidate = record.candidates[index]
        image += [
            UInt64(candidate.path.rawValue), candidate.predictedDelivery.bitPattern,
            candidate.smoothedRTT.bitPattern, candidate.rttVariation.bitPattern,
            candidate.unansweredAge.bitPattern, candidate.lossRate.bitPattern,
            UInt64(bitPattern: Int64(candidate.room)),
            UInt64(bitPattern: Int64(candidate.bytesInFlight)),
            UInt64(bitPattern: Int64(candidate.congestionWindow)), candidate.rate.bitPattern,
        ]
        image += traitsImage(candidate.traits)
        for feature in candidate.features.indices {
            image.append(candidate.features[feature].bitPattern)
        }
    }
    for index in 0..<record.decision.distribution.count {
        image.append(UInt64(record.decision.distribution.action(index).rawValue))
        image.append(record.decision.distribution[index].bitPattern)
    }
    return image
}

func traitsImage(_ traits: PathTraits) -> [UInt64] {
    [
        traits.weight.bitPattern, traits.pricePerGB.bitPattern, traits.rateLimit.bitPattern,
        traits.isBackup ? 1 : 0, UInt64(traits.kind.rawValue),
    ]
}

func image(_ outcome: Outcome?) -> [UInt64] {
    guard let outcome else { return [] }
    return [
        outcome.decision, outcome.delivery == nil ? 0 : 1, (outcome.delivery ?? 0).bitPattern,
        outcome.isLate ? 1 : 0, outcome.deadline.bitPattern, UInt64(outcome.packets),
        UInt64(outcome.lostPackets), UInt64(bitPattern: outcome.closedAt.nanoseconds),
    ] + (0..<PathID.limit).map { UInt64(outcome.bytes[PathID($0)]) }
}

func image(_ sample: PathSample) -> [UInt64] {
    let path = sample.snapshot
    let times: [Int64] = [
        sample.time.nanoseconds, path.smoothedRTT.nanoseconds, path.rttVariation.nanoseconds,
        path.latestRTT.nanoseconds, path.minRTT.nanoseconds, Int64(path.bytesInFlight),
        Int64(path.congestionWindow), path.pacingDelay.nanoseconds,
        path.oldestUnanswered?.nanoseconds ?? -1, path.lastReply?.nanoseconds ?? -1,
        Int64(path.probeTimeouts), Int64(path.path.rawValue), Int64(path.state.rawValue),
    ]
    return times.map { UInt64(bitPattern: $0) }
        + [path.pacingRate.bitPattern, path.deliveryRate.bitPattern] + traitsImage(path.traits)
}

func sessionInfo(policy: String = "earliest") -> SessionInfo {
    SessionInfo(
        startedWallClock: 1_800_000_000_000_000_000, started: Instant(nanoseconds: 1_000),
        role: "send", peer: "abc", policy: policy, modelHash: "", seed: .max,
        programVersion: "0.1.0", command: "pathwise send 'ü'")
}

/// What a test changes in a decision and its outcome before they are recorded; false: the decision
/// is left out.
typealias Change = @Sendable (inout DecisionRecord, inout Outcome) -> Bool

/// Writes a trace of two sessions that passes verification, except for the effect of `change` on
/// decision 5 of the first.
func writeSoundTrace(
    to path: String, decisions: Int = 100, seed: UInt64 = 77, change: Change? = nil
) throws {
    var generator = SeededGenerator(seed: seed)
    let writer = try TraceWriter(path: path, schema: testSchema, programVersion: "1")
    let ring = writer.makeRing(whenFull: .wait)
    for policy in ["earliest", "lin-ucb"] {
        let session = writer.beginSession(sessionInfo(policy: policy))
        for index in 0..<3 {
            ring.record(
                added: PathInfo(
                    path: PathID(index), name: ["dsl", "lte", "sat"][index],
                    local: "10.0.0.\(index)", remote: "192.0.2.1", traits: generator.traits(),
                    added: Instant(nanoseconds: 1_000)), session: session)
        }
        for number in 0..<decisions {
            let time = Instant(nanoseconds: 1_000 + Int64(number) * 50_000_000)
            var decision = generator.soundDecision(number: UInt64(number), time: time)
            var outcome = generator.outcome(
                of: UInt64(number), at: time + .milliseconds(100))
            outcome.lostPackets = min(outcome.lostPackets, outcome.packets)
            var isRecorded = true
            if number == 5, policy == "earliest", let change {
                isRecorded = change(&decision, &outcome)
            }
            if isRecorded { ring.record(decision, session: session) }
            if number % 10 != 9 { ring.record(outcome, session: session) }
            ring.record(generator.sample(at: time), session: session)
        }
        ring.record(
            TraceEvent(
                time: Instant(nanoseconds: 500_000_000), kind: .failover, path: PathID(1),
                text: "moved, 3 \"packets\"", value: 0.125), session: session)
        writer.endSession(session, at: Instant(nanoseconds: Int64(decisions) * 50_000_000))
    }
    try writer.close()
}
