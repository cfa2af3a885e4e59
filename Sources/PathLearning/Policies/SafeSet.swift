import CKernels
import PathTelemetry

/// The candidates that a learned policy may use: bit k for candidate k.
enum SafeSet {
    /// A predicted delivery clamped to 0.1 ms ...
    ///
    /// 10^6 s; NaN becomes the worst.
    @inline(__always)
    static func bounded(_ delivery: Double) -> Double {
        delivery <= 1e6 ? max(delivery, 1e-4) : 1e6
    }

    /// The candidates predicted within `ratio` times the fastest plus `slack`, except those whose
    /// reply is overdue while another's is not; never empty if the deliveries are finite.
    ///
    /// - Parameter deliveries: predicted deliveries, seconds, with room for all possible
    ///   candidates.
    @inline(__always)
    static func members(
        _ candidates: Span<Candidate>, deliveries: Span<Double>, ratio: Double, slack: Double
    ) -> UInt32 {
        precondition(deliveries.count >= PathID.limit)
        return deliveries.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return 0 }
            return ck_safe_set(base, answering(candidates), ratio, slack, candidates.count)
        }
    }

    /// The candidates whose reply is not overdue; all of them if every reply is, since that does
    /// not tell which path to avoid.
    @inline(__always)
    static func answering(_ candidates: Span<Candidate>) -> UInt32 {
        let all = all(candidates)
        let overdue = overdue(candidates)
        return overdue == all ? all : all & ~overdue
    }

    @inline(__always)
    static func all(_ candidates: Span<Candidate>) -> UInt32 {
        (1 &<< UInt32(candidates.count)) &- 1
    }

    /// The candidates whose reply is overdue.
    ///
    /// - Parameter each: called with the position of every candidate and whether it is overdue.
    @inline(__always)
    static func overdue(
        _ candidates: Span<Candidate>, each: (Int, Bool) -> Void = { _, _ in }
    ) -> UInt32 {
        var overdue: UInt32 = 0
        for index in 0..<candidates.count {
            let isOverdue = SteadyPolicy.isSuspicious(candidates[index])
            overdue |= (isOverdue ? 1 : 0) &<< UInt32(truncatingIfNeeded: index)
            each(index, isOverdue)
        }
        return overdue
    }
}

extension ck_choice {
    /// Makes the rule for a safe set by delivery alone, with a share of `epsilon` for each member.
    init(ratio: Double, slack: Double, epsilon: Double) {
        self.init()
        self.ratio = ratio
        self.slack = slack
        self.epsilon = epsilon
    }
}

extension ActionDistribution {
    /// Gives `1 - epsilon` to the least cost in the safe set, and each member a share of `epsilon`.
    ///
    /// - Parameters:
    ///   - costs: costs and expected deliveries in seconds, with room for all possible candidates.
    mutating func chooseLeast(
        _ rule: ck_choice, _ costs: Span<Double>, _ deliveries: Span<Double>,
        among candidates: Span<Candidate>
    ) {
        precondition(min(costs.count, deliveries.count) >= PathID.limit)
        costs.withUnsafeBufferPointer { costs in
            deliveries.withUnsafeBufferPointer { deliveries in
                guard let costs = costs.baseAddress, let deliveries = deliveries.baseAddress
                else { return }
                chooseLeast(rule, costs, deliveries, among: candidates)
            }
        }
    }

    /// The same for rows of sixteen.
    @inline(__always)
    mutating func chooseLeast(
        _ rule: ck_choice, _ costs: UnsafePointer<Double>, _ deliveries: UnsafePointer<Double>,
        among candidates: Span<Candidate>
    ) {
        var rule = rule
        let members = SafeSet.answering(candidates)
        candidates.withKernel { first, step, count in
            withSingles(count) {
                ck_choose_least(&rule, costs, deliveries, members, first, step, count, $0, $1)
            }
        }
    }
}
