import PathTelemetry

/// One `KEY=VALUE` of a link's options: its form, its effect, and its parser.
struct LinkOption: Sendable {
    typealias Setter = @Sendable (inout LinkParameters) throws(SimulationError) -> Void

    /// Its form in help texts; the key is the part before the `=`.
    let form: String
    /// Its effect, in one line.
    let help: String
    /// Parses a value; the result sets it for one direction.
    let parse: @Sendable (OptionText) throws(SimulationError) -> Setter

    init(
        _ form: String, _ help: String,
        parse: @escaping @Sendable (OptionText) throws(SimulationError) -> Setter
    ) {
        self.form = form
        self.help = help
        self.parse = parse
    }

    /// The key as in its form, `rate@S` for one with a number after the `@`.
    var key: Substring { form.prefix { $0 != "=" } }

    /// All options except those of both directions (`name`, `mtu`).
    static let all = bottleneck + LinkFaults.options.map(LinkOption.init)

    /// The option of a key in a text.
    ///
    /// - Parameter key: without the prefix of a direction.
    static func named(_ key: Substring) -> LinkOption? {
        all.first { option in
            guard let at = option.key.firstIndex(of: "@") else { return option.key == key }
            return key.hasPrefix(option.key[...at])
        }
    }

    /// The link option of a fault's option.
    private init(_ option: FaultOption<LinkFaults>) {
        self.init(option.form, option.help) { (text) throws(SimulationError) in
            let set = try option.parse(text)
            return { (link) throws(SimulationError) in try set(&link.faults) }
        }
    }

    /// The options of a link without faults.
    private static let bottleneck = [
        LinkOption("rate=MBPS", "bottleneck rate, 10^6 bit/s of IP bytes; 0 = unlimited") {
            (text) throws(SimulationError) in
            let megabits = try text.rate(text.value, zero: "0 for unlimited or ")
            return { $0.rateMegabits = megabits }
        },
        LinkOption("rate@S=MBPS", "new rate from S seconds on; repeat with ascending S") {
            (text) throws(SimulationError) in
            let step = LinkParameters.RateStep(
                at: try text.time(text.key.dropFirst("rate@".count)),
                megabits: try text.rate(text.value, zero: nil))
            return { (link) throws(SimulationError) in try link.append(step) }
        },
        LinkOption("trace=FILE", "Mahimahi trace instead of a rate") {
            (text) throws(SimulationError) in
            let trace = try CapacityTrace(file: resolved(String(text.value), in: text.folder))
            return { $0.trace = trace }
        },
        LinkOption("rates=FILE", "rates from a file instead: Mbit/s every 200 ms, one a line") {
            (text) throws(SimulationError) in
            let series = try RateSeries(file: resolved(String(text.value), in: text.folder))
            return { $0.rateSeries = series }
        },
        LinkOption("queue=N[b|p]", "drop-tail limit in bytes or packets (150000b)") {
            (text) throws(SimulationError) in
            let limit = try text.queueLimit()
            return { $0.intake.queue = limit }
        },
        LinkOption(
            "aqm=NAME[:MS:MS]",
            "codel or fq-codel, target:interval (5:100); sets queue=1000p or 10240p"
        ) { (text) throws(SimulationError) in
            let discipline = try text.discipline()
            return { link in
                link.intake.discipline = discipline
                if let limit = discipline.usualLimit { link.intake.queue = limit }
            }
        },
        LinkOption("police=MBPS[:BYTES]", "drops what exceeds a rate and a burst (15000); or none")
        {
            (text) throws(SimulationError) in
            let policer = try text.policer()
            return { $0.intake.policer = policer }
        },
        LinkOption("delay=MS", "one-way delay") { (text) throws(SimulationError) in
            let milliseconds = try text.milliseconds(text.value)
            return { $0.delayMilliseconds = milliseconds }
        },
        LinkOption("rtt=MS", "sets the delay of each direction to MS/2") {
            (text) throws(SimulationError) in
            let milliseconds = try text.milliseconds(text.value) / 2
            return { $0.delayMilliseconds = milliseconds }
        },
        LinkOption("netem=1", "the discipline of one Linux netem queue; sets queue=1000p") {
            (text) throws(SimulationError) in
            let isOn = try text.flag()
            return { link in
                link.isNetem = isOn
                if isOn { link.intake.queue = .packets(1000) }
            }
        },
    ]
}

extension LinkParameters {
    fileprivate mutating func append(_ step: RateStep) throws(SimulationError) {
        if let last = rateSteps.last, step.at <= last.at {
            throw .invalidOption(
                key: "rate@\(step.at.seconds)", value: "\(step.megabits)",
                fix: "rate changes must be in ascending order of time")
        }
        guard rateSteps.count < LinkBounds.steps else {
            throw .invalidOption(
                key: "rate@\(step.at.seconds)", value: "\(step.megabits)",
                fix: "at most \(LinkBounds.steps) rate changes; use trace=FILE for more")
        }
        rateSteps.append(step)
    }
}
