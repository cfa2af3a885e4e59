public import PathTelemetry

/// Explains the score of a candidate in one decision.
public struct CandidateExplanation: Sendable {
    /// The contribution of one input to a candidate's score, relative to the input's mean over all
    /// candidates.
    public struct Term: Sendable, Equatable {
        public let feature: String
        public let contribution: Double
    }

    public let path: PathID
    /// The quantity that the policy minimises: seconds, a cost or a weight, depending on the
    /// policy.
    public let score: Double
    /// The three inputs with the largest contributions; empty for policies that use none.
    public let terms: [Term]
}

extension PathSelector {
    /// The score of every candidate and its largest contributions, for users and not for the packet
    /// path.
    ///
    /// An input's contribution is the change of the score if only that input is set to its mean
    /// over the candidates. It is exact for additive scores.
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

/// An input that a policy may read from a candidate.
private enum CandidateInput {
    case feature(Feature)
    case field(String, WritableKeyPath<Candidate, Double>)
    case bytes(String, WritableKeyPath<Candidate, Int>)

    /// All features, and the inputs of heuristics.
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
