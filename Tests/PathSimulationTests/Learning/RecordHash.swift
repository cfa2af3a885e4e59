@testable import PathLearning
import PathTelemetry
import PathTransport

/// A hash over the decisions and outcomes that a connection records: every number, bit for bit.
struct RecordHash {
    private(set) var hash = StableHash()
    private(set) var decisions = 0
    private(set) var outcomes = 0
    /// Number of decisions to wait, and of those with more than one path.
    private(set) var waits = 0
    private(set) var copies = 0

    mutating func add(_ record: borrowing TransportRecord) {
        switch record {
        case .decision(let decision): add(decision)
        case .outcome(let outcome): add(outcome)
        default: break
        }
    }

    private mutating func add(_ record: DecisionRecord) {
        decisions += 1
        add(record.number)
        add(UInt64(bitPattern: record.time.nanoseconds))
        add(UInt64(record.burst.bytes))
        add(UInt64(bitPattern: record.burst.deadline.nanoseconds))
        add(UInt64(record.burst.trafficClass.rawValue))
        add(UInt64(record.burst.currentPath?.index ?? 99))
        for index in 0..<record.candidates.count {
            let candidate = record.candidates[index]
            add(UInt64(candidate.path.index))
            for feature in candidate.features.indices { add(candidate.features[feature]) }
            add(candidate.predictedDelivery)
            add(candidate.smoothedRTT)
            add(candidate.rttVariation)
            add(candidate.unansweredAge)
            add(candidate.lossRate)
            add(candidate.rate)
            for bytes in [candidate.room, candidate.bytesInFlight, candidate.congestionWindow] {
                add(UInt64(bitPattern: Int64(bytes)))
            }
        }
        var distribution = record.decision.distribution
        distribution.workOut(chosen: record.decision.chosen)
        for index in 0..<distribution.count {
            add(UInt64(distribution.action(index).rawValue))
            add(distribution[index])
        }
        add(UInt64(record.decision.chosen))
        add(UInt64(record.decision.isForced ? 1 : 0))
        add(record.draw)
        if record.decision.action == .wait { waits += 1 }
        if record.decision.action.count > 1 { copies += 1 }
    }

    private mutating func add(_ outcome: Outcome) {
        outcomes += 1
        add(outcome.decision)
        add(outcome.delivery ?? -1)
        add(UInt64(outcome.isLate ? 1 : 0))
        add(outcome.deadline)
        add(UInt64(outcome.packets))
        add(UInt64(outcome.lostPackets))
        for path in 0..<PathID.limit { add(UInt64(outcome.bytes[PathID(path)])) }
        add(UInt64(bitPattern: outcome.closedAt.nanoseconds))
    }

    private mutating func add(_ number: Double) { add(number.bitPattern) }

    private mutating func add(_ number: UInt64) {
        for shift in stride(from: UInt64(0), to: 64, by: 8) {
            hash.add(UInt8(truncatingIfNeeded: number >> shift))
        }
    }
}
