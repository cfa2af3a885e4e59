import PathTelemetry

/// Delay that varies from packet to packet, and their order too if that is allowed.
struct DelayJitter: LinkFault {
    var kind = LinkParameters.Jitter.none
    var reorders = false

    static let options = [
        FaultOption<DelayJitter>(
            "jitter=[normal:]MS",
            "adds a uniform [0,MS), or a normal deviate cut at 4 MS and at zero delay"
        ) { (text) throws(SimulationError) in
            let prefix = "normal:"
            let isNormal = text.value.hasPrefix(prefix)
            let size = try text.milliseconds(
                isNormal ? text.value.dropFirst(prefix.count) : text.value)
            let kind: LinkParameters.Jitter =
                size == 0 ? .none : isNormal ? .normal(deviation: size) : .uniform(width: size)
            return { $0.kind = kind }
        },
        FaultOption<DelayJitter>(
            "reorder=1", "jitter may reorder; by default a packet waits for those before it"
        ) { (text) throws(SimulationError) in
            let reorders = try text.flag()
            return { $0.reorders = reorders }
        },
    ]

    func delay(_ milliseconds: Double, _ random: inout LinkRandom) -> Double {
        switch kind {
        case .none: milliseconds
        case .uniform(let width): milliseconds + width * random.uniform()
        case .normal(let deviation): milliseconds + deviation * random.boundedNormal()
        }
    }
}

extension LinkParameters {
    /// The addition to the delay of each packet, milliseconds.
    public enum Jitter: Sendable, Hashable {
        case none
        /// Uniform in `[0, width)`.
        case uniform(width: Double)
        /// Normal with mean zero, limited to four deviations and to a total delay of at least zero.
        case normal(deviation: Double)
    }

    public var jitter: Jitter {
        get { faults[DelayJitter.self].kind }
        set { faults[DelayJitter.self].kind = newValue }
    }

    /// Whether jitter may reorder packets; otherwise a packet waits for those before it.
    var reorders: Bool {
        get { faults[DelayJitter.self].reorders }
        set { faults[DelayJitter.self].reorders = newValue }
    }
}
