import CKernels

/// What a decision reads of a path's past: the part of its estimator that is handed over for each
/// decision, as numbers and ready for the kernel that makes features of them.
public struct PathEvidence: Sendable {
    var averages = ck_averages()
    /// Mean raw one-way delay of about the last 250 ms, and its least of 10 s.
    var rawDelay: TimeDelta?
    var rawDelayMinimum: TimeDelta?
    /// The least RTT of the last 10 s.
    var minRTT: TimeDelta?
    /// When packets were last declared lost, and when an acknowledgement last arrived.
    var lastLoss: Instant?
    var lastReply: Instant?

    init() {}
}
