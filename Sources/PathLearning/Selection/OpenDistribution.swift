import PathTelemetry

/// Thompson sampling without its probabilities: a decision draws from the posteriors themselves, and
/// how likely each action was is worked out later, where time does not matter.
///
/// A distribution that is open holds means and deviations of the costs in place of probabilities.
extension ActionDistribution {
    /// What is known of an open distribution: enough to work out its probabilities anywhere.
    public struct Open: Sendable {
        /// The actions that take part, bit k for number k; none when the distribution is not open.
        public var members: UInt16
        /// Probability shared evenly by them.
        public var epsilon: Double

        public init(members: UInt16, epsilon: Double) {
            self.members = members
            self.epsilon = epsilon
        }

        static let no = Open(members: 0, epsilon: 0)
    }

    /// True while the probabilities are not worked out.
    @inlinable public var isOpen: Bool { open.members != 0 }

    /// The single candidates, of which `members` take part; at least one.
    ///
    /// - Parameters:
    ///   - means: of the costs, finite.
    ///   - deviations: of the same, finite, zero or positive.
    mutating func leaveOpen(
        _ candidates: Span<Candidate>, means: borrowing InlineArray<16, Double>,
        deviations: borrowing InlineArray<16, Double>, members: UInt32, epsilon: Double
    ) {
        for index in 0..<candidates.count {
            append(PathSet(candidates[index].path), means[index])
            probabilities[PathID.limit + index] = deviations[index]
        }
        open = Open(members: UInt16(truncatingIfNeeded: members), epsilon: epsilon)
    }

    /// Draws from an open distribution: the least of one number from each posterior, or, with
    /// probability epsilon, any of the members.
    ///
    /// The draw seeds what is drawn, so the n-th decision has the n-th draw with every policy.
    /// Source: Thompson, "On the likelihood that one unknown probability exceeds another", 1933.
    mutating func sampleOpen(_ draw: Double) -> Int {
        var generator = SeededGenerator(seed: draw.bitPattern)
        let explores = generator.uniform() < open.epsilon
        let among = explores ? Int(generator.uniform() * Double(open.members.nonzeroBitCount)) : 0
        var best = open.members.trailingZeroBitCount
        var least = Double.infinity
        var place = 0
        for index in 0..<min(count, PathID.limit) where open.members & (1 &<< UInt16(index)) != 0 {
            if explores {
                if place == among { return index }
            } else {
                let cost =
                    probabilities[index]
                    + probabilities[PathID.limit + index] * generator.normal()
                if cost < least {
                    least = cost
                    best = index
                }
            }
            place += 1
        }
        return best
    }

    /// Works out the probabilities of a distribution that is open.
    ///
    /// - Parameter chosen: the action that was taken; its probability is above zero.
    mutating func workOut(chosen: Int) {
        guard isOpen else { return }
        var means = InlineArray<16, Double>(repeating: 0)
        var deviations = InlineArray<16, Double>(repeating: 0)
        for index in 0..<PathID.limit {
            means[index] = probabilities[index]
            deviations[index] = probabilities[PathID.limit + index]
        }
        let shares = open.shares(means, deviations, count: count, chosen: chosen)
        for index in 0..<PathID.limit { probabilities[index] = shares[index] }
        open = .no
    }
}

extension ActionDistribution.Open {
    /// The probabilities of `count` actions, from means and deviations of their costs.
    ///
    /// - Parameter chosen: the action that was taken; its probability is above zero.
    public func shares(
        _ means: InlineArray<16, Double>, _ deviations: InlineArray<16, Double>, count: Int,
        chosen: Int
    ) -> InlineArray<16, Double> {
        let members = UInt32(members) & ((1 &<< UInt32(min(max(count, 0), PathID.limit))) - 1)
        var shares = InlineArray<16, Double>(repeating: 0)
        guard members != 0 else { return shares }
        LeastProbabilities.fill(
            means: means, deviations: deviations, members: members, into: &shares)
        let floor = epsilon / Double(members.nonzeroBitCount)
        for index in 0..<PathID.limit where members & (1 &<< UInt32(index)) != 0 {
            shares[index] = floor + (1 - epsilon) * shares[index]
        }
        // What was drawn had a chance, if one too small for the quadrature to tell from none.
        if chosen >= 0, chosen < PathID.limit, members & (1 &<< UInt32(chosen)) != 0 {
            shares[chosen] = max(shares[chosen], 1e-13)
        }
        return shares
    }
}
