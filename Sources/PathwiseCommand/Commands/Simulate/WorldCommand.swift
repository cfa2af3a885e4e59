import ArgumentParser
import PathReport
import PathTelemetry
import PathWorlds

struct WorldCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "world",
        abstract: "Show, draw and check worlds for simulate.",
        discussion: """
            Examples:
              pathwise world show S4 > mine.toml
              pathwise world random --seed 7
              pathwise world check mine.toml
            """,
        subcommands: [Show.self, Random.self, Check.self])

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the file of a world that ships, to start one's own from.",
            discussion: """
                Examples:
                  pathwise world show S4
                  pathwise world show van_starlink_two_lte > mine.toml
                """)

        @Argument(help: "A name of 'pathwise simulate --list'.")
        var name: String

        func run() throws {
            try Console.standardOutput.write(try ShippedWorlds.text(named: name))
        }
    }

    struct Random: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print a world that is drawn at random.",
            discussion: """
                The same seed gives the same world on every machine; docs/worlds.md has the
                distributions.

                Examples:
                  pathwise world random --seed 7
                  pathwise world random --seed 7 > random.toml
                """)

        @Option(
            parsing: .unconditional, help: "The seed of all draws (default: 1).",
            transform: SeedArgument.seed)
        var seed: UInt64 = 1

        func run() throws {
            try Console.standardOutput.write(RandomWorld.text(seed: seed))
        }
    }

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check files of worlds without running them.",
            discussion: """
                The first fault is told with its line and key, with exit code 65.

                Examples:
                  pathwise world check mine.toml
                  pathwise world check worlds/*.toml --json
                """)

        @Argument(help: ArgumentHelp("Files of worlds.", valueName: "world.toml"))
        var files: [String]

        @OptionGroup var output: OutputOptions

        func run() throws {
            let worlds = try files.map { try WorldFile.read($0) }
            try output.print {
                SimulationText.list(worlds)
            } json: {
                SimulationText.json(worlds)
            }
        }
    }
}
