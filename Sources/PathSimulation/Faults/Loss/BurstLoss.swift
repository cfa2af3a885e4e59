import PathTelemetry

/// Loss in bursts: a Markov chain of two states, with one step per packet.
///
/// Source: Gilbert 1960, Elliott 1963.
struct BurstLoss: LinkFault {
    var model: LinkParameters.GilbertElliott?
    private var isBad = false

    static let options = [
        FaultOption<BurstLoss>(
            "ge=P:R[:LG:LB]",
            "burst loss (Gilbert-Elliott): good to bad, bad to good, loss in each (0:1)"
        ) { (text) throws(SimulationError) in
            let parts = text.value.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 2 || parts.count == 4 else {
                throw text.invalid("use P:R or P:R:LG:LB, as 0.0051:0.25 for 2 % in bursts of 4")
            }
            var model = LinkParameters.GilbertElliott(
                toBad: try text.probability(parts[0]), toGood: try text.probability(parts[1]))
            model.loss = try text.stateLoss(parts[2...])
            return { [model] in $0.model = model }
        }
    ]

    mutating func loses(_ random: inout LinkRandom) -> Bool {
        guard let model else { return false }
        if random.uniform() < (isBad ? model.toGood : model.toBad) { isBad.toggle() }
        return model.loss.loses(isBad: isBad, &random)
    }
}

extension LinkParameters {
    /// Two-state Markov loss, with one step per packet.
    struct GilbertElliott: Sendable, Hashable {
        /// Probabilities of good to bad, and of bad to good, before each packet.
        var toBad: Double
        var toGood: Double
        var loss: StateLoss

        init(toBad: Double, toGood: Double, lossGood: Double = 0, lossBad: Double = 1) {
            self.toBad = toBad
            self.toGood = toGood
            loss = StateLoss(good: lossGood, bad: lossBad)
        }

        /// Long-run share of lost packets.
        var meanLoss: Double {
            let sum = toBad + toGood
            return sum > 0 ? (toGood * loss.good + toBad * loss.bad) / sum : loss.good
        }
        /// Mean packets in one visit to the bad state.
        var meanBurst: Double { toGood > 0 ? 1 / toGood : .infinity }
    }

    var burstLoss: GilbertElliott? {
        get { faults[BurstLoss.self].model }
        set { faults[BurstLoss.self].model = newValue }
    }
}
