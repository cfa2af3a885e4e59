import ArgumentParser
import PathReport
import PathTelemetry

/// `--json`: prints one object, and nothing else, on standard output.
struct OutputOptions: ParsableArguments {
    @Flag(help: "Print one JSON object instead of text.")
    var json = false

    /// Prints a result in the requested form.
    ///
    /// Names in the text are escaped, so a terminal obeys only its line breaks.
    func print(text: () -> String, json value: () -> JSONValue) throws(CommandFailure) {
        try Console.standardOutput.write(
            json ? value().text(pretty: true) + "\n" : OutputOptions.shown(text()))
    }

    static func shown(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false)
            .map { EscapedText(String($0)).description }.joined(separator: "\n")
    }
}

/// `--json` of a command that prints while it runs.
struct LogOptions: ParsableArguments {
    @Flag(
        help: """
            Print a line with a JSON object for each item, and a last one as a summary, instead \
            of text.
            """)
    var json = false
}

/// `--confidence`: of commands that show intervals.
struct IntervalOptions: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Confidence of the intervals (default: 0.95).", valueName: "share"),
        transform: { try ShareArgument.share($0) })
    var confidence = 0.95

    func check() throws(CommandFailure) {
        guard confidence > 0, confidence < 1 else {
            throw CommandFailure("--confidence \(confidence): between 0 and 1, as 0.95", .usage)
        }
    }
}
