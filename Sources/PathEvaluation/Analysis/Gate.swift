/// Decides deploy, hold or reject by a time-uniform interval of the gain.
public struct Gate: Hashable, Sendable {
    /// The decision about a policy.
    public enum Decision: String, Hashable, Sendable {
        case deploy, hold, reject
    }

    public private(set) var decision: Decision
    /// Why a policy is held; empty if the interval is the reason.
    public private(set) var reason = ""
    /// Interval of the gain over the recorded policy.
    public let interval: Interval
    /// The smallest gain that is worth a deployment, in units of reward.
    public let margin: Double

    /// A policy is deployed if the whole interval is above the margin and the verdict is not "do
    /// not trust", and rejected if the whole interval is below zero.
    init(_ interval: Interval, _ verdict: Verdict, margin: Double) {
        self.interval = interval
        self.margin = margin
        if interval.low > margin {
            decision = verdict.level == .doNotTrust ? .hold : .deploy
            if decision == .hold { reason = "the estimate cannot be trusted" }
        } else if interval.high < 0 {
            decision = .reject
        } else {
            decision = .hold
            if interval.low > 0 || interval.high <= margin {
                reason = "the gain may be smaller than the margin"
            }
        }
    }

    /// Changes the decision from deploy to hold.
    mutating func hold(_ reason: String) {
        guard decision == .deploy else { return }
        decision = .hold
        self.reason = reason
    }
}
