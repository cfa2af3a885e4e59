import DenseMath
public import PathLearning
import PathTelemetry

/// The training and fit of a network.
public struct NeuralReport: Sendable, Equatable {
    /// Sampled decisions that trained the layers; all decisions train the last layer.
    public var sampled: Int
    /// Passes over the sample until the error on its last segment stopped improving.
    public var epochs: Int
    public var fit: SegmentedFit
}

/// Trains the layers on the sample, then the linear last layer on all rows.
struct NeuralTrainer {
    let options: TrainingOptions
    let reader: RowReader
    let sample: RowSample
    let all: LateTrainer.Rows

    /// Epochs without improvement after which training ends.
    private static let patience = 4

    func train() throws(TrainingError) -> (model: NeuralLinearModel, report: NeuralReport) {
        let (network, epochs, count) = try layers()
        var ridge = SegmentedRidge(size: network.outputs)
        var hidden = [Double](repeating: 0, count: network.outputs + 1)
        try all { numbers, info in
            hidden.withUnsafeMutableBufferPointer { hidden in
                guard let target = hidden.baseAddress, let source = numbers.baseAddress else {
                    return
                }
                network.write(source, into: target)
                hidden[network.outputs] = numbers[FeatureSchema.count]
                ridge.add(
                    UnsafeBufferPointer(hidden), segment: info.segment,
                    weight: reader.weight(info))
            }
        }
        do throws(LearningError) {
            let fit = try ridge.fit(lambdas: options.lambdas)
            do throws(ModelProblem) {
                return (
                    try NeuralLinearModel(layers: network, head: fit.head),
                    NeuralReport(sampled: count, epochs: epochs, fit: fit)
                )
            } catch {
                throw LearningError.training("the network is unusable: \(error)")
            }
        } catch {
            throw .learning(error)
        }
    }

    private func layers() throws(TrainingError) -> (Perceptron, epochs: Int, rows: Int) {
        var (training, checking): ([Int], [Int]) = ([], [])
        for (index, row) in sample.rows.enumerated() {
            guard let segment = row.segment else { continue }
            // The last segment is the validation set for early stopping.
            if segment == SegmentedRidge.segments - 1 {
                checking.append(index)
            } else {
                training.append(index)
            }
        }
        guard training.count >= 2 * FeatureSchema.count, !checking.isEmpty else {
            throw .learning(
                .training(
                    "\(training.count) usable decisions for a network; at least "
                        + "\(2 * FeatureSchema.count) are needed: record a longer run"))
        }
        do throws(DenseMathError) {
            var trainer = PerceptronTrainer(
                inputs: FeatureSchema.count, hidden: options.hidden, seed: options.seed)
            var generator = SeededGenerator(seed: options.seed &+ 1)
            let check = try batch(checking)
            var best = trainer
            var least = try trainer.error(
                check.x, targets: check.targets, weights: check.weights)
            var (epoch, idle) = (0, 0)
            while epoch < options.epochs, idle < NeuralTrainer.patience {
                epoch += 1
                training.shuffle(using: &generator)
                let scale = 1 / (1 + 0.1 * Double(epoch - 1))
                var place = 0
                while place < training.count {
                    let end = min(training.count, place + PerceptronTrainer.batch)
                    let part = try batch(Array(training[place..<end]))
                    let (_, gradient) = try trainer.loss(
                        part.x, targets: part.targets, weights: part.weights)
                    trainer.step(gradient, scale: scale)
                    place = end
                }
                let error = try trainer.error(
                    check.x, targets: check.targets, weights: check.weights)
                if error < least {
                    least = error
                    best = trainer
                    idle = 0
                } else {
                    idle += 1
                }
            }
            do throws(ModelProblem) {
                return (try best.network(), epoch, training.count)
            } catch {
                throw DenseMathError.nonFinite(operation: "training the network")
            }
        } catch {
            throw .learning(.training("the network: \(error)"))
        }
    }

    /// Returns rows of the sample as matrix columns.
    private func batch(
        _ rows: [Int]
    ) throws(DenseMathError) -> (x: Matrix, targets: [Double], weights: [Double]) {
        var x = Matrix(rows: FeatureSchema.count, columns: rows.count)
        var targets: [Double] = []
        var weights: [Double] = []
        targets.reserveCapacity(rows.count)
        weights.reserveCapacity(rows.count)
        for (column, row) in rows.enumerated() {
            let start = row * RowSample.width
            for feature in 0..<FeatureSchema.count {
                x.elements[feature &+ column &* FeatureSchema.count] =
                    sample.numbers[start &+ feature]
            }
            targets.append(sample.numbers[start + FeatureSchema.count])
            weights.append(reader.weight(sample.rows[row]))
        }
        return (x, targets, weights)
    }
}
