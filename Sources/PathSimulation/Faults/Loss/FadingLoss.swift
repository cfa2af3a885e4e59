import PathTelemetry

/// Loss in bursts by time: a link is good and bad in turn, and stays in each state for a random
/// time, whatever is sent.
///
/// It is the chain of Gilbert 1960 and Elliott 1963 in continuous time: the stays are exponential.
/// `BurstLoss` steps with each packet instead, as network emulators do.
struct FadingLoss: LinkFault {
    var model: LinkParameters.Fading?
    private var stays = LinkRandom(state: 0)
    private var isBad = false
    /// When the present stay ends.
    private var end: Int64 = 0

    static let options = [
        FaultOption<FadingLoss>(
            "fading=GOOD:BAD[:LG:LB]",
            "burst loss by time: mean ms in the good and the bad state, loss in each (0:1)"
        ) { (text) throws(SimulationError) in
            let parts = text.value.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 2 || parts.count == 4 else {
                throw text.invalid(
                    "use GOOD:BAD or GOOD:BAD:LG:LB, as 2000:40 for 40 ms of loss every 2 s")
            }
            var model = LinkParameters.Fading(
                good: try text.milliseconds(parts[0]), bad: try text.milliseconds(parts[1]))
            guard model.good > 0, model.bad > 0 else {
                throw text.invalid("use mean times above 0 milliseconds")
            }
            model.loss = try text.stateLoss(parts[2...])
            return { [model] in $0.model = model }
        }
    ]

    mutating func start(_ random: LinkRandom) {
        guard let model else { return }
        stays = random.branch(0x6661_6469_6e67_2121)
        // The long-run share of each state holds from the beginning.
        isBad = stays.uniform() < model.bad / (model.good + model.bad)
        end = stay(model)
    }

    private mutating func stay(_ model: LinkParameters.Fading) -> Int64 {
        let mean = isBad ? model.bad : model.good
        return max(1, nanoseconds(mean * 1e6 * stays.exponential()))
    }

    mutating func advance(to time: Int64) {
        guard let model else { return }
        while end <= time {
            isBad.toggle()
            end = saturatingSum(end, stay(model))
        }
    }

    mutating func loses(_ random: inout LinkRandom) -> Bool {
        guard let model else { return false }
        return model.loss.loses(isBad: isBad, &random)
    }
}

extension LinkParameters {
    /// Loss that comes and goes with time.
    struct Fading: Sendable, Hashable {
        /// Mean stay in each state, milliseconds.
        var good: Double
        var bad: Double
        var loss = StateLoss()
    }

    var fading: Fading? {
        get { faults[FadingLoss.self].model }
        set { faults[FadingLoss.self].model = newValue }
    }
}
