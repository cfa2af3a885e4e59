import Foundation

@testable import PathLearning
@testable import PathTelemetry

/// Reference numbers beside the package, where they are there.
enum Reference {
    static let folder: URL = {
        if let path = ProcessInfo.processInfo.environment["PATHWISE_SHARED"] {
            return URL(fileURLWithPath: path).appendingPathComponent("reference/linear")
        }
        let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        for base in [package, package.deletingLastPathComponent()] {
            let folder = base.deletingLastPathComponent().appendingPathComponent(
                "shared/reference/linear")
            if FileManager.default.fileExists(atPath: folder.path) { return folder }
        }
        return package
    }()
    static var isPresent: Bool {
        FileManager.default.fileExists(
            atPath: folder.appendingPathComponent("lin_expected.json").path)
    }

    static func json(_ name: String) throws -> [String: Any] {
        let data = try Data(contentsOf: folder.appendingPathComponent(name))
        return try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:]
    }

    /// The rows of a CSV file without its header.
    static func csv(_ name: String) throws -> [[Double]] {
        let text = try String(
            contentsOf: folder.appendingPathComponent(name), encoding: .utf8)
        return text.split(separator: "\n").dropFirst().map { line in
            line.split(separator: ",").compactMap { Double($0) }
        }
    }
}

/// The largest relative error of a against b, relative to the largest magnitude of b.
func relativeError(_ a: [Double], _ b: [Double]) -> Double {
    guard a.count == b.count else { return .infinity }
    let size = b.reduce(0) { max($0, $1.magnitude) }
    return zip(a, b).reduce(0) { max($0, ($1.0 - $1.1).magnitude) } / max(size, 1e-300)
}

/// Candidates with the given round trips (seconds), with room and nothing unanswered.
func candidates(_ roundTrips: [Double]) -> CandidateSet {
    var set = CandidateSet()
    for (index, rtt) in roundTrips.enumerated() {
        var candidate = Candidate(path: PathID(index))
        candidate.smoothedRTT = rtt
        candidate.rttVariation = rtt / 20
        candidate.predictedDelivery = rtt / 2
        candidate.room = 100_000
        candidate.rate = 1e6
        candidate.features[Feature.smoothedRTT.rawValue] =
            Feature.smoothedRTT.scaling.apply(rtt)
        set.append(candidate)
    }
    return set
}

func burst(
    _ bytes: Int = 10_000, _ trafficClass: TrafficClass = .message
) -> BurstContext {
    BurstContext(bytes: bytes, deadline: .seconds(1), trafficClass: trafficClass)
}

func outcome(_ delivery: Double?, deadline: Double = 1) -> Outcome {
    let late = delivery.map { $0 > deadline } ?? true
    return Outcome(
        decision: 0, delivery: late ? nil : delivery, isLate: late, deadline: deadline,
        packets: 9, lostPackets: 0, closedAt: .zero)
}

func probabilities(_ distribution: ActionDistribution) -> [Double] {
    (0..<distribution.count).map { distribution[$0] }
}

extension PathSelector {
    /// The name without parameters, or with them.
    static func make(_ text: String, seed: UInt64 = 1) throws -> PathSelector {
        try PathSelector(PolicySpecification(parsing: text), seed: seed)
    }
}
