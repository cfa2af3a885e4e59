/// Deploy, hold or reject: by an interval of the gain that holds at all times at once.
public struct Gate: Hashable, Sendable {
    /// What to do.
    public enum Decision: String, Hashable, Sendable {
        case deploy, hold, reject
    }

    public private(set) var decision: Decision
    /// Why a policy is held; empty when the interval says it.
    public private(set) var reason = ""
    /// Of the gain over what was recorded.
    public let interval: Interval
    /// The smallest gain that is worth a deployment, in units of reward.
    public let margin: Double

    /// A policy is deployed when its gain is above the margin for sure and the estimate deserves
    /// belief, and rejected when it is worse for sure.
    init(_ interval: Interval, _ verdict: Verdict, margin: Double) {
        self.interval = interval
        self.margin = margin
        if interval.low > margin {
            decision = verdict.level == .doNotTrust ? .hold : .deploy
            if decision == .hold { reason = "the estimate is not to be trusted" }
        } else if interval.high < 0 {
            decision = .reject
        } else {
            decision = .hold
            if interval.low > 0 || interval.high <= margin {
                reason = "the gain may be smaller than the margin"
            }
        }
    }

    /// Holds a policy that was to be deployed.
    mutating func hold(_ reason: String) {
        guard decision == .deploy else { return }
        decision = .hold
        self.reason = reason
    }
}
