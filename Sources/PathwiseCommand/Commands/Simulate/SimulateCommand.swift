import ArgumentParser
import Glibc
import PathLearning
import PathReport
import PathTelemetry
import PathWorlds
import Synchronization

struct SimulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Compare policies in simulated worlds, in virtual time.",
        discussion: """
            A world is a TOML file with links, what is sent over them, and for how long
            (docs/worlds.md). The shipped sender and receiver run in it, with every policy
            and the same seeds: losses, jitter and outages are the same for all. The tables
            have means over the seeds, and differences to the baseline with intervals.

            The same world, policy and seed give the same run on every machine, with any
            number of jobs.

            Policies are those of 'pathwise policies', and model files.

            Examples:
              pathwise simulate --list
              pathwise simulate --world S4 --policy steady --policy min-rtt
              pathwise simulate --world van_starlink_two_lte --seeds 20 --json
              pathwise simulate my.toml --policy learned --policy model.safetensors --baseline learned
              pathwise simulate --world S2 --workload transfers --policy steady --policy ecf
              pathwise simulate --world train --seeds 10 --report train.html
              pathwise simulate --random 40 --seeds 1 --policy steady --policy learned
            """
    )

    @Argument(help: ArgumentHelp("Files of worlds.", valueName: "world.toml"))
    var files: [String] = []

    @Option(
        name: .customLong("world"),
        help: ArgumentHelp("A world that ships; repeat for more. 'all' is all.", valueName: "name"))
    var names: [String] = []

    @Option(
        name: .customLong("random"), parsing: .unconditional,
        help: ArgumentHelp(
            "Also this many worlds that are drawn at random, from --seed on.",
            valueName: "count"))
    var randomWorlds = 0

    @Flag(help: "Show the worlds that ship.")
    var list = false

    @Option(
        name: .customLong("policy"),
        help: ArgumentHelp(
            "A policy's name or a model file; repeat for more (default: steady, earliest, min-rtt "
                + "and learned).", valueName: "policy"),
        transform: { try PolicyArgument(parsing: $0) })
    var policies: [PolicyArgument] = []

    @Option(
        help: ArgumentHelp(
            "The policy that the others are compared with (default: steady, or the first).",
            valueName: "policy"))
    var baseline: String?

    @Flag(
        help: ArgumentHelp(
            "Also show someone who knows the links' future and sends every message once, in "
                + "worlds with messages only."))
    var oracle = false

    @Option(
        name: .customLong("workload"),
        help: ArgumentHelp(
            "What is sent instead of the worlds' own workloads: "
                + Workload.usual.map(\.name).joined(separator: ", ") + "; repeat for more.",
            valueName: "kind"))
    var workloads: [String] = []

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "How long a run is, 0.1s to 24h, instead of the worlds' own.", valueName: "time"),
        transform: { try TimeDelta(argument: $0) })
    var duration: TimeDelta?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Runs of each policy in each world.", valueName: "count"))
    var seeds = 5

    @Option(
        parsing: .unconditional, help: "The first seed (default: 1).",
        transform: SeedArgument.seed)
    var seed: UInt64 = 1

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Threads (default: one for each core).", valueName: "count"))
    var jobs: Int?

    @OptionGroup var intervals: IntervalOptions

    @Option(
        help: ArgumentHelp(
            "Record every run, as live sessions are, into traces in this folder.",
            valueName: "folder"))
    var record: String?

    @Option(help: ArgumentHelp("Also write a page with plots.", valueName: "file.html"))
    var report: String?

    @OptionGroup var output: OutputOptions

    func run() async throws {
        if list { return try showList() }
        var campaign = try campaign()
        // What is wrong with the results' places is said before runs that may take hours.
        let baseline = try baselinePlace(in: campaign.contenders)
        if let report { try OutputFile.check(report) }
        if let record {
            try SimulateCommand.prepare(folder: record)
            campaign.recordings = record
        }
        Interruption.install()
        let runs = try await run(campaign)
        let comparison = Comparison(
            worlds: campaign.worlds, contenders: campaign.contenders, baseline: baseline,
            confidence: intervals.confidence, runs: runs)
        if let signal = Interruption.signal {
            guard !comparison.seeds.isEmpty else { throw CommandFailure.interrupted(by: signal) }
            try Console.standardError.write(
                "interrupted: \(comparison.seeds.count) of \(NumberText.counted(seeds, "seed"))\n")
        }
        // The table first: it is not lost if the page cannot be written.
        try output.print {
            comparison.text()
        } json: {
            comparison.json
        }
        if let report { try write(comparison, of: campaign, to: report) }
        if let signal = Interruption.signal { throw CommandFailure.interrupted(by: signal) }
    }

    /// Makes the folder of recordings if it is not there; fails if no file can be created in it.
    private static func prepare(folder: String) throws(CommandFailure) {
        guard mkdir(folder, 0o777) == 0 || errno == EEXIST else {
            let code = errno
            let fix = code == ENOENT ? "make the folder above it first" : "choose another folder"
            throw CommandFailure(
                "--record \(folder): \(String(cString: strerror(code))); \(fix)",
                ExitStatus(writing: code))
        }
        var status = stat()
        guard stat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
            throw CommandFailure(
                "--record \(folder): it is not a folder; name one, or a new name", .cannotCreate)
        }
        do { try OutputFile.check(folder + "/runs.trace") } catch {
            throw CommandFailure("--record \(folder): \(error.message)", error.status)
        }
    }

    /// Runs a campaign, and shows how far it is.
    private func run(_ campaign: Campaign) async throws -> [RunFigures] {
        let state = SimulationState()
        let count = campaign.count
        let watching = Task {
            var display = ProgressDisplay()
            while !Task.isCancelled {
                let now = state.progress
                display.update([
                    ProgressDisplay.bar("simulating", done: now?.done ?? 0, of: count)
                        + "  \(NumberText.count(Int(now?.virtualSeconds ?? 0))) s of virtual time"
                ])
                try? await Task.sleep(for: .milliseconds(20))
            }
            display.clear()
        }
        let result: Result<[RunFigures], any Error>
        do {
            result = .success(
                try await campaign.results { now in
                    state.note(now)
                    return Interruption.signal == nil
                })
        } catch {
            result = .failure(error)
        }
        watching.cancel()
        await watching.value
        return try result.get()
    }

    /// Writes the page; up to eight worlds have drawings of what each link carried.
    private func write(
        _ comparison: Comparison, of campaign: Campaign, to report: String
    ) throws {
        let folder: String
        do {
            folder = try TemporaryFolder(named: "simulate").path
        } catch {
            throw CommandFailure("--report: \(error)", .cannotCreate)
        }
        defer { rmdir(folder) }
        var file = try OutputFile(report)
        var shares: [[(caption: String, svg: String)]] = []
        for world in campaign.worlds.indices.prefix(8) {
            let traces = try campaign.record(world: world, in: folder)
            defer { for trace in traces { unlink(trace) } }
            shares.append(try comparison.timeLines(of: world, traces: traces))
        }
        try file.write(comparison.page(shares: shares).html())
        try file.close()
    }

    // MARK: what to run

    private func campaign() throws -> Campaign {
        guard (1...100_000).contains(seeds) else {
            throw CommandFailure("--seeds \(seeds): give 1 to 100000", .usage)
        }
        if let jobs, !(1...1024).contains(jobs) {
            throw CommandFailure("--jobs \(jobs): give 1 to 1024", .usage)
        }
        try intervals.check()
        let last = seed.addingReportingOverflow(UInt64(max(1, seeds, randomWorlds) - 1))
        guard !last.overflow else {
            throw CommandFailure(
                "--seed \(seed): the seeds of all runs must be at most \(UInt64.max); give a "
                    + "smaller one", .usage)
        }
        return Campaign(
            worlds: try worlds(), contenders: try contenders(),
            seeds: (0..<UInt64(seeds)).map { seed &+ $0 },
            jobs: jobs)
    }

    private func worlds() throws -> [WorldSpecification] {
        var worlds = try files.map { try WorldFile.read($0) }
        for name in names {
            worlds +=
                name == "all" ? try ShippedWorlds.all() : [try ShippedWorlds.world(named: name)]
        }
        guard (0...100_000).contains(randomWorlds) else {
            throw CommandFailure("--random \(randomWorlds): give 0 to 100000", .usage)
        }
        for number in 0..<UInt64(randomWorlds) {
            worlds.append(try RandomWorld.world(seed: seed &+ number))
        }
        var taken: Set<String> = []
        for world in worlds where !taken.insert(world.name).inserted {
            throw CommandFailure(
                "two worlds are named \(world.name); give each once, or another name in its file",
                .usage)
        }
        guard !worlds.isEmpty else {
            throw CommandFailure(
                "which world? give a file, --world with a name of --list, or --random", .usage)
        }
        let loads = try workloads.map { name in
            guard let load = Workload.usual.first(where: { $0.name == name }) else {
                let known = Workload.usual.map(\.name).joined(separator: ", ")
                throw CommandFailure("--workload \(name): use one of \(known)", .usage)
            }
            return load
        }
        if !loads.isEmpty { for index in worlds.indices { worlds[index].workloads = loads } }
        if let duration { try shorten(&worlds, to: duration) }
        return worlds
    }

    private func shorten(
        _ worlds: inout [WorldSpecification], to duration: TimeDelta
    ) throws(CommandFailure) {
        guard (0.1...86_400).contains(duration.seconds) else {
            throw CommandFailure("--duration: give 0.1s to 24h", .usage)
        }
        var late: [String] = []
        for index in worlds.indices {
            worlds[index].shorten(to: duration)
            if let part = worlds[index].lateStart { late.append("\(worlds[index].name) (\(part))") }
        }
        guard late.isEmpty else {
            throw CommandFailure(
                "--duration: too short for what begins only at its end or later in "
                    + late.joined(separator: ", ") + "; give a longer one, or leave these worlds "
                    + "out", .usage)
        }
    }

    private func contenders() throws -> [Contender] {
        let usual = ["steady", "earliest", "min-rtt", "learned"]
        let arguments =
            try policies.isEmpty ? usual.map { try PolicyArgument(parsing: $0) } : policies
        var contenders: [Contender] = []
        for argument in arguments {
            let loaded = try argument.load()
            let name =
                if case .named(let specification) = argument { specification.description } else {
                    loaded.label
                }
            guard !contenders.contains(where: { $0.name == name }) else {
                throw CommandFailure("--policy \(name): it is there twice", .usage)
            }
            contenders.append(
                Contender(name: name, policy: loaded.specification, model: loaded.model))
        }
        if oracle { contenders.append(.oracle) }
        return contenders
    }

    private func baselinePlace(in contenders: [Contender]) throws -> Int {
        let wanted = baseline ?? "steady"
        if let place = contenders.firstIndex(where: { $0.name == wanted }) { return place }
        guard baseline == nil else {
            let names = contenders.map(\.name).joined(separator: ", ")
            throw CommandFailure("--baseline \(wanted): use one of \(names)", .usage)
        }
        return 0
    }

    // MARK: the list

    private func showList() throws {
        let worlds = try ShippedWorlds.all()
        try output.print {
            SimulationText.list(worlds)
        } json: {
            SimulationText.json(worlds)
        }
    }
}

/// What the threads of a campaign tell the command.
private final class SimulationState: Sendable {
    private let latest = Mutex<Campaign.Progress?>(nil)

    func note(_ progress: Campaign.Progress) { latest.withLock { $0 = progress } }
    var progress: Campaign.Progress? { latest.withLock { $0 } }
}
