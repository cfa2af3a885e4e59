public import PathTelemetry

/// Why a candidate stands where it stands in one decision.
public struct CandidateExplanation: Sendable {
    /// What one input adds to a candidate's score, against its mean over all candidates.
    public struct Term: Sendable, Equatable {
        public let feature: String
        public let contribution: Double
    }

    public let path: PathID
    /// What the policy minimises: seconds, a cost or a weight, as the policy has it.
    public let score: Double
    /// The three inputs that moved the score most; empty for policies that look at none.
    public let terms: [Term]
}

extension PathSelector {
    /// The score of every candidate and the inputs that moved it most; for people, not for the
    /// packet path.
    ///
    /// An input's contribution is what the score changes by when only that input is put to its mean
    /// over the candidates. It is exact for scores that are sums, whatever the policy.
    public func explain(
        _ candidates: borrowing CandidateSet, burst: BurstContext
    ) -> [CandidateExplanation] {
        let inputs = CandidateInput.all
        var means = [Double](repeating: 0, count: inputs.count)
        for index in 0..<candidates.count {
            let candidate = candidates[index]
            for place in inputs.indices {
                means[place] += inputs[place].value(candidate) / Double(candidates.count)
            }
        }
        var result: [CandidateExplanation] = []
        for index in 0..<candidates.count {
            let candidate = candidates[index]
            let own = score(of: candidate, burst: burst)
            var terms: [CandidateExplanation.Term] = []
            for place in inputs.indices {
                var other = candidate
                inputs[place].set(&other, to: means[place])
                let difference = own - score(of: other, burst: burst)
                if difference != 0, difference.isFinite {
                    terms.append(
                        CandidateExplanation.Term(
                            feature: inputs[place].name, contribution: difference))
                }
            }
            terms.sort { $0.contribution.magnitude > $1.contribution.magnitude }
            result.append(
                CandidateExplanation(
                    path: candidate.path, score: own, terms: Array(terms.prefix(3))))
        }
        return result
    }
}

/// Something of a candidate that a policy may look at.
private enum CandidateInput {
    case feature(Feature)
    case field(String, WritableKeyPath<Candidate, Double>)
    case bytes(String, WritableKeyPath<Candidate, Int>)

    /// All features, and what heuristics read.
    static var all: [CandidateInput] {
        Feature.allCases.map { .feature($0) } + [
            .field("predicted_delivery", \.predictedDelivery),
            .field("smoothed_rtt", \.smoothedRTT), .field("rtt_variation", \.rttVariation),
            .field("unanswered_age", \.unansweredAge), .field("loss_rate", \.lossRate),
            .field("rate", \.rate), .field("weight", \.traits.weight),
            .field("price", \.traits.pricePerGB), .bytes("room", \.room),
            .bytes("bytes_in_flight", \.bytesInFlight),
            .bytes("congestion_window", \.congestionWindow),
        ]
    }

    var name: String {
        switch self {
        case .feature(let feature): feature.name
        case .field(let name, _), .bytes(let name, _): name
        }
    }

    func value(_ candidate: Candidate) -> Double {
        switch self {
        case .feature(let feature): candidate.features[feature.rawValue]
        case .field(_, let path): candidate[keyPath: path]
        case .bytes(_, let path): Double(candidate[keyPath: path])
        }
    }

    func set(_ candidate: inout Candidate, to value: Double) {
        switch self {
        case .feature(let feature): candidate.features[feature.rawValue] = value
        case .field(_, let path): candidate[keyPath: path] = value
        case .bytes(_, let path):
            candidate[keyPath: path] = Int(exactly: value.rounded()) ?? .max
        }
    }
}
