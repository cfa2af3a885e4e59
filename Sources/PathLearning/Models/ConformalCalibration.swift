import Glibc

/// What a model of P(late) said of decisions it was not fitted to, and the guarantees that follow.
///
/// Counts of its scores by class in bins of the logit; 256 bins whatever the number of decisions,
/// and counts of parts add up. Guarantees hold in finite samples when later decisions are
/// exchangeable with these; bins round towards caution.
/// Source: Vovk, Gammerman and Shafer, "Algorithmic learning in a random world", 2005, section 4.5
/// (conditional on the class); Angelopoulos and Bates, "A gentle introduction to conformal
/// prediction", 2021.
public struct ConformalCalibration: Sendable, Equatable {
    public static let bins = 256
    private static let lowest = -16.0
    private static let width = 0.125

    /// Decisions that were late, by the bin of their score.
    public private(set) var late: [Double]
    /// Decisions that were in time.
    private(set) var inTime: [Double]

    public init() {
        late = [Double](repeating: 0, count: ConformalCalibration.bins)
        inTime = late
    }

    /// From counts that a file holds.
    ///
    /// - Throws: `ModelProblem.notAModel` for another number of bins or counts below zero.
    public init(late: [Double], inTime: [Double]) throws(ModelProblem) {
        let bins = ConformalCalibration.bins
        guard late.count == bins, inTime.count == bins,
            late.allSatisfy({ $0 >= 0 }), inTime.allSatisfy({ $0 >= 0 })
        else { throw .notAModel("its calibration is not \(bins) counts above zero") }
        self.late = late
        self.inTime = inTime
    }

    /// Takes in one decision with the logit that the model gave it.
    public mutating func add(logit: Double, isLate: Bool) {
        guard logit.isFinite else { return }
        let bin = ConformalCalibration.bin(logit)
        if isLate { late[bin] += 1 } else { inTime[bin] += 1 }
    }

    /// Takes in all decisions of another calibration of the same model.
    public mutating func merge(_ other: ConformalCalibration) {
        for bin in late.indices {
            late[bin] += other.late[bin]
            inTime[bin] += other.inTime[bin]
        }
    }

    private static func bin(_ logit: Double) -> Int {
        let place = (logit - lowest) / width
        return place <= 0 ? 0 : place >= Double(bins - 1) ? bins - 1 : Int(place)
    }

    public var lateCount: Double { late.reduce(0, +) }
    public var count: Double { lateCount + inTime.reduce(0, +) }

    /// The logit below which a burst may be trusted to be in time.
    ///
    /// Of bursts that will be late, at most the share `miss` has a logit below it. Minus infinity
    /// when there were too few late ones to promise it (fewer than `1 / miss - 1`).
    public func threshold(miss: Double) -> Double {
        let total = lateCount
        let rank = (miss * (total + 1)).rounded(.down)
        guard rank >= 1 else { return -.infinity }
        guard rank <= total else { return .infinity }
        var seen = 0.0
        for bin in late.indices {
            seen += late[bin]
            guard seen >= rank else { continue }
            // Below the first bin's lower edge nothing is known.
            return bin == 0
                ? -.infinity
                : ConformalCalibration.lowest + Double(bin) * ConformalCalibration.width
        }
        return .infinity
    }

    /// The conformal p-value of "it will be late": small means it would be strange.
    ///
    /// At most the share `a` of late bursts gets a value of `a` or less.
    public func lateness(logit: Double) -> Double {
        guard logit.isFinite else { return 1 }
        let bin = ConformalCalibration.bin(logit)
        var below = 0.0
        for index in 0...bin { below += late[index] }
        return (below + 1) / (lateCount + 1)
    }

    /// A row of the table of what was said against what happened.
    public struct TableRow: Sendable, Equatable {
        /// Predicted probabilities of the row.
        public let from: Double
        public let to: Double
        public let decisions: Double
        public let late: Double
        /// Mean of the predictions, by the middles of their bins.
        public let predicted: Double
        /// Share that was late.
        public var observed: Double { decisions > 0 ? late / decisions : 0 }
    }

    /// Predicted against observed, in rows of about as many decisions each.
    public func table(rows: Int = 10) -> [TableRow] {
        let total = count
        guard total > 0, rows > 0 else { return [] }
        var result: [TableRow] = []
        var (decisions, lateOnes, predicted) = (0.0, 0.0, 0.0)
        var first = 0
        var taken = 0.0
        func edge(_ bin: Int) -> Double {
            bin == 0
                ? 0
                : bin == ConformalCalibration.bins
                    ? 1
                    : LogisticModel.probability(
                        ConformalCalibration.lowest + Double(bin) * ConformalCalibration.width)
        }
        for bin in late.indices {
            let here = late[bin] + inTime[bin]
            decisions += here
            lateOnes += late[bin]
            let middle =
                ConformalCalibration.lowest
                + (Double(bin) + 0.5) * ConformalCalibration.width
            predicted += here * LogisticModel.probability(middle)
            taken += here
            let isLast = taken >= total
            guard decisions > 0,
                isLast || taken >= total * Double(result.count + 1) / Double(rows)
            else { continue }
            result.append(
                TableRow(
                    from: edge(first), to: edge(bin + 1), decisions: decisions, late: lateOnes,
                    predicted: predicted / decisions))
            (decisions, lateOnes, predicted) = (0, 0, 0)
            first = bin + 1
            if isLast { break }
        }
        return result
    }

    /// Mean distance of predicted from observed over the rows of the table, by their decisions.
    var expectedError: Double {
        let rows = table()
        let total = rows.reduce(0) { $0 + $1.decisions }
        guard total > 0 else { return 0 }
        return rows.reduce(0) {
            $0 + $1.decisions * ($1.predicted - $1.observed).magnitude
        } / total
    }
}
