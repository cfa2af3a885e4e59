public import ArgumentParser
import PathTelemetry
public import PathTrace
import Pathwise

/// The `trace` commands that write files.
extension TraceCommand {
    struct Merge: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "merge",
            abstract: "Copy the sessions of several traces into a new one.",
            discussion: """
                Sessions are renumbered in the order of the traces; nothing else changes.

                Example:
                  pathwise trace merge monday.trace tuesday.trace --output week.trace
                """
        )

        @Argument(
            help: ArgumentHelp(
                "The traces; a folder stands for all files in it that end with .trace.",
                valueName: "trace"))
        var traces: [String]

        @Option(help: ArgumentHelp("The new trace; it must not exist.", valueName: "file"))
        var output: String

        @OptionGroup var format: OutputOptions

        func run() throws {
            var display = ProgressDisplay()
            let merger = try TraceMerger(RecordingFolder.expanded(traces))
            let result: TraceMerger.Result
            do throws(TraceError) {
                result = try merger.merge(
                    into: output, programVersion: PathwiseVersion.text
                ) { done, all in
                    display.update([ProgressDisplay.bar("merging", done: done, of: all)])
                }
            } catch {
                display.clear()
                throw CommandFailure(writing: error, to: output)
            }
            display.clear()
            try format.print {
                TraceText.merged(result, into: output)
            } json: {
                TraceText.json(result, into: output)
            }
        }
    }

    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "export",
            abstract: "Write one kind of row as CSV, JSON Lines or Vowpal Wabbit's dsjson.",
            discussion: """
                dsjson holds decisions with all actions, probabilities, features and the cost.

                The traces of a folder are merged first, as by 'trace merge', which numbers
                their sessions; the merged trace lies below TMPDIR (default: /var/tmp) until
                the end.

                Examples:
                  pathwise trace export run.trace > decisions.csv
                  pathwise trace export recordings/ --output decisions.csv
                  pathwise trace export run.trace --table candidates --format jsonl --output c.jsonl
                  pathwise trace export run.trace --format dsjson | vw --dsjson --cb_explore_adf
                """
        )

        @Argument(
            help: "The trace, or a folder, which stands for all files in it that end with .trace.")
        var trace: String

        @Option(help: "What to write: one row for each decision, candidate, session and so on.")
        var table = TraceExportTable.decisions

        @Option(help: "The format.")
        var format = TraceExportFormat.csv

        @Option(help: "Only the session with this number.")
        var session: UInt32?

        @Option(
            help: ArgumentHelp(
                "The file to write, or - for standard output; an existing file is replaced, and a "
                    + "symbolic link is followed.",
                valueName: "file"))
        var output = "-"

        func run() throws {
            guard format != .dsjson || table == .decisions else {
                throw CommandFailure(
                    "--format dsjson writes decisions only; leave --table \(table.rawValue) out",
                    .usage)
            }
            try MergedRecording.with(trace) { try export($0) }
        }

        private func export(_ path: String) throws {
            let reader = try TraceReader(path: path)
            let number = session.map { SessionID(rawValue: $0) }
            if let number, try !reader.sessions().contains(where: { $0.id == number }) {
                let known = try reader.sessions().map { String($0.id.rawValue) }
                throw CommandFailure(
                    "trace '\(trace)' has no session \(number.rawValue); it has "
                        + known.joined(separator: ", "), .usage)
            }
            let exporter = TraceExporter(reader, session: number)
            var file = try OutputFile(output)
            var display = ProgressDisplay()
            try exporter.export(table, as: format) { done, all in
                display.update([ProgressDisplay.bar("exporting", done: done, of: all)])
            } write: { bytes throws(TraceError) in
                do throws(CommandFailure) { try file.write(bytes) } catch {
                    throw .exportFailed(reason: error.message)
                }
            }
            display.clear()
            try file.close()
            try TraceText.warn(of: reader)
        }
    }

    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "import",
            abstract: "Make a trace of measured links: Mahimahi, pings, iperf3 JSON.",
            discussion: """
                Each file becomes a path of one session, and its measurements become path samples: \
                capacity as delivery rate, pings as RTT. The format of a file is detected from its \
                first line. An iperf3 test of both directions becomes two paths; intervals that \
                iperf3 omitted are left out.

                Examples:
                  pathwise trace import lte.down dsl.down --output links.trace
                  pathwise trace import ping.csv --name starlink --output ping.trace
                  ping -D server > wifi.txt; pathwise trace import wifi.txt --output wifi.trace
                  iperf3 -c server --bidir --json > dsl.json
                  pathwise trace import dsl.json --name dsl --output dsl.trace
                """
        )

        @Argument(help: ArgumentHelp("The files, at most 16.", valueName: "file"))
        var files: [String]

        @Option(help: ArgumentHelp("The new trace; it must not exist.", valueName: "file"))
        var output: String

        @Option(help: "The format of the files, instead of detecting it.")
        var format: TraceImportFormat?

        @Option(
            help: ArgumentHelp(
                "The path's name, once for each file, in order (default: the file's name).",
                valueName: "name"))
        var name: [String] = []

        @Option(
            help: ArgumentHelp(
                "Interval over which Mahimahi's opportunities are counted (default: 100ms).",
                valueName: "time"),
            transform: { try TimeDelta(argument: $0) })
        var interval = TimeDelta.milliseconds(100)

        @OptionGroup var print: OutputOptions

        func run() throws {
            guard interval >= .milliseconds(1), interval <= .seconds(60) else {
                throw CommandFailure("--interval: give 1ms to 60s", .usage)
            }
            guard name.count <= files.count else {
                throw CommandFailure(
                    "\(name.count) names for \(files.count) files; give one for each", .usage)
            }
            let sources = files.enumerated().map { index, file in
                TraceImporter.Source(
                    file: file, format: format, name: index < name.count ? name[index] : nil)
            }
            var importer = TraceImporter()
            importer.interval = interval
            var display = ProgressDisplay()
            let result: [TraceImporter.ImportedPath]
            do throws(TraceError) {
                result = try importer.run(
                    sources, into: output, programVersion: PathwiseVersion.text,
                    command: "trace import " + files.joined(separator: " ")
                ) { done, all in
                    display.update([ProgressDisplay.bar("importing", done: done, of: all)])
                }
            } catch {
                display.clear()
                throw CommandFailure(writing: error, to: output)
            }
            display.clear()
            try print.print {
                TraceText.imported(result, into: output)
            } json: {
                TraceText.json(result, into: output)
            }
        }
    }
}

extension CommandFailure {
    /// Makes the failure of a trace error; if the output cannot be opened, it cannot be created.
    fileprivate init(writing error: TraceError, to output: String) {
        if case .cannotOpen(output, _) = error {
            self.init(recording: error)
        } else {
            self.init(error)
        }
    }
}

extension TraceExportTable: ExpressibleByArgument {}
extension TraceExportFormat: ExpressibleByArgument {}
extension TraceImportFormat: ExpressibleByArgument {}
