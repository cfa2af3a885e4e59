/// One decision as the estimators see it.
public struct OffPolicyRow: Hashable, Sendable {
    /// w: the evaluated policy's probability of the logged action over its propensity.
    public var weight: Double
    /// r: the reward of the logged action.
    public var reward: Double
    /// q(x, a): the reward model's expectation for the logged action.
    var modelled: Double
    /// d: the reward model's expectation for the evaluated policy, the sum over actions of pi(a)
    /// q(x, a).
    var direct: Double
    /// The same two for the model that minimises the variance of DR.
    var robustModelled: Double
    var robustDirect: Double
    /// Whether the logged action is the evaluated policy's most probable one.
    var isMatch: Bool
    /// The expectation of w^2 in this decision under the recorded probabilities; w^2 itself, which
    /// has that expectation, if they are not known.
    var weightSquare: Double

    public init(
        weight: Double, reward: Double, modelled: Double = 0, direct: Double = 0,
        robustModelled: Double = 0, robustDirect: Double = 0, isMatch: Bool = false
    ) {
        self.weight = weight
        self.reward = reward
        self.modelled = modelled
        self.direct = direct
        self.robustModelled = robustModelled
        self.robustDirect = robustDirect
        self.isMatch = isMatch
        weightSquare = weight * weight
    }
}

/// Up to 256 decisions in columns that are stored elsewhere; the model's columns are not read
/// without a reward model.
struct RowColumns {
    var count: Int
    var weights: UnsafePointer<Double>
    var rewards: UnsafePointer<Double>
    var modelled: UnsafePointer<Double>
    var direct: UnsafePointer<Double>
    /// Nil if no score of the robust model is kept.
    var robustModelled: UnsafePointer<Double>?
    var robustDirect: UnsafePointer<Double>?
    /// The expectations of the squares of the weights.
    var squares: UnsafePointer<Double>
    /// One if the logged action is the policy's most probable one, else zero.
    var matches: UnsafePointer<Int64>
}

/// Up to 256 decisions in columns, for the kernels.
public struct RowBlock: Sendable {
    /// The most rows in a block.
    public static let capacity = 256

    public internal(set) var count = 0
    var weights = [Double](repeating: 0, count: capacity)
    var rewards = [Double](repeating: 0, count: capacity)
    var modelled = [Double](repeating: 0, count: capacity)
    var direct = [Double](repeating: 0, count: capacity)
    var robustModelled = [Double](repeating: 0, count: capacity)
    var robustDirect = [Double](repeating: 0, count: capacity)
    var matches = [Int64](repeating: 0, count: capacity)
    var squares = [Double](repeating: 0, count: capacity)

    public init() {}

    public var isFull: Bool { count == RowBlock.capacity }

    /// Removes all rows.
    public mutating func removeAll() { count = 0 }

    /// Appends one row.
    ///
    /// - Precondition: the block is not full.
    @inline(__always)
    public mutating func append(_ row: OffPolicyRow) {
        weights[count] = row.weight
        rewards[count] = row.reward
        modelled[count] = row.modelled
        direct[count] = row.direct
        robustModelled[count] = row.robustModelled
        robustDirect[count] = row.robustDirect
        matches[count] = row.isMatch ? 1 : 0
        squares[count] = row.weightSquare
        count &+= 1
    }

    /// Lends the columns to the kernels.
    func withColumns<Result>(_ body: (RowColumns) -> Result?) -> Result? {
        weights.withUnsafeBufferPointer { w in
            rewards.withUnsafeBufferPointer { r in
                matches.withUnsafeBufferPointer { m in
                    squares.withUnsafeBufferPointer { s in
                        withModels { q, d, rq, rd in
                            guard let w = w.baseAddress, let r = r.baseAddress,
                                let m = m.baseAddress, let s = s.baseAddress
                            else { return nil }
                            return body(
                                RowColumns(
                                    count: count, weights: w, rewards: r, modelled: q, direct: d,
                                    robustModelled: rq, robustDirect: rd, squares: s, matches: m))
                        }
                    }
                }
            }
        }
    }

    /// Lends the columns of the two models.
    private func withModels<Result>(
        _ body: (
            _ modelled: UnsafePointer<Double>, _ direct: UnsafePointer<Double>,
            _ robustModelled: UnsafePointer<Double>, _ robustDirect: UnsafePointer<Double>
        ) -> Result?
    ) -> Result? {
        modelled.withUnsafeBufferPointer { q in
            direct.withUnsafeBufferPointer { d in
                robustModelled.withUnsafeBufferPointer { rq in
                    robustDirect.withUnsafeBufferPointer { rd in
                        guard let q = q.baseAddress, let d = d.baseAddress,
                            let rq = rq.baseAddress, let rd = rd.baseAddress
                        else { return nil }
                        return body(q, d, rq, rd)
                    }
                }
            }
        }
    }

    /// Calls `body` with the columns w, w r, d and w (r - q).
    func withProducts(
        _ body: (_ weights: UnsafePointer<Double>, _ rest: [UnsafePointer<Double>]) -> Void
    ) {
        withUnsafeTemporaryAllocation(of: Double.self, capacity: 2 * RowBlock.capacity) { room in
            guard let base = room.baseAddress else { return }
            weights.withUnsafeBufferPointer { w in
                direct.withUnsafeBufferPointer { d in
                    guard let w = w.baseAddress, let d = d.baseAddress else { return }
                    let residual = base + RowBlock.capacity
                    for i in 0..<count {
                        base[i] = w[i] * rewards[i]
                        residual[i] = w[i] * (rewards[i] - modelled[i])
                    }
                    body(w, [UnsafePointer(base), d, UnsafePointer(residual)])
                }
            }
        }
    }

    /// The DR score d + w (r - q) of a row.
    public func doublyRobust(_ row: Int) -> Double {
        direct[row] + weights[row] * (rewards[row] - modelled[row])
    }

    /// A row as it was appended.
    public func row(_ index: Int) -> OffPolicyRow {
        var row = OffPolicyRow(
            weight: weights[index], reward: rewards[index], modelled: modelled[index],
            direct: direct[index], robustModelled: robustModelled[index],
            robustDirect: robustDirect[index], isMatch: matches[index] != 0)
        row.weightSquare = squares[index]
        return row
    }
}
