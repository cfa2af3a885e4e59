import PathTelemetry

/// Flips one to three bits of a packet.
struct Corruption: LinkFault {
    var probability = 0.0
    private var errors = LinkRandom(state: 0)
    private var damageSalt: UInt64 = 0
    private static let salt: UInt64 = 0x636f_7272_7570_7421

    static let options = [
        FaultOption<Corruption>("corrupt=P", "one to three bits of a packet arrive flipped") {
            (text) throws(SimulationError) in
            let probability = try text.probability(text.value)
            return { $0.probability = probability }
        }
    ]

    mutating func start(_ random: LinkRandom) {
        errors = random.branch(Corruption.salt)
        var salt = random.branch(0x6461_6d61_6765_2121)
        damageSalt = salt.next()
    }

    mutating func draw(from random: LinkRandom) {
        errors = random.branch(Corruption.salt)
    }

    mutating func damages() -> Bool { probability > 0 && errors.uniform() < probability }

    func damage(of delivery: UInt64) -> Damage? {
        probability > 0 ? Damage(seed: SplitMix64.mix(damageSalt &+ delivery)) : nil
    }
}

extension LinkParameters {
    /// Probability that one to three bits of a packet arrive flipped.
    var corruption: Double {
        get { faults[Corruption.self].probability }
        set { faults[Corruption.self].probability = newValue }
    }
}
