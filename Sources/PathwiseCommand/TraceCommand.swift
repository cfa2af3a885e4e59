public import ArgumentParser
import PathTelemetry
public import PathTrace

struct TraceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace",
        abstract: "Look into recordings, export and check them.",
        discussion: """
            Examples:
              pathwise trace info run.trace
              pathwise trace export run.trace --format csv --output decisions.csv
              pathwise trace verify run.trace
            """,
        subcommands: [Info.self, Export.self, Verify.self]
    )

    struct Info: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "info",
            abstract: "Say what a trace holds: sessions, paths, decisions, drops.",
            discussion: """
                Examples:
                  pathwise trace info run.trace
                  pathwise trace info run.trace --json
                """
        )

        @Argument(help: "The trace.")
        var trace: String

        @OptionGroup var output: OutputOptions

        func run() throws {
            let info = try TraceReader(path: trace).info()
            try output.print {
                TraceText.info(info)
            } json: {
                TraceText.json(info)
            }
        }
    }

    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "export",
            abstract: "Write one kind of row as CSV or JSON Lines.",
            discussion: """
                Examples:
                  pathwise trace export run.trace > decisions.csv
                  pathwise trace export run.trace --table candidates --format jsonl --output c.jsonl
                """
        )

        @Argument(help: "The trace.")
        var trace: String

        @Option(help: "What to write: one row a decision, candidate, session and so on.")
        var table = TraceExportTable.decisions

        @Option(help: "The format.")
        var format = TraceExportFormat.csv

        @Option(help: "Only the session of this number.")
        var session: UInt32?

        @Option(
            help: ArgumentHelp(
                "The file to write, or - for standard output; an existing file is replaced.",
                valueName: "file"))
        var output = "-"

        func run() throws {
            let reader = try TraceReader(path: trace)
            let number = session.map { SessionID(rawValue: $0) }
            if let number, try !reader.sessions().contains(where: { $0.id == number }) {
                let known = try reader.sessions().map { String($0.id.rawValue) }
                throw CommandFailure(
                    "trace '\(trace)' has no session \(number.rawValue); it has "
                        + known.joined(separator: ", "), .usage)
            }
            let exporter = TraceExporter(reader, session: number)
            var file = try OutputFile(output)
            try exporter.export(table, as: format) { bytes throws(TraceError) in
                do throws(CommandFailure) { try file.write(bytes) } catch {
                    throw .exportFailed(reason: error.message)
                }
            }
            try file.close()
        }
    }

    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "verify",
            abstract: "Check that a trace agrees with itself.",
            discussion: """
                Exit code 0 for a sound trace, 65 for one with contradictions.

                Example:
                  pathwise trace verify run.trace
                """
        )

        @Argument(help: "The trace.")
        var trace: String

        @OptionGroup var output: OutputOptions

        func run() throws {
            let report = try TraceVerifier(try TraceReader(path: trace)).verify()
            try output.print {
                TraceText.report(report, trace: trace)
            } json: {
                TraceText.json(report, trace: trace)
            }
            if !report.isSound { throw ExitCode(ExitStatus.dataError.rawValue) }
        }
    }
}

extension TraceExportTable: ExpressibleByArgument {}
extension TraceExportFormat: ExpressibleByArgument {}
