import Glibc

/// Scores of a model of P(late) on held-out decisions, and the guarantees that follow.
///
/// It counts the scores by class in 256 bins of the logit, and counts of parts can be added.
/// Guarantees hold in finite samples if later decisions are exchangeable with these; bins round
/// conservatively. Source: Vovk, Gammerman and Shafer, "Algorithmic learning in a random world",
/// 2005, section 4.5 (conditional on the class); Angelopoulos and Bates, "A gentle introduction to
/// conformal prediction", 2021.
public struct ConformalCalibration: Sendable, Equatable {
    public static let bins = 256
    private static let lowest = -16.0
    private static let width = 0.125

    /// Late decisions, by the bin of their score.
    public private(set) var late: [Double]
    /// Timely decisions, by the bin of their score.
    private(set) var inTime: [Double]

    public init() {
        late = [Double](repeating: 0, count: ConformalCalibration.bins)
        inTime = late
    }

    /// Makes a calibration from the counts in a file.
    ///
    /// - Throws: `ModelProblem.notAModel` for a wrong number of bins or negative counts.
    public init(late: [Double], inTime: [Double]) throws(ModelProblem) {
        let bins = ConformalCalibration.bins
        guard late.count == bins, inTime.count == bins,
            late.allSatisfy({ $0 >= 0 }), inTime.allSatisfy({ $0 >= 0 })
        else { throw .notAModel("its calibration is not \(bins) counts above zero") }
        self.late = late
        self.inTime = inTime
    }

    /// Adds one decision with the model's logit.
    public mutating func add(logit: Double, isLate: Bool) {
        guard logit.isFinite else { return }
        let bin = ConformalCalibration.bin(logit)
        if isLate { late[bin] += 1 } else { inTime[bin] += 1 }
    }

    /// Adds all decisions of another calibration of the same model.
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

    /// The logit below which a burst is accepted as timely.
    ///
    /// At most the share `miss` of late bursts has a logit below it. Minus infinity if there were
    /// too few late bursts for this guarantee (fewer than `1 / miss - 1`).
    public func threshold(miss: Double) -> Double {
        let total = lateCount
        let rank = (miss * (total + 1)).rounded(.down)
        guard rank >= 1 else { return -.infinity }
        guard rank <= total else { return .infinity }
        var seen = 0.0
        for bin in late.indices {
            seen += late[bin]
            guard seen >= rank else { continue }
            // Nothing is known below the first bin's lower edge.
            return bin == 0
                ? -.infinity
                : ConformalCalibration.lowest + Double(bin) * ConformalCalibration.width
        }
        return .infinity
    }

    /// The conformal p-value of "it will be late"; a small value speaks against it.
    ///
    /// At most the share `a` of late bursts has a value of `a` or less.
    public func lateness(logit: Double) -> Double {
        guard logit.isFinite else { return 1 }
        let bin = ConformalCalibration.bin(logit)
        var below = 0.0
        for index in 0...bin { below += late[index] }
        return (below + 1) / (lateCount + 1)
    }

    /// A row of the calibration table: predicted against observed.
    public struct TableRow: Sendable, Equatable {
        /// Range of the predicted probabilities of the row.
        public let from: Double
        public let to: Double
        public let decisions: Double
        public let late: Double
        /// Mean of the predictions, by the middles of their bins.
        public let predicted: Double
        /// Share that was late.
        public var observed: Double { decisions > 0 ? late / decisions : 0 }
    }

    /// Predicted against observed probabilities, in rows of about equal numbers of decisions.
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

    /// Expected calibration error: the mean distance of predicted from observed over the rows of
    /// the table, weighted by their decisions.
    var expectedError: Double {
        let rows = table()
        let total = rows.reduce(0) { $0 + $1.decisions }
        guard total > 0 else { return 0 }
        return rows.reduce(0) {
            $0 + $1.decisions * ($1.predicted - $1.observed).magnitude
        } / total
    }
}
