/// DR with reduced large weights, which has less variance, and the model's bias there.
extension EstimatorDescriptor {
    static let drClip = EstimatorDescriptor(
        "dr-clip", "dr with weights no larger than a number",
        source: "Su 2020", needs: .model, number: .largestWeight,
        .scores { Score(.clip($0), .residual) })

    static let switchDR = EstimatorDescriptor(
        "switch-dr", "dr without the correction where w is above a number",
        source: "Wang 2017", needs: .model, number: .largestWeight,
        .scores { Score(.switchOff($0), .residual) })

    /// Optimistic shrinkage; section 3 of the paper.
    static let drOS = EstimatorDescriptor(
        "dr-os", "dr with the weights lambda w / (w^2 + lambda)",
        source: "Su 2020", needs: .model,
        number: EstimatorNumber(
            "the strength of shrinkage; lower shrinks more", example: "10",
            range: EstimatorNumber.anySize, grid: EstimatorNumber.weights),
        .scores { Score(.shrink($0), .residual) })

    static let sgDR = EstimatorDescriptor(
        "sg-dr", "dr with the weights of sg-ips",
        source: "Metelli 2021", needs: .model, number: .correction(.tuned),
        .scores { Score(.subGaussian($0), .residual) })

    static let subGaussianDR = EstimatorDescriptor(
        "sub-gaussian-dr", "sg-dr with lambda by the concentration theorem",
        source: "Metelli 2021", needs: .model, number: .correction(.byTheorem),
        .scores { Score(.subGaussian($0), .residual) })
}
