import PathTelemetry

/// The candidates that a learned policy may use: bit k for candidate k.
enum SafeSet {
    /// A predicted delivery within 0.1 ms and 10^6 s; what is no number is the worst.
    @inline(__always)
    static func bounded(_ delivery: Double) -> Double {
        delivery <= 1e6 ? max(delivery, 1e-4) : 1e6
    }

    /// Those predicted within `ratio` times the fastest plus `slack` whose reply is not overdue
    /// while another's is not; never empty when the deliveries are finite.
    ///
    /// - Parameter deliveries: predicted, seconds, one a candidate or more.
    @inline(__always)
    static func members(
        _ candidates: Span<Candidate>, deliveries: Span<Double>, ratio: Double, slack: Double
    ) -> UInt32 {
        members(
            candidates, overdue: overdue(candidates), deliveries: deliveries, ratio: ratio,
            slack: slack)
    }

    /// The same where it is known whose reply is overdue.
    @inline(__always)
    static func members(
        _ candidates: Span<Candidate>, overdue: UInt32, deliveries: Span<Double>, ratio: Double,
        slack: Double
    ) -> UInt32 {
        let answering = answering(overdue, among: candidates.count)
        var fastest = Double.infinity
        for index in 0..<candidates.count where answering & (1 &<< UInt32(index)) != 0 {
            fastest = min(fastest, deliveries[index])
        }
        let bar = ratio * fastest + slack
        var members: UInt32 = 0
        for index in 0..<candidates.count where answering & (1 &<< UInt32(index)) != 0 {
            if deliveries[index] <= bar { members |= 1 &<< UInt32(index) }
        }
        return members
    }

    /// Those whose reply is not overdue; all when every reply is, since that says nothing about
    /// which path to avoid.
    @inline(__always)
    static func answering(_ candidates: Span<Candidate>) -> UInt32 {
        answering(overdue(candidates), among: candidates.count)
    }

    @inline(__always)
    private static func answering(_ overdue: UInt32, among count: Int) -> UInt32 {
        let all = (1 &<< UInt32(count)) &- 1
        return overdue == all ? all : all & ~overdue
    }

    @inline(__always)
    private static func overdue(_ candidates: Span<Candidate>) -> UInt32 {
        var overdue: UInt32 = 0
        for index in 0..<candidates.count {
            let isOverdue = SteadyPolicy.isSuspicious(candidates[index])
            overdue |= (isOverdue ? 1 : 0) &<< UInt32(index)
        }
        return overdue
    }
}

extension ActionDistribution {
    /// The least cost of the members gets `1 - epsilon`, and each member a share of `epsilon`.
    ///
    /// - Parameter costs: one a candidate or more.
    @inline(__always)
    mutating func chooseLeast(
        _ costs: Span<Double>, of members: UInt32, among candidates: Span<Candidate>,
        epsilon: Double
    ) {
        var best = -1
        for index in 0..<candidates.count where members & (1 &<< UInt32(index)) != 0 {
            if best < 0 {
                best = index
            } else if costs[index] < costs[best] {
                best = index
            }
        }
        let share = epsilon / Double(max(1, members.nonzeroBitCount))
        for index in 0..<candidates.count {
            let floor = members & (1 &<< UInt32(index)) != 0 ? share : 0
            append(
                PathSet(candidates[index].path), index == best ? floor + (1 - epsilon) : floor)
        }
    }
}
