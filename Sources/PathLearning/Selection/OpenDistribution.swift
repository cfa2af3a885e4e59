import PathTelemetry

/// Thompson sampling with deferred probabilities: a decision draws from the posteriors themselves,
/// and the probabilities of the actions are computed later, off the packet path.
///
/// Until then (`isOpen`) a distribution holds means and standard deviations of the costs instead of
/// probabilities.
extension ActionDistribution {
    /// The state from which deferred probabilities can be computed anywhere.
    public struct Open: Sendable {
        /// The actions that take part, bit k for number k; zero if the probabilities are computed.
        public var members: UInt16
        /// Probability that they share evenly.
        public var epsilon: Double

        public init(members: UInt16, epsilon: Double) {
            self.members = members
            self.epsilon = epsilon
        }

        static let no = Open(members: 0, epsilon: 0)
    }

    /// Whether the probabilities are not computed yet.
    @inlinable public var isOpen: Bool { open.members != 0 }

    /// Appends the single candidates with deferred probabilities; at least one is in `members`.
    ///
    /// - Parameters:
    ///   - means: means of the costs, finite.
    ///   - deviations: standard deviations of the costs, finite, zero or positive.
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

    /// Draws an action: the least of one sample from each posterior, or, with probability epsilon,
    /// any of the members.
    ///
    /// The draw seeds the samples, so the n-th decision has the n-th draw with every policy.
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

    /// Computes deferred probabilities.
    ///
    /// - Parameter chosen: the chosen action, whose probability is above zero.
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
    /// Computes the probabilities of `count` actions from means and standard deviations of their
    /// costs.
    ///
    /// - Parameter chosen: the chosen action, whose probability is above zero.
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
        // The drawn action had a positive probability, even if quadrature cannot distinguish it
        // from zero.
        if chosen >= 0, chosen < PathID.limit, members & (1 &<< UInt32(chosen)) != 0 {
            shares[chosen] = max(shares[chosen], 1e-13)
        }
        return shares
    }
}
