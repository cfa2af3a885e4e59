import PathSimulation
import PathTelemetry

extension Reallocation {
    /// Reads a table `[link.reallocation]`.
    init(_ table: inout WorldTable) throws(WorldError) {
        every = try table.time("every", in: 1...3600) ?? .seconds(15)
        offset = try table.time("offset", in: 0.001...3600) ?? every
        guard offset <= every else {
            throw table.invalid("offset", "it must not be longer than every")
        }
        up = try Reallocation.rates("up", &table)
        down = try Reallocation.rates("down", &table)
        delay = try Reallocation.delays(&table)
        loss = try table.share("loss") ?? 0
        pause = try table.time("pause", in: 0.001...60) ?? .milliseconds(100)
        guard pause < every else {
            throw table.invalid("pause", "it must be shorter than every")
        }
        guard up != nil || down != nil || delay != nil || loss > 0 else {
            throw table.invalid("nothing changes; write one of up, down, delay, loss")
        }
        try table.finish()
    }

    private static func pair(
        _ key: String, _ table: inout WorldTable
    ) throws(WorldError) -> (low: String, high: String)? {
        guard let texts = try table.texts(key, limit: 2) else { return nil }
        guard texts.count == 2 else {
            throw table.invalid(key, "write the lowest and the highest, as [\"low\", \"high\"]")
        }
        return (texts[0], texts[1])
    }

    private static func rates(
        _ key: String, _ table: inout WorldTable
    ) throws(WorldError) -> ClosedRange<Double>? {
        guard let (low, high) = try pair(key, &table) else { return nil }
        guard let low = ArgumentText.bitsPerSecond(low),
            let high = ArgumentText.bitsPerSecond(high),
            low <= high, (1e3...1e12).contains(low), (1e3...1e12).contains(high)
        else {
            throw table.invalid(
                key, "write the lowest and the highest rate, as [\"8mbit\", \"22mbit\"]")
        }
        return low...high
    }

    private static func delays(
        _ table: inout WorldTable
    ) throws(WorldError) -> ClosedRange<TimeDelta>? {
        guard let (low, high) = try pair("delay", &table) else { return nil }
        guard let low = ArgumentText.seconds(low), let high = ArgumentText.seconds(high),
            low <= high, (0...600).contains(low), (0...600).contains(high)
        else {
            throw table.invalid(
                "delay", "write the lowest and the highest delay, as [\"11ms\", \"22ms\"]")
        }
        return TimeDelta(seconds: low)...TimeDelta(seconds: high)
    }
}
