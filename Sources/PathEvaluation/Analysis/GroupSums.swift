import Glibc

/// The value of a policy on a group of decisions, such as one action or one traffic class.
public struct GroupSums: Sendable {
    public private(set) var rewards = Moments()
    public private(set) var scores = Moments()
    public private(set) var weight = 0.0
    private var inverse = 0.0
    private var weightSquares = 0.0
    private var squaresReward = 0.0
    private var squaresRewardSquare = 0.0

    @inline(__always)
    mutating func add(weight w: Double, reward: Double, score: Double) {
        rewards.add(reward)
        scores.add(score)
        let distance = reward - rewards.origin
        weight += w
        inverse += w * distance
        weightSquares += w * w
        squaresReward += w * w * distance
        squaresRewardSquare += w * w * distance * distance
    }

    public var count: Int { rewards.count }

    /// SNIPS on these decisions: the mean reward where the policy takes this action.
    public var selfNormalised: (value: Double, standardError: Double) {
        guard weight > 0 else { return (.nan, .nan) }
        guard count > 1 else { return (rewards.mean, .nan) }
        let from = inverse / weight
        let squares =
            squaresRewardSquare - 2 * from * squaresReward + from * from * weightSquares
        return (rewards.origin + from, max(0, squares).squareRoot() / weight)
    }
}

/// Several groups, by integer keys.
struct Groups: Sendable {
    private(set) var names: [String] = []
    private(set) var sums: [GroupSums] = []
    /// The index of the group of each small key, which nearly all keys are; -1 if none exists
    /// yet.
    private var near = [Int16](repeating: -1, count: 64)
    private var places: [Int: Int] = [:]

    @inline(__always)
    mutating func add(
        _ key: Int, weight: Double, reward: Double, score: Double, name: () -> String
    ) {
        let isNear = key >= 0 && key < near.count
        if let place = isNear ? Int(near[key]) : places[key], place >= 0 {
            sums[place].add(weight: weight, reward: reward, score: score)
            return
        }
        // In a log of very many actions only the first ones get groups.
        guard sums.count < 256 else { return }
        if isNear { near[key] = Int16(sums.count) } else { places[key] = sums.count }
        names.append(name())
        sums.append(GroupSums())
        sums[sums.count - 1].add(weight: weight, reward: reward, score: score)
    }
}

/// A discounted value: each decision counts half as much as one that came `halfLife` decisions
/// later.
struct DiscountedValue: Sendable {
    private let decay: Double
    private var count = 0.0
    private var sum = 0.0
    private var squares = 0.0
    private var countSquares = 0.0
    private var origin: Double?

    init(halfLife: Double) { decay = exp2(-1 / halfLife) }

    @inline(__always)
    mutating func add(_ score: Double) {
        if origin == nil { origin = score }
        let distance = score - (origin ?? 0)
        count = decay * count + 1
        countSquares = decay * decay * countSquares + 1
        sum = decay * sum + distance
        squares = decay * squares + distance * distance
    }

    /// The mean with its standard error.
    var mean: (value: Double, standardError: Double) {
        guard count > 0, let origin else { return (.nan, .nan) }
        let mean = sum / count
        let variance = max(0, squares / count - mean * mean)
        return (origin + mean, (variance * countSquares).squareRoot() / count)
    }
}
