import CKernels
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
    /// - Parameter deliveries: predicted, seconds; as many as there can be candidates.
    @inline(__always)
    static func members(
        _ candidates: Span<Candidate>, deliveries: Span<Double>, ratio: Double, slack: Double
    ) -> UInt32 {
        precondition(deliveries.count >= PathID.limit)
        return deliveries.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return 0 }
            return ck_safe_set(base, overdue(candidates), ratio, slack, candidates.count)
        }
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
    static func overdue(_ candidates: Span<Candidate>) -> UInt32 {
        var overdue: UInt32 = 0
        for index in 0..<candidates.count {
            let isOverdue = SteadyPolicy.isSuspicious(candidates[index])
            overdue |= (isOverdue ? 1 : 0) &<< UInt32(index)
        }
        return overdue
    }
}

extension ck_choice {
    /// The safe set by delivery alone, and a share of `epsilon` for each of it.
    init(ratio: Double, slack: Double, epsilon: Double) {
        self.init()
        self.ratio = ratio
        self.slack = slack
        self.epsilon = epsilon
    }
}

extension ActionDistribution {
    /// The least cost of the safe set gets `1 - epsilon`, and each of it a share of `epsilon`.
    ///
    /// - Parameters:
    ///   - costs: and expected deliveries, seconds: as many as there can be candidates.
    ///   - overdue: the candidates whose reply is.
    mutating func chooseLeast(
        _ rule: ck_choice, _ costs: Span<Double>, _ deliveries: Span<Double>, overdue: UInt32,
        among candidates: Span<Candidate>
    ) {
        precondition(min(costs.count, deliveries.count) >= PathID.limit)
        costs.withUnsafeBufferPointer { costs in
            deliveries.withUnsafeBufferPointer { deliveries in
                guard let costs = costs.baseAddress, let deliveries = deliveries.baseAddress
                else { return }
                chooseLeast(rule, costs, deliveries, overdue: overdue, among: candidates)
            }
        }
    }

    /// The same of rows of sixteen.
    @inline(__always)
    mutating func chooseLeast(
        _ rule: ck_choice, _ costs: UnsafePointer<Double>, _ deliveries: UnsafePointer<Double>,
        overdue: UInt32, among candidates: Span<Candidate>
    ) {
        var rule = rule
        candidates.withKernel { first, step, count in
            withSingles(count) {
                ck_choose_least(&rule, costs, deliveries, overdue, first, step, count, $0, $1)
            }
        }
    }
}
