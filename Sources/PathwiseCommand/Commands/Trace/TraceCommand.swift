import ArgumentParser
import PathReport
import PathTelemetry
import PathTrace

struct TraceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace",
        abstract: "Show, check, merge, export and import recordings.",
        discussion: """
            Examples:
              pathwise trace info run.trace
              pathwise trace export run.trace --format csv --output decisions.csv
              pathwise trace verify run.trace
              pathwise trace explain run.trace --decision 1200 --policy steady
              pathwise trace merge monday.trace tuesday.trace --output week.trace
              pathwise trace import lte.down --output lte.trace
            """,
        subcommands: [Info.self, Verify.self, Explain.self, Merge.self, Export.self, Import.self]
    )

    struct Info: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "info",
            abstract: "Show what a trace holds: sessions, paths, decisions, drops.",
            discussion: """
                With a folder it shows each file in it that ends with .trace, and with --json an
                array of them.

                Examples:
                  pathwise trace info run.trace
                  pathwise trace info run.trace --json
                  pathwise trace info recordings/
                """
        )

        @Argument(help: "The trace, or a folder of them.")
        var trace: String

        @OptionGroup var output: OutputOptions

        func run() throws {
            let infos = try RecordingFolder.expanded([trace]).map { file in
                let reader = try TraceReader(path: file)
                let info = try reader.info()
                try TraceText.warn(of: reader)
                return info
            }
            let isFolder = RecordingFolder.isFolder(trace)
            try output.print {
                infos.map { TraceText.info($0) }.joined(separator: "\n")
            } json: {
                isFolder
                    ? .array(infos.map { TraceText.json($0) })
                    : infos.first.map { TraceText.json($0) } ?? .null
            }
        }
    }

    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "verify",
            abstract: "Check that a trace is valid and consistent.",
            discussion: """
                The exit code is 0 for a sound trace, 65 for one with contradictions.

                Example:
                  pathwise trace verify run.trace
                """
        )

        @Argument(help: "The trace.")
        var trace: String

        @OptionGroup var output: OutputOptions

        func run() throws {
            var display = ProgressDisplay()
            let report = try TraceVerifier(try TraceReader(path: trace)).verify { done, all in
                display.update([ProgressDisplay.bar("checking", done: done, of: all)])
            }
            display.clear()
            try output.print {
                TraceText.report(report, trace: trace)
            } json: {
                TraceText.json(report, trace: trace)
            }
            if !report.isSound { throw ExitCode(ExitStatus.dataError.rawValue) }
        }
    }
}
