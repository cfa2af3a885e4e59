import DenseMath
import Glibc
import PathLearning
import PathTelemetry

/// Trains the layers of a network by mini-batches: a linear output after the last layer is fitted
/// to the targets by least squares and discarded afterwards.
///
/// Activations of a batch are the columns of a matrix, so every step is a product of matrices.
/// Sources: Kingma and Ba, "Adam: a method for stochastic optimization", 2015, algorithm 1; Glorot
/// and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010,
/// equation 16 (initial weights).
struct PerceptronTrainer {
    static let batch = 128
    private static let rate = 2e-3
    private static let decay = 1e-5

    /// Widths from the inputs to the one output.
    let widths: [Int]
    /// All weights and biases, layer after layer; weights `outputs` x `inputs` in column-major
    /// order.
    private(set) var parameters: [Double]
    private var first: [Double]
    private var second: [Double]
    private var steps = 0

    init(inputs: Int, hidden: [Int], seed: UInt64) {
        widths = [inputs] + hidden + [1]
        var generator = SeededGenerator(seed: seed)
        parameters = []
        for layer in 1..<widths.count {
            let (fanIn, fanOut) = (widths[layer - 1], widths[layer])
            let bound = (6 / Double(fanIn + fanOut)).squareRoot()
            for _ in 0..<(fanIn * fanOut) {
                parameters.append(bound * (2 * generator.uniform() - 1))
            }
            parameters += [Double](repeating: 0, count: fanOut)
        }
        first = [Double](repeating: 0, count: parameters.count)
        second = first
    }

    /// Where the weights of a layer begin.
    private func start(_ layer: Int) -> Int {
        (1..<layer).reduce(0) { $0 + widths[$1 - 1] * widths[$1] + widths[$1] }
    }

    private func weights(_ layer: Int) throws(DenseMathError) -> Matrix {
        let begin = start(layer)
        let count = widths[layer - 1] * widths[layer]
        return try Matrix(
            rows: widths[layer], columns: widths[layer - 1],
            elements: Array(parameters[begin..<(begin + count)]))
    }

    /// Activations of every layer for the columns of a matrix; the last are the predictions.
    private func forward(_ x: Matrix) throws(DenseMathError) -> [Matrix] {
        var activations = [x]
        for layer in 1..<widths.count {
            let width = widths[layer]
            let bias = start(layer) + widths[layer - 1] * width
            var next = Matrix(rows: width, columns: x.columns)
            try BLAS.gemm(try weights(layer), activations[layer - 1], into: &next)
            let isLast = layer == widths.count - 1
            for column in 0..<x.columns {
                for row in 0..<width {
                    let place = row &+ column &* width
                    let sum = next.elements[place] + parameters[bias &+ row]
                    next.elements[place] = isLast ? sum : tanh(sum)
                }
            }
            activations.append(next)
        }
        return activations
    }

    /// Half the weighted mean squared error of a batch with weight decay, and its gradient.
    func loss(
        _ x: Matrix, targets: [Double], weights rowWeights: [Double]
    ) throws(DenseMathError) -> (loss: Double, gradient: [Double]) {
        let activations = try forward(x)
        let total = rowWeights.reduce(0, +)
        var gradient = [Double](repeating: 0, count: parameters.count)
        guard total > 0 else { return (0, gradient) }
        var loss = 0.0
        var delta = Matrix(rows: 1, columns: x.columns)
        for column in 0..<x.columns {
            let error = activations[widths.count - 1].elements[column] - targets[column]
            loss += 0.5 * rowWeights[column] * error * error / total
            delta.elements[column] = rowWeights[column] * error / total
        }
        for layer in (1..<widths.count).reversed() {
            let (inputs, outputs) = (widths[layer - 1], widths[layer])
            let begin = start(layer)
            var product = Matrix(rows: outputs, columns: inputs)
            try BLAS.gemm(delta, activations[layer - 1], transposeB: true, into: &product)
            for index in product.elements.indices {
                let weight = parameters[begin + index]
                gradient[begin + index] =
                    product.elements[index] + PerceptronTrainer.decay * weight
                loss += 0.5 * PerceptronTrainer.decay * weight * weight
            }
            for column in 0..<x.columns {
                for row in 0..<outputs {
                    gradient[begin + inputs * outputs + row] +=
                        delta.elements[row &+ column &* outputs]
                }
            }
            guard layer > 1 else { break }
            var back = Matrix(rows: inputs, columns: x.columns)
            try BLAS.gemm(try weights(layer), transposeA: true, delta, into: &back)
            let values = activations[layer - 1].elements
            for index in back.elements.indices {
                back.elements[index] *= 1 - values[index] * values[index]
            }
            delta = back
        }
        return (loss, gradient)
    }

    /// One step of Adam.
    ///
    /// - Parameter scale: factor of the learning rate.
    mutating func step(_ gradient: [Double], scale: Double) {
        steps += 1
        let (b1, b2) = (0.9, 0.999)
        let correction1 = 1 - pow(b1, Double(steps))
        let correction2 = 1 - pow(b2, Double(steps))
        let rate = PerceptronTrainer.rate * scale
        for index in parameters.indices {
            let g = gradient[index]
            first[index] = b1 * first[index] + (1 - b1) * g
            second[index] = b2 * second[index] + (1 - b2) * g * g
            parameters[index] -=
                rate * (first[index] / correction1)
                / ((second[index] / correction2).squareRoot() + 1e-8)
        }
    }

    /// Sets one parameter, for numerical differentiation.
    mutating func setParameter(_ index: Int, _ value: Double) { parameters[index] = value }

    /// The mean squared error on some columns.
    func error(
        _ x: Matrix, targets: [Double], weights: [Double]
    ) throws(DenseMathError) -> Double {
        let predictions = try forward(x)[widths.count - 1].elements
        var (sum, total) = (0.0, 0.0)
        for index in predictions.indices {
            let error = predictions[index] - targets[index]
            sum += weights[index] * error * error
            total += weights[index]
        }
        return total > 0 ? sum / total : 0
    }

    /// The layers without the linear output.
    func network() throws(ModelProblem) -> Perceptron {
        var layers: [Perceptron.Layer] = []
        for layer in 1..<(widths.count - 1) {
            let (inputs, outputs) = (widths[layer - 1], widths[layer])
            let begin = start(layer)
            let bias = begin + inputs * outputs
            // Column-major outputs x inputs equals row-major inputs x outputs.
            layers.append(
                try Perceptron.Layer(
                    inputs: inputs, outputs: outputs, weights: Array(parameters[begin..<bias]),
                    biases: Array(parameters[bias..<(bias + outputs)])))
        }
        return try Perceptron(layers: layers)
    }
}
