import PathTelemetry

/// The readers of option values; each refusal names the key, the value and the mend.
struct OptionText {
    var key: Substring
    var value: Substring

    func invalid(_ mend: String) -> SimulationError {
        .invalidOption(key: String(key), value: String(value), mend: mend)
    }

    private func number(
        _ text: Substring, in bounds: ClosedRange<Double>, unit: String
    ) throws(SimulationError) -> Double {
        guard let number = ArgumentText.number(text), bounds.contains(number) else {
            throw invalid("use \(bounds.lowerBound) to \(bounds.upperBound) \(unit)")
        }
        return number == 0 ? 0 : number
    }

    /// - Parameter zero: words for the message when zero is allowed.
    func rate(_ text: Substring, zero: String?) throws(SimulationError) -> Double {
        if zero != nil, let number = ArgumentText.number(text), number == 0 { return 0 }
        guard let number = ArgumentText.number(text), LinkBounds.rate.contains(number) else {
            throw invalid(
                "use \(zero ?? "")\(LinkBounds.rate.lowerBound) to \(LinkBounds.rate.upperBound)"
                    + " Mbit/s" + (zero == nil ? " (down= makes a stop)" : ""))
        }
        return number
    }

    func milliseconds(_ text: Substring) throws(SimulationError) -> Double {
        try number(text, in: LinkBounds.delay, unit: "milliseconds")
    }

    func time(_ text: Substring) throws(SimulationError) -> TimeDelta {
        TimeDelta(seconds: try number(text, in: LinkBounds.time, unit: "seconds"))
    }

    func probability(_ text: Substring) throws(SimulationError) -> Double {
        guard let number = ArgumentText.number(text), (0...1).contains(number) else {
            throw invalid("use a probability from 0 to 1, as 0.01 for 1 %")
        }
        return number == 0 ? 0 : number
    }

    func flag() throws(SimulationError) -> Bool {
        switch value {
        case "0": return false
        case "1": return true
        default: throw invalid("use 1 or 0")
        }
    }

    func queueLimit() throws(SimulationError) -> LinkParameters.QueueLimit {
        let unit = value.last
        let digits = unit == "b" || unit == "p" ? value.dropLast() : value
        let bounds = unit == "p" ? LinkBounds.queuePackets : LinkBounds.queueBytes
        guard let first = digits.utf8.first, first != UInt8(ascii: "+"), let count = Int(digits),
            bounds.contains(count)
        else {
            throw invalid(
                "use bytes as 150000b (to \(LinkBounds.queueBytes.upperBound)) or packets as"
                    + " 1000p (to \(LinkBounds.queuePackets.upperBound))")
        }
        return unit == "p" ? .packets(count) : .bytes(count)
    }

    func jitter() throws(SimulationError) -> LinkParameters.Jitter {
        let prefix = "normal:"
        let isNormal = value.hasPrefix(prefix)
        let size = try milliseconds(isNormal ? value.dropFirst(prefix.count) : value)
        if size == 0 { return .none }
        return isNormal ? .normal(deviation: size) : .uniform(width: size)
    }

    func gilbertElliott() throws(SimulationError) -> LinkParameters.GilbertElliott {
        let parts = value.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2 || parts.count == 4 else {
            throw invalid("use P:R or P:R:LG:LB, as 0.0051:0.25 for 2 % in bursts of 4")
        }
        var model = LinkParameters.GilbertElliott(
            toBad: try probability(parts[0]), toGood: try probability(parts[1]))
        if parts.count == 4 {
            model.lossGood = try probability(parts[2])
            model.lossBad = try probability(parts[3])
        }
        return model
    }

    func outages() throws(SimulationError) -> [LinkParameters.Outage] {
        var outages: [LinkParameters.Outage] = []
        for part in value.split(separator: ";", omittingEmptySubsequences: false) {
            guard outages.count < LinkBounds.steps else {
                throw invalid("at most \(LinkBounds.steps) outages; S-E/PERIOD repeats one")
            }
            outages.append(try outage(part))
        }
        return outages
    }

    private func outage(_ text: Substring) throws(SimulationError) -> LinkParameters.Outage {
        let halves = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let span = halves.first, let dash = rangeDash(span) else {
            throw invalid("use START-END or START-END/PERIOD in seconds, several joined by ';'")
        }
        let start = try time(span[..<dash])
        let end = try time(span[span.index(after: dash)...])
        guard end > start else { throw invalid("the end must be after the start") }
        let period = halves.count > 1 ? try time(halves[1]) : .zero
        guard period == .zero || period > end - start else {
            throw invalid("the period must be longer than the outage")
        }
        return LinkParameters.Outage(start: start, end: end, period: period)
    }

    /// The dash between two numbers; one after an `e` belongs to an exponent.
    private func rangeDash(_ text: Substring) -> Substring.Index? {
        var previous: Character = "e"
        for index in text.indices {
            if text[index] == "-", previous != "e", previous != "E" { return index }
            previous = text[index]
        }
        return nil
    }
}
