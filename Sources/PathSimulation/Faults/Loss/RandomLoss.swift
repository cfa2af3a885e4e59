import PathTelemetry

/// Independent loss of each packet.
struct RandomLoss: LinkFault {
    var probability = 0.0

    static let options = [
        FaultOption<RandomLoss>("loss=P", "independent loss, after the bottleneck") {
            (text) throws(SimulationError) in
            let probability = try text.probability(text.value)
            return { $0.probability = probability }
        }
    ]

    mutating func loses(_ random: inout LinkRandom) -> Bool {
        probability > 0 && random.uniform() < probability
    }
}

extension LinkParameters {
    /// Independent loss of each packet, after the bottleneck.
    public var loss: Double {
        get { faults[RandomLoss.self].probability }
        set { faults[RandomLoss.self].probability = newValue }
    }
}
