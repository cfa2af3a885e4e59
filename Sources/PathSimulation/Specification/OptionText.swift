import PathTelemetry

/// The readers of option values; each refusal names the key, the value and the fix.
struct OptionText {
    var key: Substring
    var value: Substring
    /// Where relative file names start; empty is the current folder.
    var folder = ""

    func invalid(_ fix: String) -> SimulationError {
        .invalidOption(key: String(key), value: String(value), fix: fix)
    }

    private func number(
        _ text: Substring, in bounds: ClosedRange<Double>, unit: String
    ) throws(SimulationError) -> Double {
        guard let number = ArgumentText.number(text), bounds.contains(number) else {
            throw invalid("use \(bounds.lowerBound) to \(bounds.upperBound) \(unit)")
        }
        return number == 0 ? 0 : number
    }

    /// - Parameter zero: words for the message if zero is allowed.
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

    func discipline() throws(SimulationError) -> QueueDiscipline {
        let parts = value.split(separator: ":", omittingEmptySubsequences: false)
        guard let first = parts.first, let name = QueueDisciplineName(rawValue: String(first)),
            parts.count == 1 || (parts.count == 3 && name != .dropTail)
        else { throw invalid("use drop-tail, codel or fq-codel, as codel or codel:5:100") }
        var settings = QueueDiscipline.CoDelSettings()
        if parts.count == 3 {
            settings.target = TimeDelta(seconds: try milliseconds(parts[1]) / 1e3)
            settings.interval = TimeDelta(seconds: try milliseconds(parts[2]) / 1e3)
            guard settings.target > .zero, settings.interval >= settings.target else {
                throw invalid("use a target above 0 and an interval not below it, in milliseconds")
            }
        }
        switch name {
        case .dropTail: return .dropTail
        case .coDel: return .coDel(settings)
        case .fairCoDel: return .fairCoDel(settings)
        }
    }

    /// Nil for none.
    func policer() throws(SimulationError) -> Policer.Settings? {
        if value == "none" { return nil }
        let parts = value.split(separator: ":", omittingEmptySubsequences: false)
        guard let first = parts.first, parts.count <= 2 else {
            throw invalid("use MBPS or MBPS:BYTES, as 20:15000, or none")
        }
        var policer = Policer.Settings(megabits: try rate(first, zero: nil), burstBytes: 15_000)
        if parts.count == 2 {
            guard let bytes = Int(parts[1]),
                (1500...LinkBounds.queueBytes.upperBound).contains(bytes)
            else {
                throw invalid("use a burst of 1500 to \(LinkBounds.queueBytes.upperBound) bytes")
            }
            policer.burstBytes = bytes
        }
        return policer
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
}
