import Glibc
import PathTelemetry

/// What a burst is expected to cost on each path, beyond the heuristic's prediction: the mean of recent
/// residuals, for each traffic class.
///
/// It is the model of doubly robust estimates, which are right whatever it says; the closer it is, the
/// narrower they are. It knows nothing of later outcomes. A residual is that of `Cost.residual`.
struct PathExpectations: Sendable {
    /// Half-life of evidence, seconds.
    private static let halfLife = 60.0
    /// The weight of the prediction itself, in outcomes.
    private static let prior = 5.0

    private struct Cell: Sendable {
        var count = 0.0
        var sum = 0.0
        var updated = Instant.zero
    }

    private var cells = InlineArray<32, Cell>(repeating: Cell())

    @inline(__always)
    private static func place(_ path: PathID, _ trafficClass: TrafficClass) -> Int {
        Int(path.rawValue & 15) &+ (trafficClass == .message ? 16 : 0)
    }

    /// The residual that is expected of a path.
    @inline(__always)
    func residual(_ path: PathID, _ trafficClass: TrafficClass) -> Double {
        let cell = cells[PathExpectations.place(path, trafficClass)]
        return cell.sum / (cell.count + PathExpectations.prior)
    }

    /// Learns the residual of an outcome.
    mutating func learn(
        _ path: PathID, _ trafficClass: TrafficClass, residual: Double, now: Instant
    ) {
        let place = PathExpectations.place(path, trafficClass)
        let elapsed = max(0, (now - cells[place].updated).seconds)
        let decay = cells[place].count > 0 ? exp2(-elapsed / PathExpectations.halfLife) : 0
        cells[place].count = cells[place].count * decay + 1
        cells[place].sum = cells[place].sum * decay + residual
        cells[place].updated = max(cells[place].updated, now)
    }
}
