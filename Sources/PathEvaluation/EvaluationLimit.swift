/// Limits on numbers so that sums of the squares of rewards and weights stay finite.
///
/// A weight is at most the inverse of the least propensity, so w^2 r^2 is at most 1e300, and a
/// hundred million of them can be summed.
enum EvaluationLimit {
    static let number = 1e100
    static let propensity = 1e-50
}
