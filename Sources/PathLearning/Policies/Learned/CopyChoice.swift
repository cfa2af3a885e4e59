import Glibc
import PathTelemetry

/// Decides which messages are also sent on a second path.
struct CopyChoice: Sendable {
    static let mode = getenv("PW_COPY").flatMap { Int(String(cString: $0)) } ?? 0
    static let budget = getenv("PW_BUDGET").flatMap { Double(String(cString: $0)) } ?? 0.05
    static let eta = getenv("PW_ETA").flatMap { Double(String(cString: $0)) } ?? 0.02
    private static let most = 0.9

    private var price = 0.02
    private var credit = 0.0
    private var random = 12345.0

    mutating func fill(
        _ distribution: inout ActionDistribution, _ candidates: Span<Candidate>,
        _ burst: BurstContext, _ evaluation: LearnedEvaluation
    ) -> UInt64 {
        guard CopyChoice.mode > 0, candidates.count > 1 else { return 0 }
        let whole = 2 * burst.deadline.seconds
        let first = CopyChoice.likeliest(distribution)
        let (second, gain) = CopyChoice.second(first, candidates.count, evaluation, whole)
        let share = share(gain: gain, bytes: Double(burst.bytes))
        guard share > 0.001 else { return 0 }
        var both = PathSet(candidates[first].path)
        both.formUnion(PathSet(candidates[second].path))
        let base = distribution[first]
        distribution[first] = base * (1 - share)
        distribution.append(both, base * share)
        return UInt64(share * 4095) << 32
    }

    private static func likeliest(_ distribution: ActionDistribution) -> Int {
        var first = 0
        for index in 0..<distribution.count {
            if distribution[index] > distribution[first] { first = index }
        }
        return first
    }

    private static func second(
        _ first: Int, _ count: Int, _ evaluation: LearnedEvaluation, _ whole: Double
    ) -> (Int, Double) {
        let own = parts(evaluation, first, whole)
        var second = first == 0 ? 1 : 0
        var gain = -1.0
        for index in 0..<count {
            if index == first { continue }
            let other = parts(evaluation, index, whole)
            let value = own.late * (1 - other.late) * (1 - other.score)
            if value > gain {
                second = index
                gain = value
            }
        }
        return (second, gain)
    }

    private mutating func share(gain: Double, bytes: Double) -> Double {
        var gain = gain
        if CopyChoice.mode == 3 {
            random = (random * 16807).truncatingRemainder(dividingBy: 2147483647)
            gain = random / 2147483647
        }
        let ratio = price / max(gain, 1e-9)
        var share = CopyChoice.most / (1 + ratio * ratio * ratio * ratio)
        credit = min(credit + CopyChoice.budget * bytes, 500 * CopyChoice.budget * bytes)
        if credit < bytes { share = 0 }
        price *= exp(CopyChoice.eta * (share - CopyChoice.budget))
        price = min(max(price, 1e-5), 1)
        credit -= share * bytes
        return share
    }

    private static func parts(
        _ evaluation: LearnedEvaluation, _ index: Int, _ whole: Double
    ) -> (late: Double, score: Double) {
        let score = min(evaluation.rows[2 * PathID.limit + index], whole / 2) / whole
        if mode == 2 { return (evaluation.rows[PathID.limit + index], score) }
        let result = evaluation.results[index] / whole
        return (min(max((result - score) / (1 - score), 0), 1), score)
    }

    static func weight(memo: UInt64) -> Double {
        1 / (1 - Double(memo >> 32 & 4095) / 4095)
    }
}
