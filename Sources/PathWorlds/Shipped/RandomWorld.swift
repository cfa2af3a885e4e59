import Glibc
import PathTelemetry

/// Worlds drawn from documented distributions: the same seed gives the same text.
///
/// Links have rates of 1 to 1,000 Mbit/s, round trips of 5 to 600 ms and queues of 10 kB to 5 MB
/// (all log-uniform, and the queue at least 5 ms of the rate); some lose packets evenly, fade, have
/// jitter, change, or fail, alone or together. `docs/worlds.md`, "Random worlds", has the numbers.
public enum RandomWorld {
    /// The text of a world, as a file would have it.
    public static func text(seed: UInt64) -> String {
        var random = SeededGenerator(seed: SplitMix64.mix(seed &+ 0x7261_6e64_6f6d))
        var text = "# pathwise world random --seed \(seed)\n"
        let count = pick(&random, [(2, 0.45), (3, 0.25), (4, 0.15), (6, 0.1), (8, 0.05)])
        text += "summary = \"Random world \(seed): \(count) links.\"\nduration = \"60s\"\n"
        // Draws of its own, so that a seed has the links that it had before there were neighbours.
        var others = SeededGenerator(seed: SplitMix64.mix(seed &+ 0x6e65_6967_6862_6f72))
        let isShared = chance(0.2, &others)
        var sum = 0.0
        for number in 1...count {
            let (link, rate) = link(
                number, via: isShared && number <= 2 ? "shared" : nil, &random, &others)
            text += link
            if number <= 2 { sum += rate }
        }
        if isShared { text += bottleneck(sum, &others) }
        if chance(0.3, &others) { text += cross(count, isShared, &others) }
        if chance(0.25, &random) {
            let hit = chance(0.5, &random) ? (1...count).prefix(2) : (1...count).prefix(1)
            text +=
                "\n[[outage]]\nlinks = [\(hit.map { "\"link\($0)\"" }.joined(separator: ", "))]\n"
            text += "gap = \"\(seconds(logUniform(10, 60, &random)))\"\n"
            let shortest = logUniform(0.1, 1, &random)
            text += "shortest = \"\(seconds(shortest))\"\n"
            text += "longest = \"\(seconds(shortest * logUniform(1, 10, &random)))\"\n"
        }
        return text + workloads(&random)
    }

    /// The world of a seed.
    public static func world(seed: UInt64) throws(WorldError) -> WorldSpecification {
        let name = "random-\(seed)"
        return try WorldFile.parse(text(seed: seed), name: name, file: "\(name).toml")
    }

    // MARK: links

    /// A link and its rate, Mbit/s.
    private static func link(
        _ number: Int, via: String?, _ random: inout SeededGenerator,
        _ others: inout SeededGenerator
    ) -> (text: String, rate: Double) {
        let rate = logUniform(1, 1000, &random)
        let delay = logUniform(5, 600, &random) / 2
        let queue = max(logUniform(1e4, 5e6, &random), rate * 1e6 / 8 * 0.005)
        var text = "\n[[link]]\nname = \"link\(number)\"\n"
        text += "rate = \"\(fixed(rate))mbit\"\ndelay = \"\(fixed(delay))ms\"\n"
        text += "queue = \(Int(queue))\n"
        text += management(rate, &others)
        if let via { text += "via = \"\(via)\"\n" }
        if chance(0.4, &random) {
            text += "loss = \"\(fixed(logUniform(0.01, 3, &random)))%\"\n"
        }
        if chance(0.5, &random) {
            let jitter = min(delay * 0.4, logUniform(0.5, 40, &random))
            text += "jitter = \"\(fixed(jitter))ms\"\n"
            if chance(0.2, &random) { text += "reorder = true\n" }
        }
        if chance(0.3, &random) {
            text += "fading = { good = \"\(seconds(logUniform(1, 60, &random)))\", "
            text += "bad = \"\(seconds(logUniform(0.01, 2, &random)))\" }\n"
        }
        if chance(0.25, &random) {
            var at = 0.0
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                at += logUniform(5, 25, &random)
                text += "\n[[link.change]]\nat = \"\(seconds(at))\"\n"
                if chance(0.6, &random) {
                    text += "rate = \"\(fixed(rate * logUniform(0.15, 1.5, &random)))mbit\"\n"
                }
                text += "delay = \"\(fixed(min(300, delay * logUniform(0.5, 3, &random))))ms\"\n"
            }
        }
        if chance(0.15, &random) {
            let from = logUniform(5, 50, &random)
            text += "\n[[link.outage]]\nfrom = \"\(seconds(from))\"\n"
            text += "to = \"\(seconds(from + logUniform(0.05, 8, &random)))\"\n"
            if chance(0.3, &random) { text += "direction = \"up\"\n" }
        }
        return (text, rate)
    }

    /// How the packets of a link are managed; mostly not at all.
    private static func management(_ rate: Double, _ random: inout SeededGenerator) -> String {
        var text = ""
        switch pick(&random, [(0, 0.85), (1, 0.1), (2, 0.05)]) {
        case 1: text += "aqm = \"fq-codel\"\n"
        case 2: text += "aqm = \"codel\"\n"
        default: break
        }
        if chance(0.05, &random) {
            text += "police = \"\(fixed(rate * logUniform(0.3, 1, &random)))mbit\"\n"
            text += "police-burst = \(Int(logUniform(15_000, 300_000, &random)))\n"
        }
        if chance(0.15, &random) {
            text += "aggregate = \"\(fixed(logUniform(1, 12, &random)))ms\"\n"
        }
        return text
    }

    // MARK: neighbours

    /// A link that the first two pass.
    private static func bottleneck(_ sum: Double, _ random: inout SeededGenerator) -> String {
        let rate = sum * logUniform(0.2, 1.2, &random)
        let queue = max(logUniform(1e4, 5e6, &random), rate * 1e6 / 8 * 0.005)
        return """

            [[bottleneck]]
            name = "shared"
            rate = "\(fixed(rate))mbit"
            delay = "\(fixed(logUniform(0.5, 20, &random)))ms"
            queue = \(Int(queue))
            \(management(rate, &random))
            """
    }

    /// Traffic of others on one of the links.
    private static func cross(
        _ count: Int, _ isShared: Bool, _ random: inout SeededGenerator
    ) -> String {
        let place = Int.random(in: 1...count, using: &random)
        let link = isShared && chance(0.6, &random) ? "shared" : "link\(place)"
        let start = logUniform(1, 30, &random)
        let stop = start + logUniform(5, 60, &random)
        let direction = chance(0.7, &random) ? "up" : "down"
        let kind = pick(&random, [(0, 0.5), (1, 0.2), (2, 0.3)])
        var text = "\n[[cross]]\nkind = \"\(["cubic", "bbr", "udp"][kind])\"\nlink = \"\(link)\"\n"
        text += "direction = \"\(direction)\"\nstart = \"\(seconds(start))\"\n"
        text += "stop = \"\(seconds(stop))\"\n"
        if kind < 2 {
            text += "rtt = \"\(fixed(logUniform(5, 200, &random)))ms\"\n"
            text += "flows = \(pick(&random, [(1, 0.6), (2, 0.25), (4, 0.15)]))\n"
        } else {
            text += "rate = \"\(fixed(logUniform(0.5, 50, &random)))mbit\"\n"
            text += "on = \"\(seconds(logUniform(0.1, 10, &random)))\"\n"
            text += "off = \"\(seconds(logUniform(0.1, 10, &random)))\"\n"
        }
        return text
    }

    // MARK: workloads

    private static func workloads(_ random: inout SeededGenerator) -> String {
        let messages = """

            [[workload]]
            name = "messages"
            kind = "messages"
            size = \(Int(logUniform(60, 1400, &random)))
            interval = "\(fixed(logUniform(4, 50, &random)))ms"
            deadline = "\(fixed(logUniform(60, 500, &random)))ms"

            """
        switch pick(&random, [(0, 0.5), (1, 0.15), (2, 0.2), (3, 0.15)]) {
        case 0: return messages
        case 1:
            return """

                [[workload]]
                name = "video"
                kind = "video"
                rate = "\(fixed(logUniform(0.3, 4, &random)))mbit"
                deadline = "\(fixed(logUniform(100, 400, &random)))ms"

                """
        case 2:
            return """

                [[workload]]
                name = "transfers"
                kind = "transfers"
                sizes = ["\(Int(logUniform(1e4, 1e6, &random)))", "\(Int(logUniform(1e4, 1e6, &random)))"]
                think = "\(seconds(logUniform(0.2, 3, &random)))"

                """
        default:
            return messages + """

                [[workload]]
                name = "bulk"
                kind = "bulk"
                start = "5s"

                """
        }
    }

    // MARK: draws

    private static func chance(_ share: Double, _ random: inout SeededGenerator) -> Bool {
        random.uniform() < share
    }

    private static func logUniform(
        _ low: Double, _ high: Double, _ random: inout SeededGenerator
    ) -> Double {
        low * pow(high / low, random.uniform())
    }

    private static func pick(
        _ random: inout SeededGenerator, _ choices: [(value: Int, share: Double)]
    ) -> Int {
        var left = random.uniform()
        for choice in choices {
            left -= choice.share
            if left < 0 { return choice.value }
        }
        return choices[choices.count - 1].value
    }

    private static func fixed(_ value: Double) -> String { NumberText.short(value, digits: 4) }
    private static func seconds(_ value: Double) -> String { fixed(value) + "s" }
}
