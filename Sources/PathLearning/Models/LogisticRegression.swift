internal import DenseMath
import Glibc

/// Fits a logistic regression by Newton's method, in passes over streamed rows.
///
/// It minimises `sum w (log(1 + e^z) - y z) + lambda/2 |theta|^2 + mu/2 c^2` with `z = theta'x +
/// c`. Memory does not grow with the number of rows. Use: `while !isDone { begin; add every row;
/// step }`. A step that raised the loss is halved, so it converges from any start; near the optimum
/// each pass doubles the correct digits. Source: Hastie, Tibshirani and Friedman, "The elements of
/// statistical learning", section 4.4.1; step halving: Boyd and Vandenberghe, "Convex
/// optimization", algorithm 9.5.
public struct LogisticRegression: Sendable {
    private static let capacity = 512
    private static let passLimit = 60

    public let size: Int
    public let lambda: Double
    let interceptLambda: Double
    /// The current weights, with the constant last.
    public private(set) var weights: [Double]
    /// Whether the loss cannot be reduced noticeably any more, or the limit of passes is reached.
    public private(set) var isDone = false
    public private(set) var passes = 0
    /// The penalised loss at `accepted` weights.
    public private(set) var loss = Double.infinity
    public private(set) var totalWeight = 0.0
    public private(set) var refused: UInt64 = 0
    /// Second derivative at the last accepted weights, both triangles.
    private(set) var hessian: Matrix

    private var accepted: [Double]
    private var direction: [Double]
    private var length = 1.0
    private var decrement = Double.infinity

    private var gradient: [Double]
    private var rowLoss = CompensatedSum()
    private var passWeight = CompensatedSum()
    private var passHessian: Matrix
    private var block: [Double]
    private var targets: [Double]
    private var rowWeights: [Double]
    private var filled = 0

    /// - Parameters:
    ///   - size: number of features.
    ///   - lambda: penalty of the weights, above zero.
    ///   - interceptLambda: penalty of the constant; zero requires late and timely rows.
    ///   - start: initial weights with the constant last; zeros by default.
    public init(
        size: Int, lambda: Double, interceptLambda: Double = 1e-3, start: [Double]? = nil
    ) throws(LearningError) {
        guard size > 0, lambda > 0, lambda.isFinite, interceptLambda >= 0,
            interceptLambda.isFinite
        else { throw .training("the penalty of P(late) must be above zero") }
        self.size = size
        self.lambda = lambda
        self.interceptLambda = interceptLambda
        let zero = [Double](repeating: 0, count: size + 1)
        weights = start?.count == size + 1 ? start ?? zero : zero
        accepted = weights
        direction = zero
        gradient = zero
        hessian = Matrix(rows: size + 1, columns: size + 1)
        passHessian = hessian
        block = [Double](repeating: 0, count: (size + 1) * LogisticRegression.capacity)
        for slot in 0..<LogisticRegression.capacity {
            block[slot + size * LogisticRegression.capacity] = 1
        }
        targets = [Double](repeating: 0, count: LogisticRegression.capacity)
        rowWeights = targets
    }

    /// Begins a pass over the rows.
    public mutating func begin() {
        for index in gradient.indices { gradient[index] = 0 }
        for index in passHessian.elements.indices { passHessian.elements[index] = 0 }
        rowLoss = CompensatedSum()
        passWeight = CompensatedSum()
        refused = 0
        filled = 0
    }

    /// Adds one row of the pass; rows with a number that is not finite are counted and ignored.
    ///
    /// - Parameter row: `size` features.
    public mutating func add(
        _ row: UnsafeBufferPointer<Double>, isLate: Bool, weight: Double = 1
    ) {
        var isUsable = row.count == size && weight >= 0 && weight.isFinite
        for value in row where !value.isFinite { isUsable = false }
        guard isUsable else {
            refused &+= 1
            return
        }
        let slot = filled
        block.withUnsafeMutableBufferPointer { block in
            for column in 0..<size { block[slot &+ column &* Self.capacity] = row[column] }
        }
        targets[slot] = isLate ? 1 : 0
        rowWeights[slot] = weight
        filled += 1
        if filled == LogisticRegression.capacity { flush() }
    }

    /// Adds one row of the pass.
    public mutating func add(_ row: [Double], isLate: Bool, weight: Double = 1) {
        row.withUnsafeBufferPointer { add($0, isLate: isLate, weight: weight) }
    }

    /// Ends a pass: updates the weights, or ends the fit.
    public mutating func step() throws(LearningError) {
        flush()
        passes += 1
        totalWeight = passWeight.value
        guard totalWeight > 0 else { throw .training("no rows with a weight above zero") }
        var penalised = rowLoss.value
        for index in 0..<size {
            penalised += 0.5 * lambda * weights[index] * weights[index]
            gradient[index] += lambda * weights[index]
        }
        penalised += 0.5 * interceptLambda * weights[size] * weights[size]
        gradient[size] += interceptLambda * weights[size]
        guard penalised.isFinite, gradient.allSatisfy(\.isFinite) else {
            throw .training("the loss of P(late) is not finite; give a larger --lambda")
        }
        // Rounding of the sum may hide a last, tiny gain.
        let slack = 1e-13 * (1 + loss.magnitude)
        if loss.isFinite, penalised > loss + slack {
            guard length > 1e-6, passes < LogisticRegression.passLimit else {
                weights = accepted
                isDone = true
                return
            }
            length *= 0.5
            for index in weights.indices {
                weights[index] = accepted[index] + length * direction[index]
            }
            return
        }
        loss = penalised
        accepted = weights
        passHessian.mirrorLower()
        hessian = passHessian
        for index in 0..<size { hessian[index, index] += lambda }
        hessian[size, size] += max(interceptLambda, 1e-9 * totalWeight)
        do throws(DenseMathError) {
            direction = try Cholesky.regularized(hessian).solve(gradient.map { -$0 })
        } catch {
            throw .training("P(late): \(error)")
        }
        var promised = 0.0
        for index in direction.indices { promised -= direction[index] * gradient[index] }
        decrement = promised
        // The Newton decrement bounds the remaining gain; the fit ends at 1e-13 per row.
        guard promised > 1e-13 * totalWeight, passes < LogisticRegression.passLimit else {
            isDone = true
            return
        }
        length = 1
        for index in weights.indices { weights[index] = accepted[index] + direction[index] }
    }

    /// The fit as a model's head, with the Hessian at the weights.
    public func head() throws(LearningError) -> LinearHead {
        do throws(ModelProblem) {
            return try LinearHead(
                weights: Array(accepted[0..<size]), intercept: accepted[size],
                precision: hessian, totalWeight: totalWeight, lambda: lambda)
        } catch {
            throw .training("the fit of P(late) is unusable: \(error)")
        }
    }

    private mutating func flush() {
        let rows = filled
        filled = 0
        guard rows > 0 else { return }
        let (size, capacity) = (self.size, LogisticRegression.capacity)
        var logits = [Double](repeating: 0, count: rows)
        for column in 0...size {
            let weight = weights[column]
            guard weight != 0 else { continue }
            let start = column * capacity
            for slot in 0..<rows { logits[slot] += weight * block[start &+ slot] }
        }
        var residuals = [Double](repeating: 0, count: rows)
        for slot in 0..<rows {
            let z = logits[slot]
            let p = LogisticModel.probability(z)
            let weight = rowWeights[slot]
            // This is log(1 + e^z) without overflow.
            let softplus = max(z, 0) + log1p(exp(-z.magnitude))
            rowLoss.add(weight * (softplus - targets[slot] * z))
            passWeight.add(weight)
            residuals[slot] = weight * (p - targets[slot])
            rowWeights[slot] = (weight * p * (1 - p)).squareRoot()
        }
        block.withUnsafeMutableBufferPointer { block in
            for column in 0...size {
                let start = column &* capacity
                var sum = 0.0
                for slot in 0..<rows {
                    sum += residuals[slot] * block[start &+ slot]
                    block[start &+ slot] *= rowWeights[slot]
                }
                gradient[column] += sum
            }
            if let base = block.baseAddress {
                BLAS.accumulateGram(
                    base, rows: rows, stride: capacity, columns: size + 1,
                    into: &passHessian.elements)
            }
            for slot in 0..<rows { block[slot &+ size &* capacity] = 1 }
        }
    }
}
