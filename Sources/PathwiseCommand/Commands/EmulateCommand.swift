import ArgumentParser
import PathEmulation
import PathNetwork
import PathSimulation
import PathTelemetry
import PathTransport
import PathWorlds

struct EmulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "emulate",
        abstract: "Emulate links between programs, without privileges.",
        discussion: """
            Each link gets a local UDP port. Packets to that port are sent to --to as the
            link delivers them, and answers return the same way. Give the printed --path
            options to the sender. 'pathwise topic links' lists the keys of a link.

            Examples:
              pathwise emulate --to 127.0.0.1:5000 --listen 127.0.0.1:7001 \\
                --link name=dsl,rate=20,rtt=20 --link name=lte,rate=40,rtt=60,ge=0.01:0.3
              pathwise emulate --to 127.0.0.1:5000 --scenario scenarios.conf --name S1
              pathwise emulate --to 127.0.0.1:5000 --world S4
            """
    )

    @Option(help: ArgumentHelp("A link, as above; repeat for more.", valueName: "spec"))
    var link: [String] = []

    @Option(help: ArgumentHelp("A file of scenarios instead of --link.", valueName: "file"))
    var scenario: String?

    @Option(
        help: ArgumentHelp(
            "The links of a world instead of --link: a file, or a name of 'simulate --list'.",
            valueName: "world"))
    var world: String?

    @Option(help: "The scenario's name in that file.")
    var name: String?

    @Option(help: ArgumentHelp("The receiver's address.", valueName: "host:port"))
    var to: String

    @Option(
        help: ArgumentHelp(
            "The address of the first link; the next ones use the ports after it. With port 0 the "
                + "system chooses.", valueName: "addr:port"))
    var listen = "127.0.0.1:0"

    @Option(
        parsing: .unconditional, help: "Seed of all random draws (default: 1).",
        transform: SeedArgument.seed)
    var seed: UInt64 = 1

    @Option(
        help: ArgumentHelp("Stop after this time (default: run until Ctrl-C).", valueName: "time"),
        transform: { try TimeDelta(secondsArgument: $0) })
    var seconds: TimeDelta?

    @OptionGroup var output: OutputOptions

    func run() async throws {
        let emulation = try Emulation(try options())
        Interruption.install()
        let console = output.json ? Console.standardError : Console.standardOutput
        try console.write(EmulationText.paths(of: emulation))
        var display = ProgressDisplay()
        let end = seconds.map { emulation.started + $0 }
        while Interruption.signal == nil {
            let now = MonotonicClock.now()
            if let end, now >= end { break }
            display.update(EmulationText.live(emulation))
            let rest = end.map { $0 - now } ?? .milliseconds(50)
            try await Task.sleep(for: .nanoseconds(min(rest, .milliseconds(50)).nanoseconds))
        }
        let status = emulation.stop()
        display.clear()
        try output.print {
            EmulationText.summary(of: emulation, status)
        } json: {
            EmulationText.json(of: emulation, status, seed: seed)
        }
        if let signal = Interruption.signal { throw CommandFailure.interrupted(by: signal) }
    }

    private func options() throws -> Emulation.Options {
        let network = try network()
        let links = network.links
        let target = try Resolver.resolve(to)
        let base = try Resolver.resolve(listen, defaultPort: 0)
        guard Int(base[0].port) + links.count - 1 <= Int(UInt16.max) else {
            throw CommandFailure(
                "--listen \(listen): \(links.count) links need ports up to "
                    + "\(Int(base[0].port) + links.count - 1); choose a lower one", .usage)
        }
        return Emulation.Options(
            network: network, target: target[0], listen: base[0], seed: seed)
    }

    private func network() throws -> NetworkSpecification {
        guard let world else { return NetworkSpecification(links: try links()) }
        guard link.isEmpty, scenario == nil else {
            throw CommandFailure("--world with --link or --scenario; leave one out", .usage)
        }
        let isFile = world.contains("/") || world.hasSuffix(".toml")
        return try (isFile ? WorldFile.read(world) : ShippedWorlds.world(named: world))
            .network(seed: seed)
    }

    private func links() throws -> [LinkSpecification] {
        if let scenario {
            guard link.isEmpty else {
                throw CommandFailure("--link and --scenario together; leave one out", .usage)
            }
            let file = try ScenarioFile(file: scenario)
            guard let name else {
                let known = file.scenarios.map(\.name).joined(separator: ", ")
                throw CommandFailure(
                    "which scenario of '\(scenario)'? give --name, one of \(known)", .usage)
            }
            let free = LinkSpecification(forward: LinkParameters(), backward: LinkParameters())
            return try file.scenario(named: name).paths().map { $0 ?? free }
        }
        guard (1...ScenarioFile.maximumPaths).contains(link.count) else {
            throw CommandFailure(
                "\(link.count) links; give 1 to \(ScenarioFile.maximumPaths) with --link, "
                    + "as --link rate=20,rtt=20", .usage)
        }
        return try link.map { try LinkSpecification(parsing: $0) }
    }
}
