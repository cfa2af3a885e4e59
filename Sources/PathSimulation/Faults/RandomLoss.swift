import PathTelemetry

/// Independent loss of each packet.
struct RandomLoss: LinkFault {
    var probability = 0.0

    static let options = [
        FaultOption<RandomLoss>("loss=P", "independent loss, after the bottleneck") {
            (fault, text) throws(SimulationError) in
            fault.probability = try text.probability(text.value)
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
