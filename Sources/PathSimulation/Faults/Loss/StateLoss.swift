import PathTelemetry

/// The probabilities of loss in the two states of a link that is good and bad in turn.
struct StateLoss: Sendable, Hashable {
    var good = 0.0
    var bad = 1.0

    /// Whether the next packet is lost.
    func loses(isBad: Bool, _ random: inout LinkRandom) -> Bool {
        let probability = isBad ? bad : good
        return probability > 0 && random.uniform() < probability
    }
}

extension OptionText {
    /// Reads the parts `LG:LB` of a value; without them the good state loses nothing, the bad one
    /// everything.
    func stateLoss(_ parts: ArraySlice<Substring>) throws(SimulationError) -> StateLoss {
        guard parts.count == 2, let good = parts.first, let bad = parts.last else {
            return StateLoss()
        }
        return StateLoss(good: try probability(good), bad: try probability(bad))
    }
}
