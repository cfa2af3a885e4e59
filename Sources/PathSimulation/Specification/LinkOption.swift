import PathTelemetry

/// One parsed `KEY=VALUE` of a direction.
enum LinkOption {
    case rate(Double)
    case rateStep(LinkParameters.RateStep)
    case trace(CapacityTrace)
    case queue(LinkParameters.QueueLimit)
    case delay(Double)
    case jitter(LinkParameters.Jitter)
    case reorder(Bool)
    case loss(Double)
    case burstLoss(LinkParameters.GilbertElliott)
    case outages([LinkParameters.Outage])
    case duplicate(Double)
    case corrupt(Double)
    case netem(Bool)

    static let keys = [
        "rate", "rate@SECONDS", "trace", "queue", "delay", "rtt", "jitter", "reorder", "loss", "ge",
        "down", "duplicate", "corrupt", "netem",
    ]

    static func isKey(_ key: Substring) -> Bool {
        key.hasPrefix("rate@") || (keys.contains(String(key)) && key != "rate@SECONDS")
    }

    /// - Parameters:
    ///   - key: without the prefix of a direction; `isKey` holds.
    ///   - folder: where relative trace names start.
    init(key: Substring, value: Substring, folder: String) throws(SimulationError) {
        let text = OptionText(key: key, value: value)
        switch key {
        case "rate": self = .rate(try text.rate(value, zero: "0 for unlimited or "))
        case "trace": self = .trace(try CapacityTrace(file: resolved(String(value), in: folder)))
        case "queue": self = .queue(try text.queueLimit())
        case "delay": self = .delay(try text.milliseconds(value))
        case "rtt": self = .delay(try text.milliseconds(value) / 2)
        case "jitter": self = .jitter(try text.jitter())
        case "reorder": self = .reorder(try text.flag())
        case "loss": self = .loss(try text.probability(value))
        case "ge": self = .burstLoss(try text.gilbertElliott())
        case "down": self = .outages(try text.outages())
        case "duplicate": self = .duplicate(try text.probability(value))
        case "corrupt": self = .corrupt(try text.probability(value))
        case "netem": self = .netem(try text.flag())
        default:
            guard key.hasPrefix("rate@") else {
                throw .unknownOption(key: String(key), value: String(value))
            }
            self = .rateStep(
                LinkParameters.RateStep(
                    at: try text.time(key.dropFirst(5)),
                    megabits: try text.rate(value, zero: nil)))
        }
    }

    /// Sets the option; keys that add to a list check its order and length.
    func apply(to link: inout LinkParameters) throws(SimulationError) {
        switch self {
        case .rate(let megabits): link.rateMegabits = megabits
        case .rateStep(let step):
            if let last = link.rateSteps.last, step.at <= last.at {
                throw .invalidOption(
                    key: "rate@\(step.at.seconds)", value: "\(step.megabits)",
                    mend: "rate changes must come in rising order of time")
            }
            guard link.rateSteps.count < LinkBounds.steps else {
                throw .invalidOption(
                    key: "rate@\(step.at.seconds)", value: "\(step.megabits)",
                    mend: "at most \(LinkBounds.steps) rate changes; use trace=FILE for more")
            }
            link.rateSteps.append(step)
        case .trace(let trace): link.trace = trace
        case .queue(let limit): link.queue = limit
        case .delay(let milliseconds): link.delayMilliseconds = milliseconds
        case .jitter(let jitter): link.jitter = jitter
        case .reorder(let isOn): link.reorders = isOn
        case .loss(let probability): link.loss = probability
        case .burstLoss(let model): link.burstLoss = model
        case .outages(let outages):
            guard link.outages.count + outages.count <= LinkBounds.steps else {
                throw .invalidOption(
                    key: "down", value: "...",
                    mend: "at most \(LinkBounds.steps) outages; S-E/PERIOD repeats one")
            }
            link.outages += outages
        case .duplicate(let probability): link.duplication = probability
        case .corrupt(let probability): link.corruption = probability
        case .netem(let isOn):
            link.isNetem = isOn
            if isOn { link.queue = .packets(1000) }
        }
    }
}
