public import PathTelemetry

/// Why a candidate stands where it stands in one decision.
public struct CandidateExplanation: Sendable {
    /// What one feature adds to a candidate's cost, against the mean over all candidates.
    public struct Term: Sendable, Equatable {
        public let feature: String
        public let contribution: Double
    }

    public let path: PathID
    /// What the policy minimises: seconds, a cost or a weight, as the policy has it.
    public let score: Double
    /// The three features that moved the score most; empty for policies without a model.
    public let terms: [Term]
}

extension PathSelector {
    /// The score of every candidate and the features that moved it most; for people, not for the
    /// packet path.
    public func explain(
        _ candidates: borrowing CandidateSet, burst: BurstContext
    ) -> [CandidateExplanation] {
        var result: [CandidateExplanation] = []
        for index in 0..<candidates.count {
            result.append(
                CandidateExplanation(
                    path: candidates[index].path,
                    score: score(of: candidates[index], burst: burst),
                    terms: terms(index, candidates)))
        }
        return result
    }

    private func terms(
        _ index: Int, _ candidates: borrowing CandidateSet
    ) -> [CandidateExplanation.Term] {
        guard let policy = linUCB else { return [] }
        var terms: [CandidateExplanation.Term] = []
        for feature in Feature.allCases {
            let place = feature.rawValue
            var mean = 0.0
            for other in 0..<candidates.count {
                mean += policy.contribution(of: place, in: candidates[other].features)
            }
            mean /= Double(candidates.count)
            let own = policy.contribution(of: place, in: candidates[index].features)
            terms.append(
                CandidateExplanation.Term(feature: feature.name, contribution: own - mean))
        }
        terms.sort { $0.contribution.magnitude > $1.contribution.magnitude }
        return Array(terms.prefix(3))
    }

    private func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        switch specification {
        case .single: single.score(of: candidate, burst: burst)
        case .roundRobin: roundRobin.score(of: candidate, burst: burst)
        case .weighted: weighted.score(of: candidate, burst: burst)
        case .minRTT: minRTT.score(of: candidate, burst: burst)
        case .earliest: earliest.score(of: candidate, burst: burst)
        case .steady: steady.score(of: candidate, burst: burst)
        case .redundant: redundant.score(of: candidate, burst: burst)
        case .linUCB, .learned:
            if let linUCB {
                linUCB.score(of: candidate, burst: burst)
            } else {
                candidate.predictedDelivery
            }
        }
    }
}
