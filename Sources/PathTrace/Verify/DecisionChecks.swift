import PathLearning
import PathTelemetry

/// The checks of one decision and of its outcome.
enum DecisionChecks {
    static func issues(_ record: DecisionRecord) -> [(TraceIssue.Kind, String)] {
        var issues: [(TraceIssue.Kind, String)] = []
        let decision = record.decision
        var paths = PathSet.wait
        for index in 0..<record.candidates.count {
            let candidate = record.candidates[index]
            if paths.contains(candidate.path) {
                issues.append((.candidates, "path \(candidate.path.rawValue) occurs twice"))
            }
            paths.formUnion(PathSet(candidate.path))
            for feature in 0..<FeatureVector.count
            where !candidate.features[feature].isFinite {
                issues.append(
                    (
                        .features,
                        "feature \(feature) of path \(candidate.path.rawValue) is "
                            + "\(candidate.features[feature])"
                    ))
            }
            if !(candidate.predictedDelivery >= 0) {
                issues.append(
                    (
                        .candidates,
                        "path \(candidate.path.rawValue) predicts "
                            + "\(candidate.predictedDelivery) s"
                    ))
            }
        }

        var sum = 0.0
        for index in 0..<decision.distribution.count {
            let probability = decision.distribution[index]
            if !(probability >= 0 && probability <= 1 + TraceVerifier.tolerance) {
                issues.append(
                    (.probabilities, "action \(index) has the probability \(probability)"))
            }
            sum += probability
            let action = decision.distribution.action(index)
            if !action.isSubset(of: paths) {
                issues.append((.action, "action \(index) uses a path that is not a candidate"))
            }
            for other in 0..<index where decision.distribution.action(other) == action {
                issues.append((.action, "actions \(other) and \(index) are the same"))
            }
        }
        if !((sum - 1).magnitude <= TraceVerifier.tolerance) {
            issues.append((.probabilities, "the probabilities sum to \(sum)"))
        }
        if !(decision.propensity > 0) {
            issues.append(
                (.chosen, "the action taken has the probability \(decision.propensity)"))
        }
        if !(record.draw >= 0 && record.draw < 1) {
            issues.append((.chosen, "the draw is \(record.draw)"))
        }
        if record.burst.bytes <= 0 || record.burst.deadline <= .zero {
            issues.append(
                (
                    .burst,
                    "\(record.burst.bytes) bytes within \(record.burst.deadline.seconds) s"
                ))
        }
        return issues
    }

    static func issues(_ outcome: Outcome, of record: DecisionRecord) -> [String] {
        var issues: [String] = []
        if outcome.closedAt < record.time { issues.append("closed before it was decided") }
        if !(outcome.deadline > 0) { issues.append("the deadline is \(outcome.deadline) s") }
        if let delivery = outcome.delivery {
            if !(delivery >= 0) || !delivery.isFinite {
                issues.append("delivered in \(delivery) s")
            }
            if outcome.isLate != (delivery > outcome.deadline) {
                issues.append(
                    "delivered in \(delivery) s of \(outcome.deadline) s, yet marked "
                        + (outcome.isLate ? "late" : "in time"))
            }
        } else if !outcome.isLate {
            issues.append("not delivered, yet marked in time")
        }
        if outcome.packets < 0 || outcome.lostPackets < 0 || outcome.lostPackets > outcome.packets {
            issues.append("\(outcome.lostPackets) packets lost of \(outcome.packets)")
        }
        return issues
    }
}
