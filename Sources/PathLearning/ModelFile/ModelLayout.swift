import DenseMath
import PathTelemetry

/// The tensors of each head of a model.
enum ModelLayout {
    static let reserved: Set<String> = ["format", "kind", "version", "schema", "features"]
    private static let latePrefix = "late."
    private static let neuralPrefix = "neural."

    // MARK: Writing

    static func contents(
        kind: String, residual: RidgeModel?, late: LogisticModel?, neural: NeuralLinearModel?,
        notes: [String: String]
    ) -> Safetensors {
        var metadata = notes
        metadata["format"] = "pathwise"
        metadata["kind"] = kind
        metadata["version"] = String(Model.version)
        metadata["schema"] = StableHash.text(FeatureSchema.current.hash)
        metadata["features"] = FeatureSchema.current.names.joined(separator: ",")
        var tensors: [Tensor] = []
        if let residual { tensors += head(residual.head, prefix: "") }
        if let late {
            tensors += head(late.head, prefix: latePrefix)
            if let fourier = late.fourier {
                tensors.append(
                    Tensor(
                        name: latePrefix + "frequencies",
                        shape: [fourier.count, FeatureSchema.count], values: fourier.frequencies))
                tensors.append(
                    Tensor(
                        name: latePrefix + "phases", shape: [fourier.count],
                        values: fourier.phases))
            }
            if let calibration = late.calibration {
                tensors.append(
                    Tensor(
                        name: latePrefix + "calibration",
                        shape: [2, ConformalCalibration.bins],
                        values: calibration.late + calibration.inTime))
            }
        }
        if let neural {
            for (index, layer) in neural.layers.layers.enumerated() {
                tensors.append(
                    Tensor(
                        name: "\(neuralPrefix)\(index).weights",
                        shape: [layer.inputs, layer.outputs], values: layer.weights))
                tensors.append(
                    Tensor(
                        name: "\(neuralPrefix)\(index).biases", shape: [layer.outputs],
                        values: layer.biases))
            }
            tensors += head(neural.head, prefix: neuralPrefix)
        }
        return Safetensors(metadata: metadata, tensors: tensors)
    }

    private static func head(_ head: LinearHead, prefix: String) -> [Tensor] {
        let size = head.weights.count
        return [
            Tensor(name: prefix + "weights", shape: [size], values: head.weights),
            Tensor(name: prefix + "intercept", shape: [1], values: [head.intercept]),
            // The matrix is symmetric, so column-major equals row-major.
            Tensor(
                name: prefix + "precision", shape: [size + 1, size + 1],
                values: head.precision.elements),
            Tensor(name: prefix + "total_weight", shape: [1], values: [head.totalWeight]),
            Tensor(name: prefix + "lambda", shape: [1], values: [head.lambda]),
        ]
    }

    // MARK: Reading

    static func residual(_ file: Safetensors) throws(ModelProblem) -> RidgeModel {
        try RidgeModel(head: head(file, prefix: "", size: FeatureSchema.count))
    }

    static func late(_ file: Safetensors) throws(ModelProblem) -> LogisticModel {
        var fourier: FourierFeatures?
        if let phases = file[latePrefix + "phases"] {
            let count = phases.values.count
            fourier = try FourierFeatures(
                frequencies: values(
                    file, latePrefix + "frequencies", [count, FeatureSchema.count]),
                phases: values(file, latePrefix + "phases", [count]))
        }
        var calibration: ConformalCalibration?
        if file[latePrefix + "calibration"] != nil {
            let bins = ConformalCalibration.bins
            let counts = try values(file, latePrefix + "calibration", [2, bins])
            calibration = try ConformalCalibration(
                late: Array(counts[..<bins]), inTime: Array(counts[bins...]))
        }
        return try LogisticModel(
            head: head(
                file, prefix: latePrefix, size: FeatureSchema.count + (fourier?.count ?? 0)),
            fourier: fourier, calibration: calibration)
    }

    static func neural(_ file: Safetensors) throws(ModelProblem) -> NeuralLinearModel {
        var layers: [Perceptron.Layer] = []
        while layers.count < Perceptron.depthLimit,
            let weights = file["\(neuralPrefix)\(layers.count).weights"]
        {
            guard weights.shape.count == 2 else {
                throw .notAModel("tensor \"\(weights.name)\" is not a matrix")
            }
            layers.append(
                try Perceptron.Layer(
                    inputs: weights.shape[0], outputs: weights.shape[1], weights: weights.values,
                    biases: values(
                        file, "\(neuralPrefix)\(layers.count).biases", [weights.shape[1]])))
        }
        let network = try Perceptron(layers: layers)
        return try NeuralLinearModel(
            layers: network, head: head(file, prefix: neuralPrefix, size: network.outputs))
    }

    private static func head(
        _ file: Safetensors, prefix: String, size: Int
    ) throws(ModelProblem) -> LinearHead {
        let count = size + 1
        let elements = try values(file, prefix + "precision", [count, count])
        var precision = Matrix(rows: count, columns: count)
        for row in 0..<count {
            for column in 0..<count { precision[row, column] = elements[row * count + column] }
        }
        for row in 0..<count {
            for column in 0..<row where precision[row, column] != precision[column, row] {
                throw .notAModel("its precision \"\(prefix)precision\" is not symmetric")
            }
        }
        return try LinearHead(
            weights: values(file, prefix + "weights", [size]),
            intercept: values(file, prefix + "intercept", [1])[0], precision: precision,
            totalWeight: values(file, prefix + "total_weight", [1])[0],
            lambda: values(file, prefix + "lambda", [1])[0])
    }

    private static func values(
        _ file: Safetensors, _ name: String, _ shape: [Int]
    ) throws(ModelProblem) -> [Double] {
        guard let tensor = file[name] else { throw .notAModel("no tensor \"\(name)\"") }
        guard tensor.shape == shape else {
            throw .notAModel("tensor \"\(name)\" has shape \(tensor.shape), not \(shape)")
        }
        return tensor.values
    }
}
