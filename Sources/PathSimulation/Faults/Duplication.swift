import PathTelemetry

/// Packets that arrive twice; the copy has its own jitter and costs no rate.
struct Duplication: LinkFault {
    var probability = 0.0

    static let options = [
        FaultOption<Duplication>("duplicate=P", "a packet arrives twice") {
            (text) throws(SimulationError) in
            let probability = try text.probability(text.value)
            return { $0.probability = probability }
        }
    ]

    mutating func copies(_ random: inout LinkRandom) -> Bool {
        probability > 0 && random.uniform() < probability
    }
}

extension LinkParameters {
    /// Probability that a packet arrives twice.
    var duplication: Double {
        get { faults[Duplication.self].probability }
        set { faults[Duplication.self].probability = newValue }
    }
}
