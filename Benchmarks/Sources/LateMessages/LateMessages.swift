import Foundation
import PathLearning
import PathSimulation
import PathTelemetry
import PathTransport

/// Messages over pairs of LTE links in virtual time: how late they are, and what that costs.
///
///     LateMessages TRACES [--worlds N] [--first K] [--redundancy A,B] [--flow messages|srt]
///                         [--links lte|plain] [--policy NAME] [--model FILE|none] [--csv] [--clairvoyant]
///
/// World 0 is scenario S6 of the testbed; each further one begins its two recorded links, of different
/// operators, at other moments, with other round trips (20 to 80 ms). `plain` links have fixed rates,
/// and some of them random loss, jitter and outages. Messages of 1200 bytes each 4.8 ms are late after
/// 100 ms; those of `srt`, 6 Mbit/s, after 120 ms. It prints the mean over the worlds, and for each
/// further redundancy its paired difference from the first one with a 95 % interval. `--clairvoyant`
/// sends each message once, over the link that will deliver it first.
@main
struct LateMessages {
    static func main() throws {
        let options = try Options(Array(CommandLine.arguments.dropFirst()))
        var baseline: [Figures] = []
        for redundancy in options.redundancies {
            var all: [Figures] = []
            for world in options.first..<options.first + options.worlds {
                let figures = try options.run(world: world, redundancy: redundancy)
                if options.isCSV { print("\(world),\(redundancy),\(figures.csv)") }
                all.append(figures)
            }
            if options.isCSV { continue }
            print("redundancy \(redundancy): \(Figures.mean(all))")
            if baseline.isEmpty {
                baseline = all
            } else {
                print("  against the first: \(Figures.difference(all, baseline))")
            }
        }
    }
}

/// The figures of one world.
struct Figures {
    static let names = [
        "p50 ms", "p99 ms", "p99.9 ms", "max ms", "late %", "twice as late %", "bytes %",
    ]
    var values: [Double]

    init(_ delays: [Double], deadline: Double, sent: Int, payload: Int) {
        let sorted = delays.sorted()
        func quantile(_ share: Double) -> Double {
            1000 * sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
        }
        let late = Double(sorted.filter { $0 > deadline }.count) / Double(sorted.count)
        values = [
            quantile(0.5), quantile(0.99), quantile(0.999), quantile(1), 100 * late,
            100 * Double(sorted.filter { $0 > 2 * deadline }.count) / Double(sorted.count),
            100 * Double(sent) / Double(payload),
        ]
    }

    var csv: String { values.map { String(format: "%.3f", $0) }.joined(separator: ",") }

    static func mean(_ all: [Figures]) -> String {
        names.indices.map { index in
            let mean = all.reduce(0) { $0 + $1.values[index] } / Double(all.count)
            return "\(names[index]) \(String(format: "%.2f", mean))"
        }.joined(separator: ", ")
    }

    static func difference(_ all: [Figures], _ other: [Figures]) -> String {
        names.indices.map { index in
            let differences = zip(all, other).map { $0.values[index] - $1.values[index] }
            let count = Double(differences.count)
            let mean = differences.reduce(0, +) / count
            let squares = differences.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
            let half = 1.96 * (squares / max(1, count - 1) / count).squareRoot()
            return "\(names[index]) \(String(format: "%+.2f +- %.2f", mean, half))"
        }.joined(separator: ", ")
    }
}

/// What is run.
struct Options {
    var traces: [CapacityTrace] = []
    var worlds = 40
    var first = 0
    var policy = PolicySpecification.learned()
    var model: Model?
    var redundancies = [0, 0.1]
    var size = 1200
    var interval = TimeDelta.microseconds(4800)
    var deadline = TimeDelta.milliseconds(100)
    var life = TimeDelta.milliseconds(500)
    var isPlain = false
    var isCSV = false
    var isClairvoyant = false

    init(_ arguments: [String]) throws {
        var rest = arguments[...]
        guard let folder = rest.popFirst() else {
            print("usage: LateMessages TRACES [--worlds N] [--first K] [--redundancy A,B] ...")
            exit(64)
        }
        while let name = rest.popFirst() {
            if name == "--clairvoyant" {
                isClairvoyant = true
                continue
            }
            if name == "--csv" {
                isCSV = true
                continue
            }
            guard let value = rest.popFirst() else { break }
            switch name {
            case "--worlds": worlds = max(1, Int(value) ?? worlds)
            case "--first": first = max(0, Int(value) ?? first)
            case "--policy": policy = try PolicySpecification(parsing: value)
            case "--model": model = value == "none" ? nil : try Model.load(value)
            case "--redundancy":
                redundancies = value.split(separator: ",").compactMap { Double($0) }
            case "--links": isPlain = value == "plain"
            case "--flow" where value == "srt":
                (size, interval) = (1316, .microseconds(1755))
                (deadline, life) = (.milliseconds(120), .milliseconds(120))
            default: break
            }
        }
        for name in [
            "TMobile-LTE-short.down", "ATT-LTE-driving-2016.down", "TMobile-LTE-short.up",
            "ATT-LTE-driving-2016.up",
        ] {
            traces.append(try CapacityTrace(file: "\(folder)/\(name)"))
        }
    }

    func run(world number: Int, redundancy: Double) throws -> Figures {
        if isClairvoyant { return try foresee(number) }
        var settings = WorldSettings()
        settings.policy = policy
        settings.model = policy.needs.model ? model : nil
        let flow = Messages(self, redundancy: redundancy)
        var world = try World(
            links: try links(number), settings: settings, application: flow,
            seed: UInt64(1 + number))
        world.run(for: .seconds(43))
        let delays = world.application.delays
        let sent = world.links.reduce(0) { $0 + $1.forward.counters.sent.bytes }
        return Figures(
            delays, deadline: deadline.seconds, sent: sent, payload: delays.count * (size + 60))
    }

    /// Each message alone takes the link that delivers it first, which only one who knows the traces can
    /// tell.
    private func foresee(_ number: Int) throws -> Figures {
        let start = Instant(nanoseconds: 1_000_000_000_000)
        var links = try links(number).enumerated().map {
            DuplexLink($1, seed: UInt64(1 + number), path: $0, origin: start).forward
        }
        var delays: [Double] = []
        var now = start + .milliseconds(500)
        let end = now + .seconds(40)
        while now < end {
            var best = (delay: 60.0, link: 0)
            for index in links.indices {
                var link = links[index]
                _ = link.handleSend(bytes: size + 36, token: delays.count, now: now)
                while let delivery = link.popDelivery(now: now + .seconds(60)) {
                    guard delivery.token == delays.count else { continue }
                    let delay = (delivery.time - now).seconds
                    if delay < best.delay { best = (delay, index) }
                }
            }
            _ = links[best.link].handleSend(bytes: size + 36, token: delays.count, now: now)
            while links[best.link].popDelivery(now: now) != nil {}
            delays.append(best.delay)
            now = now + interval
        }
        return Figures(delays, deadline: deadline.seconds, sent: 1, payload: 1)
    }

    private func links(_ world: Int) throws -> [LinkSpecification] {
        var random = SeededGenerator(seed: UInt64(7919 * world + 13))
        func draw(_ low: Double, _ high: Double) -> Double { low + (high - low) * random.uniform() }
        if isPlain {
            return try (0..<2).map { _ in
                var text = "rate=\(draw(3, 40)),rtt=\(draw(10, 120))"
                if random.uniform() < 0.3 { text += ",loss=\(draw(0.001, 0.02))" }
                if random.uniform() < 0.3 { text += ",jitter=\(draw(1, 15))" }
                if random.uniform() < 0.2 {
                    let start = draw(5, 15)
                    text += ",down=\(start)-\(start + draw(0.2, 3))/20"
                }
                return try LinkSpecification(parsing: text)
            }
        }
        return try [0, 1].map { index in
            let isUp = world > 0 && random.uniform() < 0.5
            let rtt = world > 0 ? draw(20, 80) : 40
            let trace = traces[index + (isUp ? 2 : 0)]
            var link = try LinkSpecification(
                parsing: "rtt=\(rtt),rrate=\(index == 0 ? 20 : 10),queue=300000b")
            link.forward.trace = world > 0 ? rotated(trace, by: random.uniform()) : trace
            return link
        }
    }

    /// The same round, begun at a share of it.
    private func rotated(_ trace: CapacityTrace, by share: Double) -> CapacityTrace {
        let times = trace.milliseconds
        let period = times[times.count - 1]
        let start = UInt32(share * Double(period))
        let place = times.firstIndex { $0 > start } ?? 0
        return CapacityTrace(
            milliseconds: times[place...].map { $0 - start }
                + times[..<place].map { $0 + period - start }) ?? trace
    }
}

/// Messages at a steady pace, timed from queueing to arrival.
struct Messages: WorldApplication {
    private let options: Options
    private let redundancy: Double
    /// Seconds by index; a minute for those that did not arrive.
    private(set) var delays: [Double] = []
    private var sentAt: [Instant] = []
    private var numbers: [UInt64: Int] = [:]
    private var nextAt: Instant
    private let end: Instant
    private let bytes: [UInt8]

    init(_ options: Options, redundancy: Double) {
        self.options = options
        self.redundancy = redundancy
        bytes = [UInt8](repeating: 7, count: options.size)
        // The first half second is for the handshake.
        nextAt = Instant(nanoseconds: 1_000_000_000_000) + .milliseconds(500)
        end = nextAt + .seconds(40)
    }

    var nextWake: Instant { nextAt < end ? nextAt : .distantFuture }
    var isDone: Bool { false }

    mutating func handleClient(_ connection: inout Connection, now: Instant) {
        while connection.pollEvent() != nil {}
        guard connection.isEstablished else { return }
        while nextAt <= now, nextAt < end {
            let number = try? bytes.withUnsafeBytes {
                try connection.sendMessage(
                    $0,
                    options: MessageOptions(
                        deadline: now + options.life, redundancy: redundancy), now: now)
            }
            if let number { numbers[number] = delays.count }
            delays.append(60)
            sentAt.append(now)
            nextAt = nextAt + options.interval
        }
    }

    mutating func handleServer(_ connection: inout Connection, now: Instant) {
        while connection.pollEvent() != nil {}
        while let message = connection.receiveMessage() {
            guard let place = numbers[message.number] else { continue }
            delays[place] = min(delays[place], (now - sentAt[place]).seconds)
        }
    }
}
