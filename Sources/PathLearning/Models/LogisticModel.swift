import Glibc
public import PathTelemetry

/// A trained logistic regression of "not delivered within the deadline".
///
/// `P(late) = 1 / (1 + exp(-(theta'phi(x) + c)))`, where `phi` consists of the features and
/// optional random Fourier features of them.
public struct LogisticModel: Sendable, Equatable {
    /// Weights of the features, then of the Fourier features, and the Hessian of the loss.
    public let head: LinearHead
    /// Nil for a model that is linear in the features.
    public let fourier: FourierFeatures?
    /// Its scores on held-out decisions; nil if there were none.
    public let calibration: ConformalCalibration?

    /// - Throws: `ModelProblem.notAModel` if the head's size differs from that of the features.
    public init(
        head: LinearHead, fourier: FourierFeatures? = nil,
        calibration: ConformalCalibration? = nil
    ) throws(ModelProblem) {
        let expected = FeatureSchema.count + (fourier?.count ?? 0)
        guard head.weights.count == expected else {
            throw .notAModel("\(head.weights.count) weights of P(late), expected \(expected)")
        }
        self.head = head
        self.fourier = fourier
        self.calibration = calibration
    }

    /// `theta'phi(x) + c`, the log odds of being late; it does not allocate.
    public func logit(_ features: borrowing FeatureVector) -> Double {
        var sum = head.intercept
        for index in 0..<FeatureSchema.count { sum += head.weights[index] * features[index] }
        if let fourier {
            for index in 0..<fourier.count {
                sum +=
                    head.weights[FeatureSchema.count &+ index]
                    * fourier.value(index, of: features)
            }
        }
        return sum
    }

    /// The probability of being late, 0...1; it does not allocate.
    public func predict(_ features: borrowing FeatureVector) -> Double {
        LogisticModel.probability(logit(features))
    }

    /// `1 / (1 + exp(-z))` without overflow.
    @inline(__always)
    public static func probability(_ logit: Double) -> Double {
        if logit >= 0 { return 1 / (1 + exp(-logit)) }
        let odds = exp(logit)
        return odds / (1 + odds)
    }
}
