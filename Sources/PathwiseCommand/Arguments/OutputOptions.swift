import ArgumentParser
import PathReport
import PathTelemetry

/// `--json`: one object on standard output and nothing else there.
struct OutputOptions: ParsableArguments {
    @Flag(help: "Print one JSON object instead of text.")
    var json = false

    /// Prints a result in the form asked for.
    ///
    /// Whatever names are in a text, a terminal has nothing in it to obey but the ends of lines.
    func print(text: () -> String, json value: () -> JSONValue) throws(CommandFailure) {
        try Console.standardOutput.write(
            json ? value().text(pretty: true) + "\n" : OutputOptions.shown(text()))
    }

    static func shown(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false)
            .map { EscapedText(String($0)).description }.joined(separator: "\n")
    }
}

/// `--json` of a command that goes on printing while it runs.
struct LogOptions: ParsableArguments {
    @Flag(
        help: """
            Print a JSON object on a line of its own for each item, and a last one about all, \
            instead of text.
            """)
    var json = false
}
