import ArgumentParser
import PathReport

/// `--json`: one object on standard output and nothing else there.
struct OutputOptions: ParsableArguments {
    @Flag(help: "Print one JSON object instead of text.")
    var json = false

    /// Prints a result in the form asked for.
    func print(text: () -> String, json value: () -> JSONValue) throws(CommandFailure) {
        try Console.standardOutput.write(json ? value().text(pretty: true) + "\n" : text())
    }
}
