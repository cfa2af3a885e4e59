import Glibc
public import PathTelemetry

/// Random Fourier features: a linear model of them is a kernel machine with a Gaussian kernel.
///
/// `phi_i(x) = sqrt(2 / D) cos(omega_i'x + b_i)` with `omega` normal with standard deviation `1 /
/// width` and `b` uniform in 0 ..< 2 pi; `E phi(x)'phi(y) = exp(-|x - y|^2 / (2 width^2))`. Source:
/// Rahimi and Recht, "Random features for large-scale kernel machines", 2007.
public struct FourierFeatures: Sendable, Equatable {
    /// `count` rows of `FeatureSchema.count` frequencies, row by row.
    let frequencies: [Double]
    /// One phase per feature.
    let phases: [Double]
    private let scale: Double

    /// Number of features.
    public var count: Int { phases.count }

    /// Draws the frequencies from a seed; the same seed gives the same features.
    ///
    /// - Precondition: `count` and `width` are above zero.
    public init(count: Int, width: Double, seed: UInt64) {
        precondition(count > 0 && width > 0)
        var generator = SeededGenerator(seed: seed)
        var frequencies: [Double] = []
        frequencies.reserveCapacity(count * FeatureSchema.count)
        for _ in 0..<(count * FeatureSchema.count) {
            frequencies.append(generator.normal() / width)
        }
        self.frequencies = frequencies
        phases = (0..<count).map { _ in 2 * Double.pi * generator.uniform() }
        scale = (2 / Double(count)).squareRoot()
    }

    /// Makes features from the numbers in a file.
    ///
    /// - Throws: `ModelProblem.notAModel` if the sizes do not match.
    public init(frequencies: [Double], phases: [Double]) throws(ModelProblem) {
        guard !phases.isEmpty, frequencies.count == phases.count * FeatureSchema.count else {
            throw .notAModel("\(phases.count) phases with \(frequencies.count) frequencies")
        }
        self.frequencies = frequencies
        self.phases = phases
        scale = (2 / Double(phases.count)).squareRoot()
    }

    /// The feature at a position below `count`.
    @inline(__always)
    func value(_ index: Int, of features: borrowing FeatureVector) -> Double {
        let start = index &* FeatureSchema.count
        var angle = phases[index]
        for feature in 0..<FeatureSchema.count {
            angle += frequencies[start &+ feature] * features[feature]
        }
        return scale * cos(angle)
    }

    /// Writes all features; nothing is allocated.
    ///
    /// - Parameters:
    ///   - x: `FeatureSchema.count` doubles.
    ///   - target: room for `count` doubles.
    public func write(_ x: UnsafePointer<Double>, into target: UnsafeMutablePointer<Double>) {
        for index in 0..<count {
            let start = index &* FeatureSchema.count
            var angle = phases[index]
            for feature in 0..<FeatureSchema.count {
                angle += frequencies[start &+ feature] * x[feature]
            }
            target[index] = scale * cos(angle)
        }
    }

    /// The same for a vector of features.
    public func write(_ features: FeatureVector, into target: UnsafeMutablePointer<Double>) {
        features.span.withUnsafeBufferPointer { buffer in
            if let base = buffer.baseAddress { write(base, into: target) }
        }
    }
}
