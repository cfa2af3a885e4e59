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

    /// Adds all decisions of another group.
    mutating func merge(_ other: GroupSums) {
        guard other.count > 0 else { return }
        guard count > 0 else {
            self = other
            return
        }
        let shift = other.rewards.origin - rewards.origin
        squaresRewardSquare +=
            other.squaresRewardSquare + 2 * shift * other.squaresReward
            + shift * shift * other.weightSquares
        squaresReward += other.squaresReward + shift * other.weightSquares
        inverse += other.inverse + shift * other.weight
        weightSquares += other.weightSquares
        weight += other.weight
        rewards.merge(other.rewards)
        scores.merge(other.scores)
    }

    /// Writes or reads all numbers.
    mutating func transfer(_ stream: inout NumberStream) {
        rewards.transfer(&stream)
        scores.transfer(&stream)
        stream.pass(&weight)
        stream.pass(&inverse)
        stream.pass(&weightSquares)
        stream.pass(&squaresReward)
        stream.pass(&squaresRewardSquare)
    }

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
    fileprivate static let limit = 256
    fileprivate(set) var names: [String] = []
    fileprivate(set) var sums: [GroupSums] = []
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
        guard sums.count < Groups.limit else { return }
        if isNear { near[key] = Int16(sums.count) } else { places[key] = sums.count }
        names.append(name())
        sums.append(GroupSums())
        sums[sums.count - 1].add(weight: weight, reward: reward, score: score)
    }
}

extension Groups {
    /// Adds the groups of another log by their names, since keys may differ between logs.
    mutating func merge(_ other: Groups) {
        for (name, group) in zip(other.names, other.sums) {
            if let place = names.firstIndex(of: name) {
                sums[place].merge(group)
            } else if sums.count < Groups.limit {
                names.append(name)
                sums.append(group)
            }
        }
    }

    /// Writes or reads names and numbers; no decision is added to groups that were read.
    mutating func transfer(_ stream: inout NumberStream) {
        stream.pass(&names, empty: "") { name, stream in stream.pass(&name) }
        stream.pass(&sums, empty: GroupSums()) { group, stream in group.transfer(&stream) }
        if names.count != sums.count { stream.refuse() }
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

    /// Appends a later part of the log, of that many decisions.
    mutating func merge(_ later: DiscountedValue, decisions: Int) {
        guard later.origin != nil else { return }
        guard let origin, let other = later.origin else {
            self = later
            return
        }
        let fading = exp2(Double(decisions) * log2(decay))
        let shift = other - origin
        squares =
            fading * squares + later.squares + 2 * shift * later.sum + shift * shift * later.count
        sum = fading * sum + later.sum + shift * later.count
        count = fading * count + later.count
        countSquares = fading * fading * countSquares + later.countSquares
    }

    /// Writes or reads all numbers.
    mutating func transfer(_ stream: inout NumberStream) {
        stream.pass(&count)
        stream.pass(&sum)
        stream.pass(&squares)
        stream.pass(&countSquares)
        stream.pass(&origin, empty: 0) { origin, stream in stream.pass(&origin) }
    }

    /// The mean with its standard error.
    var mean: (value: Double, standardError: Double) {
        guard count > 0, let origin else { return (.nan, .nan) }
        let mean = sum / count
        let variance = max(0, squares / count - mean * mean)
        return (origin + mean, (variance * countSquares).squareRoot() / count)
    }
}
