import CKernels
import DenseMath

/// The sums over decisions that all estimators of one policy need, in constant memory.
///
/// With w = 1 everywhere (a policy on its own log) IPS and SNIPS equal the recorded mean exactly,
/// and with a constant reward of 1 SNIPS and SNDR are exactly 1 with a standard error of zero.
public struct OffPolicySums: Sendable {
    /// Rewards as recorded.
    public private(set) var logged = Moments()
    public private(set) var weights = Moments()
    public private(set) var inverse = Moments()
    private(set) var direct = Moments()
    public private(set) var doublyRobust = Moments()
    /// DR score minus recorded reward, per decision.
    public private(set) var gain = Moments()
    /// Scores kept besides IPS and DR.
    public let scores: [Score]
    private(set) var moments: [Moments]
    /// Whether there is a reward model.
    let hasModel: Bool
    /// Sums whose weights depend on the past.
    private(set) var adaptive: [AdaptiveSums]

    /// Sums of the squares of weights, and of weights with residuals.
    private(set) var weightSquares = CompensatedSum()
    /// w^2 (r - origin) and w^2 (r - origin)^2, with the origin of `logged`.
    private(set) var squaresDistance = CompensatedSum()
    private(set) var squaresDistanceSquare = CompensatedSum()
    /// u = w (r - q): u, u^2, u w; and with d' the distance of the direct term from its origin,
    /// d' u and d' w.
    private(set) var residual = CompensatedSum()
    private(set) var residualSquares = CompensatedSum()
    private(set) var residualWeight = CompensatedSum()
    private(set) var directResidual = CompensatedSum()
    private(set) var directWeight = CompensatedSum()
    /// Rewards of decisions whose action is the policy's most probable one.
    private(set) var matched = Moments()
    public private(set) var largestWeight = 0.0
    public private(set) var leastReward = Double.infinity
    public private(set) var greatestReward = -Double.infinity

    /// - Parameter scores: scores to keep besides IPS and DR, as `Estimator.scores(for:)` returns
    ///   them.
    public init(scores: [Score] = [], hasModel: Bool = true) {
        self.init(scores: scores, adaptive: [], hasModel: hasModel)
    }

    /// - Parameter adaptive: empty sums for the estimators that weigh adaptively.
    init(scores: [Score], adaptive: [AdaptiveSums], hasModel: Bool) {
        self.adaptive = hasModel ? adaptive : []
        let own = scores.filter {
            $0 != Score(.plain, .reward) && $0 != Score(.plain, .residual)
                && (hasModel || $0.base == .reward)
        }
        self.scores = own
        self.hasModel = hasModel
        moments = own.map { _ in Moments() }
    }

    public var count: Int { logged.count }

    /// Adds a block of decisions.
    public mutating func add(_ block: borrowing RowBlock) {
        guard block.count > 0 else { return }
        _ = block.withColumns { add($0) }
    }

    /// Adds up to 256 decisions.
    mutating func add(_ columns: RowColumns) {
        guard columns.count > 0 else { return }
        withUnsafeTemporaryAllocation(of: Double.self, capacity: 4 * RowBlock.capacity) { room in
            guard let room = room.baseAddress else { return }
            let most = Kernels.extremes(columns.weights, columns.count).most
            largestWeight = max(largestWeight, most)
            addWeighted(columns, most, room)
            if hasModel { addModelled(columns, most, room) }
        }
    }

    /// - Parameter most: the largest weight among the rows.
    private mutating func addWeighted(
        _ columns: RowColumns, _ most: Double, _ room: Kernels.Output
    ) {
        let (w, r, count) = (columns.weights, columns.rewards, columns.count)
        Kernels.add(r, count, to: &logged)
        Kernels.add(w, count, to: &weights)
        for i in 0..<count { room[i] = w[i] * r[i] }
        let plain = Kernels.add(room, count, to: &inverse)
        let origin = logged.origin
        for i in 0..<count { room[i] = w[i] * (r[i] - origin) }
        let products = Kernels.products(w, room, count)
        weightSquares.add(products.xx)
        squaresDistance.add(products.xy)
        squaresDistanceSquare.add(products.yy)
        let range = Kernels.extremes(r, count)
        leastReward = min(leastReward, range.least)
        greatestReward = max(greatestReward, range.most)
        let matching = Kernels.pack(r, where: columns.matches, count, into: room)
        Kernels.add(room, matching, to: &matched)
        for index in scores.indices where scores[index].base == .reward {
            guard !repeats(inverse, plain, most, count, at: index) else { continue }
            Kernels.add(scores[index].rule, w, r, nil, count, to: &moments[index])
        }
    }

    private mutating func addModelled(
        _ columns: RowColumns, _ most: Double, _ room: Kernels.Output
    ) {
        let (w, r, q, d) = (columns.weights, columns.rewards, columns.modelled, columns.direct)
        let count = columns.count
        let (u, e, z) = (
            room + RowBlock.capacity, room + 2 * RowBlock.capacity, room + 3 * RowBlock.capacity
        )
        Kernels.add(d, count, to: &direct)
        let origin = direct.origin
        for i in 0..<count {
            e[i] = r[i] - q[i]
            u[i] = w[i] * e[i]
            z[i] = d[i] - origin
        }
        let products = Kernels.products(u, w, z, count)
        residual.add(products.x)
        residualSquares.add(products.xx)
        residualWeight.add(products.xy)
        directResidual.add(products.zx)
        directWeight.add(products.zy)
        for i in 0..<count {
            z[i] = d[i] + u[i]
            u[i] = z[i] - r[i]
        }
        let plain = Kernels.add(z, count, to: &doublyRobust)
        Kernels.add(u, count, to: &gain)
        for index in adaptive.indices {
            for i in 0..<count { adaptive[index].add(z[i], variance: columns.squares[i]) }
        }
        for index in scores.indices where scores[index].base == .residual {
            guard !repeats(doublyRobust, plain, most, count, at: index) else { continue }
            Kernels.add(scores[index].rule, w, e, d, count, to: &moments[index])
        }
        guard let q = columns.robustModelled, let d = columns.robustDirect else { return }
        for index in scores.indices where scores[index].base == .robustResidual {
            for i in 0..<count { e[i] = r[i] - q[i] }
            Kernels.add(scores[index].rule, w, e, d, count, to: &moments[index])
        }
    }

    /// Adds a block's sums with plain weights to a score whose rule does not change these weights;
    /// returns false if they have to be computed, with other weights or about another origin.
    private mutating func repeats(
        _ whole: Moments, _ sums: ck_moments, _ most: Double, _ count: Int, at index: Int
    ) -> Bool {
        guard scores[index].rule.keeps(upTo: most),
            moments[index].count == 0 || moments[index].origin == whole.origin
        else { return false }
        moments[index].begin(at: whole.origin)
        moments[index].add(count: count, sums)
        return true
    }

    // MARK: Merge

    /// Adds all decisions of other sums, which keep the same scores and have a model if these do.
    mutating func merge(_ other: OffPolicySums) {
        guard other.count > 0 else { return }
        guard count > 0 else {
            self = other
            return
        }
        // The other sums about an origin are shifted to this one: (x - o) = (x - o') + d.
        let reward = other.logged.origin - logged.origin
        squaresDistanceSquare.add(other.squaresDistanceSquare)
        squaresDistanceSquare.add(2 * reward * other.squaresDistance.value)
        squaresDistanceSquare.add(reward * reward * other.weightSquares.value)
        squaresDistance.add(other.squaresDistance)
        squaresDistance.add(reward * other.weightSquares.value)
        let model = other.direct.origin - direct.origin
        directResidual.add(other.directResidual)
        directResidual.add(model * other.residual.value)
        directWeight.add(other.directWeight)
        directWeight.add(model * other.weights.sum)
        weightSquares.add(other.weightSquares)
        residual.add(other.residual)
        residualSquares.add(other.residualSquares)
        residualWeight.add(other.residualWeight)
        logged.merge(other.logged)
        weights.merge(other.weights)
        inverse.merge(other.inverse)
        direct.merge(other.direct)
        doublyRobust.merge(other.doublyRobust)
        gain.merge(other.gain)
        matched.merge(other.matched)
        for index in moments.indices where index < other.moments.count {
            moments[index].merge(other.moments[index])
        }
        for index in adaptive.indices where index < other.adaptive.count {
            adaptive[index].merge(other.adaptive[index])
        }
        largestWeight = max(largestWeight, other.largestWeight)
        leastReward = min(leastReward, other.leastReward)
        greatestReward = max(greatestReward, other.greatestReward)
    }

    /// Writes or reads all numbers; sums that are read must keep the same scores.
    mutating func transfer(_ stream: inout NumberStream) {
        for path in [
            \OffPolicySums.logged, \.weights, \.inverse, \.direct, \.doublyRobust, \.gain,
            \.matched,
        ] { self[keyPath: path].transfer(&stream) }
        for index in moments.indices { moments[index].transfer(&stream) }
        for index in adaptive.indices { adaptive[index].transfer(&stream) }
        for path in [
            \OffPolicySums.weightSquares, \.squaresDistance, \.squaresDistanceSquare, \.residual,
            \.residualSquares, \.residualWeight, \.directResidual, \.directWeight,
        ] { stream.pass(&self[keyPath: path]) }
        stream.pass(&largestWeight)
        stream.pass(&leastReward, unless: .infinity)
        stream.pass(&greatestReward, unless: -.infinity)
    }

    /// The moments of a score; nil if it was not kept.
    public func moments(of score: Score) -> Moments? {
        switch (score.rule, score.base) {
        case (.plain, .reward): return inverse
        case (.plain, .residual): return hasModel ? doublyRobust : nil
        default: return scores.firstIndex(of: score).map { moments[$0] }
        }
    }
}
