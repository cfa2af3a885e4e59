import Glibc
public import PathTelemetry

/// A feed-forward network whose outputs are the features of a linear last layer.
///
/// `h_0 = x`, `h_l = tanh(h_(l-1) W_l + b_l)`. Layers are at most `widthLimit` wide, so that a
/// prediction uses scratch memory of fixed size and allocates nothing.
public struct Perceptron: Sendable, Equatable {
    /// The largest width of a layer.
    static let widthLimit = 256
    /// The most layers.
    static let depthLimit = 4

    /// One layer: `h = tanh(x W + b)` with W of `inputs` x `outputs` in row-major order.
    public struct Layer: Sendable, Equatable {
        public let inputs: Int
        public let outputs: Int
        public let weights: [Double]
        public let biases: [Double]

        /// - Throws: `ModelProblem` if sizes do not match or a number is not finite.
        public init(
            inputs: Int, outputs: Int, weights: [Double], biases: [Double]
        ) throws(ModelProblem) {
            guard inputs > 0, outputs > 0, inputs <= Perceptron.widthLimit,
                outputs <= Perceptron.widthLimit, weights.count == inputs * outputs,
                biases.count == outputs
            else { throw .notAModel("a layer of \(inputs) x \(outputs) with other sizes") }
            guard weights.allSatisfy(\.isFinite), biases.allSatisfy(\.isFinite) else {
                throw .nonFinite(tensor: "neural")
            }
            self.inputs = inputs
            self.outputs = outputs
            self.weights = weights
            self.biases = biases
        }

        /// Writes the layer's outputs; the loop over columns vectorises.
        @inline(__always)
        func write(_ x: UnsafePointer<Double>, into result: UnsafeMutablePointer<Double>) {
            weights.withUnsafeBufferPointer { weights in
                guard var row = weights.baseAddress else { return }
                for index in 0..<outputs { result[index] = biases[index] }
                for input in 0..<inputs {
                    let value = x[input]
                    for index in 0..<outputs { result[index] += value * row[index] }
                    row += outputs
                }
            }
            for index in 0..<outputs { result[index] = tanh(result[index]) }
        }
    }

    public let layers: [Layer]

    /// - Throws: `ModelProblem.notAModel` if a layer's inputs differ from the previous layer's
    ///   outputs.
    public init(layers: [Layer]) throws(ModelProblem) {
        guard !layers.isEmpty, layers.count <= Perceptron.depthLimit else {
            throw .notAModel("a network of \(layers.count) layers")
        }
        for (layer, next) in zip(layers, layers.dropFirst()) where layer.outputs != next.inputs {
            throw .notAModel(
                "a layer of \(next.inputs) inputs after one of \(layer.outputs) outputs")
        }
        self.layers = layers
    }

    public var inputs: Int { layers[0].inputs }
    public var outputs: Int { layers[layers.count - 1].outputs }

    /// Writes the outputs of the last layer; it does not allocate.
    ///
    /// - Parameters:
    ///   - x: `inputs` doubles.
    ///   - target: room for `outputs` doubles.
    public func write(_ x: UnsafePointer<Double>, into target: UnsafeMutablePointer<Double>) {
        var scratch = InlineArray<512, Double>(repeating: 0)
        Perceptron.lend(&scratch) { base in
            var source = x
            for index in layers.indices {
                let isLast = index == layers.count - 1
                let result =
                    isLast ? target : base + (index & 1) * Perceptron.widthLimit
                layers[index].write(source, into: result)
                source = UnsafePointer(result)
            }
        }
    }

    /// Lends stack memory, because a temporary allocation above one kilobyte uses the heap.
    @inline(__always)
    fileprivate static func lend<let count: Int, Result>(
        _ memory: inout InlineArray<count, Double>,
        _ body: (UnsafeMutablePointer<Double>) -> Result
    ) -> Result {
        withUnsafeMutablePointer(to: &memory) { pointer in
            pointer.withMemoryRebound(to: Double.self, capacity: count, body)
        }
    }
}

/// A network for the residual whose last layer is a Bayesian linear regression (neural-linear).
///
/// The layers are trained offline and stay fixed; the last layer is the prior of a
/// `LinearPosterior` and keeps learning online, with exact uncertainty given the layers. Source:
/// Riquelme, Tucker and Snoek, "Deep Bayesian bandits showdown", 2018, section 4.
public struct NeuralLinearModel: Sendable, Equatable {
    public let layers: Perceptron
    /// The last layer, over the outputs of the layers.
    public let head: LinearHead

    /// - Throws: `ModelProblem.notAModel` if layers, head and schema do not match.
    public init(layers: Perceptron, head: LinearHead) throws(ModelProblem) {
        guard layers.inputs == FeatureSchema.count else {
            throw .notAModel("a network of \(layers.inputs) inputs, not \(FeatureSchema.count)")
        }
        guard head.weights.count == layers.outputs else {
            throw .notAModel(
                "a last layer of \(head.weights.count) weights on \(layers.outputs) outputs")
        }
        self.layers = layers
        self.head = head
    }

    /// The expected residual for these features; it does not allocate.
    public func predict(_ features: FeatureVector) -> Double {
        var memory = InlineArray<256, Double>(repeating: 0)
        return Perceptron.lend(&memory) { hidden in
            write(features, into: hidden)
            var sum = head.intercept
            for index in 0..<layers.outputs { sum += head.weights[index] * hidden[index] }
            return sum
        }
    }

    /// Writes the features of the last layer.
    ///
    /// - Parameter hidden: room for `layers.outputs` doubles.
    public func write(
        _ features: FeatureVector, into hidden: UnsafeMutablePointer<Double>
    ) {
        features.span.withUnsafeBufferPointer { buffer in
            if let base = buffer.baseAddress { layers.write(base, into: hidden) }
        }
    }
}

/// A neural-linear model that keeps learning in its last layer; it does not allocate after `init`.
public struct NeuralLinearPosterior: Sendable {
    private let model: NeuralLinearModel
    /// The last layer, with the constant last.
    private(set) var posterior: LinearPosterior

    /// - Parameter limit: the most observations that the trained last layer counts as.
    public init(
        _ model: NeuralLinearModel, limit: Double, lambda: Double
    ) throws(LearningError) {
        self.model = model
        posterior = LinearPosterior(
            prior: try model.head.prior(limit: limit, lambda: lambda))
    }

    /// The expected residual and `x' A^-1 x` of the last layer.
    public func predict(_ features: FeatureVector) -> (mean: Double, spread: Double) {
        var memory = InlineArray<260, Double>(repeating: 0)
        return Perceptron.lend(&memory) { row in
            fill(row, features)
            return posterior.predict(row)
        }
    }

    /// Learns one outcome after discounting older ones by `decay`.
    public mutating func learn(
        _ features: FeatureVector, target: Double, decay: Double
    ) {
        var memory = InlineArray<260, Double>(repeating: 0)
        Perceptron.lend(&memory) { row in
            fill(row, features)
            posterior.learn(row, target: target, decay: decay)
        }
    }

    /// - Parameter row: at least the posterior's stride of zeros.
    private func fill(_ row: UnsafeMutablePointer<Double>, _ features: FeatureVector) {
        let size = model.layers.outputs
        model.write(features, into: row)
        row[size] = 1
    }
}
