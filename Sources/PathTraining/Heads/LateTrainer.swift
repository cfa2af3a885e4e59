import Glibc
import PathLearning
import PathTelemetry

/// The fit of P(late) on held-out decisions.
public struct LateReport: Sendable, Equatable {
    /// Training rows, and the late ones among them.
    public var rows: UInt64
    public var lateRows: UInt64
    public var lambda: Double
    /// Newton steps over all rows, after those over the sample.
    public var passes: Int
    /// Mean held-out logarithmic loss of the model, and of a constant prediction of the training
    /// share.
    public var logLoss: Double?
    public var baseLogLoss: Double?
    /// Held-out mean squared error of the probability.
    public var brier: Double?
    public var heldOutRows: UInt64
    public var heldOutLate: UInt64
}

/// Fits P(late) by Newton's method, first on the sample and then on all rows.
struct LateTrainer {
    typealias Rows = (
        (UnsafeBufferPointer<Double>, RowReader.Row) -> Void
    ) throws(TrainingError) -> Void

    let options: TrainingOptions
    let reader: RowReader
    let sample: RowSample
    /// All rows of all traces in order; the sample if it is complete.
    let all: Rows

    private static let folds = 5
    /// The most rows that are used to choose the penalty and the starting weights.
    private static let choosing = 40_000

    func train() throws(TrainingError) -> (model: LogisticModel, report: LateReport) {
        let fourier =
            options.fourier > 0
            ? FourierFeatures(count: options.fourier, width: 3, seed: options.seed) : nil
        let size = FeatureSchema.count + (fourier?.count ?? 0)
        do throws(LearningError) {
            let (lambda, start) = try choose(size, fourier)
            var fit = try LogisticRegression(size: size, lambda: lambda, start: start)
            var row = [Double](repeating: 0, count: size)
            var (rows, late) = (UInt64(0), UInt64(0))
            while !fit.isDone {
                fit.begin()
                (rows, late) = (0, 0)
                try wrapped { () throws(TrainingError) in
                    try all { numbers, info in
                        guard info.segment != nil else { return }
                        LateTrainer.fill(&row, numbers, fourier)
                        row.withUnsafeBufferPointer {
                            fit.add($0, isLate: info.isLate, weight: reader.weight(info))
                        }
                        rows &+= 1
                        if info.isLate { late &+= 1 }
                    }
                }
                try fit.step()
            }
            return try measure(fit, fourier, rows: rows, late: late)
        } catch {
            throw .learning(error)
        }
    }

    /// Errors of the passes are read errors; they end the training unchanged.
    private func wrapped(
        _ body: () throws(TrainingError) -> Void
    ) throws(LearningError) {
        do throws(TrainingError) {
            try body()
        } catch {
            throw .training(error.description)
        }
    }

    /// Writes 24 features, then the Fourier features.
    @inline(__always)
    private static func fill(
        _ row: inout [Double], _ numbers: UnsafeBufferPointer<Double>, _ fourier: FourierFeatures?
    ) {
        row.withUnsafeMutableBufferPointer { row in
            for feature in 0..<FeatureSchema.count { row[feature] = numbers[feature] }
            if let fourier, let target = row.baseAddress, let source = numbers.baseAddress {
                fourier.write(source, into: target + FeatureSchema.count)
            }
        }
    }

    /// Chooses the penalty with the least cross-validated loss on folds of neighbouring segments,
    /// and returns its weights.
    private func choose(
        _ size: Int, _ fourier: FourierFeatures?
    ) throws(LearningError) -> (lambda: Double, start: [Double]) {
        let every = max(1, sample.count / LateTrainer.choosing)
        var rows: [(row: [Double], fold: Int, isLate: Bool, weight: Double)] = []
        var number = 0
        sample.forEach { numbers, info in
            number += 1
            guard let segment = info.segment, number % every == 0 else { return }
            var row = [Double](repeating: 0, count: size)
            LateTrainer.fill(&row, numbers, fourier)
            rows.append(
                (
                    row, segment * LateTrainer.folds / SegmentedRidge.segments, info.isLate,
                    reader.weight(info)
                ))
        }
        func fit(
            _ lambda: Double, without fold: Int?, start: [Double]?
        ) throws(LearningError) -> [Double] {
            var fit = try LogisticRegression(size: size, lambda: lambda, start: start)
            while !fit.isDone {
                fit.begin()
                for row in rows where row.fold != fold {
                    fit.add(row.row, isLate: row.isLate, weight: row.weight)
                }
                try fit.step()
            }
            return fit.weights
        }
        var chosen = options.lambdas[0]
        var least = Double.infinity
        let present = Set(rows.map(\.fold))
        if options.lambdas.count > 1, present.count > 1 {
            // Penalties go from strong to weak, as the stronger fit is a good start for the weaker.
            for lambda in options.lambdas.sorted(by: >) {
                var loss = 0.0
                for fold in present.sorted() {
                    let weights = try fit(lambda, without: fold, start: nil)
                    for row in rows where row.fold == fold {
                        loss += row.weight * LateTrainer.loss(weights, row.row, row.isLate)
                    }
                }
                if loss < least {
                    least = loss
                    chosen = lambda
                }
            }
        }
        return (chosen, try fit(chosen, without: nil, start: nil))
    }

    private static func loss(_ weights: [Double], _ row: [Double], _ isLate: Bool) -> Double {
        var z = weights[row.count]
        for index in row.indices { z += weights[index] * row[index] }
        return loss(logit: z, isLate)
    }

    /// `-log P` of the outcome.
    private static func loss(logit z: Double, _ isLate: Bool) -> Double {
        max(z, 0) + log1p(exp(-z.magnitude)) - (isLate ? z : 0)
    }

    /// Evaluates the model on held-out rows.
    private func measure(
        _ fit: LogisticRegression, _ fourier: FourierFeatures?, rows: UInt64, late: UInt64
    ) throws(LearningError) -> (model: LogisticModel, report: LateReport) {
        let head = try fit.head()
        var row = [Double](repeating: 0, count: fit.size)
        var calibration = ConformalCalibration()
        let share = (Double(late) + 0.5) / (Double(rows) + 1)
        let base = log(share / (1 - share))
        var (count, lateCount) = (UInt64(0), UInt64(0))
        var (loss, baseLoss, squares) = (0.0, 0.0, 0.0)
        if options.holdout > 0 {
            try wrapped { () throws(TrainingError) in
                try all { numbers, info in
                    guard info.segment == nil else { return }
                    LateTrainer.fill(&row, numbers, fourier)
                    var z = head.intercept
                    for index in row.indices { z += head.weights[index] * row[index] }
                    guard z.isFinite else { return }
                    calibration.add(logit: z, isLate: info.isLate)
                    loss += LateTrainer.loss(logit: z, info.isLate)
                    baseLoss += LateTrainer.loss(logit: base, info.isLate)
                    let error = LogisticModel.probability(z) - (info.isLate ? 1 : 0)
                    squares += error * error
                    count &+= 1
                    if info.isLate { lateCount &+= 1 }
                }
            }
        }
        let number = Double(count)
        do throws(ModelProblem) {
            let model = try LogisticModel(
                head: head, fourier: fourier, calibration: count > 0 ? calibration : nil)
            return (
                model,
                LateReport(
                    rows: rows, lateRows: late, lambda: fit.lambda, passes: fit.passes,
                    logLoss: count > 0 ? loss / number : nil,
                    baseLogLoss: count > 0 ? baseLoss / number : nil,
                    brier: count > 0 ? squares / number : nil, heldOutRows: count,
                    heldOutLate: lateCount)
            )
        } catch {
            throw .training("P(late): \(error)")
        }
    }
}
