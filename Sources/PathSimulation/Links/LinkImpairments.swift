import PathTelemetry

/// What a link does to packets whatever the load: outages, loss, delay, copies, bit errors.
///
/// Times are nanoseconds after the origin.
struct LinkImpairments: Sendable {
    private let outages: [LinkParameters.Outage]
    private let loss: Double
    private let burst: LinkParameters.GilbertElliott?
    private var isBad = false
    private let delayMilliseconds: Double
    private let jitter: LinkParameters.Jitter
    private let constantDelay: Int64
    private let duplication: Double
    private let corruption: Double
    private var random: LinkRandom
    /// Apart from `random`, so that copies and bit errors do not move losses and delays.
    private var copies: LinkRandom
    private var errors: LinkRandom
    private let damageSalt: UInt64

    init(_ parameters: LinkParameters, random: LinkRandom) {
        outages = parameters.outages
        loss = parameters.loss
        burst = parameters.burstLoss
        delayMilliseconds = parameters.delayMilliseconds
        jitter = parameters.jitter
        constantDelay = nanoseconds(parameters.delayMilliseconds * 1e6)
        duplication = parameters.duplication
        corruption = parameters.corruption
        self.random = random
        copies = random.branch(0x6475_706c_6963_6174)
        errors = random.branch(0x636f_7272_7570_7421)
        var salt = random.branch(0x6461_6d61_6765_2121)
        damageSalt = salt.next()
    }

    func isDown(_ time: Int64) -> Bool {
        for outage in outages {
            var into = time - outage.start.nanoseconds
            guard into >= 0 else { continue }
            if outage.period.nanoseconds > 0 { into %= outage.period.nanoseconds }
            if into < outage.end.nanoseconds - outage.start.nanoseconds { return true }
        }
        return false
    }

    mutating func isLost() -> Bool {
        var isLost = false
        if let burst {
            if random.uniform() < (isBad ? burst.toGood : burst.toBad) { isBad.toggle() }
            let probability = isBad ? burst.lossBad : burst.lossGood
            isLost = probability > 0 && random.uniform() < probability
        }
        if loss > 0, random.uniform() < loss { isLost = true }
        return isLost
    }

    mutating func delay() -> Int64 { delay(drawing: &random) }

    mutating func delayOfCopy() -> Int64 { delay(drawing: &copies) }

    private func delay(drawing stream: inout LinkRandom) -> Int64 {
        switch jitter {
        case .none: return constantDelay
        case .uniform(let width):
            return nanoseconds((delayMilliseconds + width * stream.uniform()) * 1e6)
        case .normal(let deviation):
            return nanoseconds((delayMilliseconds + deviation * stream.boundedNormal()) * 1e6)
        }
    }

    mutating func isDuplicated() -> Bool { duplication > 0 && copies.uniform() < duplication }

    mutating func isCorrupted() -> Bool { corruption > 0 && errors.uniform() < corruption }

    /// The seed of the bits that flip in one delivery.
    func damageSeed(of delivery: UInt64) -> UInt64 { SplitMix64.mix(damageSalt &+ delivery) }
}
