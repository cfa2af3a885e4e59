import ArgumentParser
import PathDemo
import PathReport

struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Compare learned path choice with fixed rules.",
        discussion: """
            Three different paths: one is bloated, one loses packets in bursts, and one
            fails half-way. A stream of messages and a file of 20 MB are sent over them. The
            demo records min-rtt and round-robin in virtual time, trains a model on that,
            compares four policies over 20 seeds, in virtual time too, and then runs the
            learned one over real sockets and evaluates that recording. It takes half a
            minute and needs no privileges.

            Examples:
              pathwise demo
              pathwise demo --seconds 20 --report demo.html --directory demo
            """
    )

    @Option(help: ArgumentHelp("Length of the stream in each run, 1 to 120.", valueName: "n"))
    var seconds = 5.0

    @Option(
        help: ArgumentHelp(
            "The page with plots to write (default: report.html beside the traces).",
            valueName: "file.html"))
    var report: String?

    @Option(
        help: ArgumentHelp(
            "The folder of traces, model and report (default: a temporary one).", valueName: "dir")
    )
    var directory: String?

    @Option(
        parsing: .unconditional, help: "Seed of the links, the policies and the file (default: 1).",
        transform: SeedArgument.seed)
    var seed: UInt64 = 1

    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard DemoOptions.secondsRange.contains(seconds) else {
            throw ValidationError("--seconds \(seconds): choose 1 to 120")
        }
    }

    func run() async throws {
        Interruption.install()
        var options = DemoOptions()
        options.seconds = seconds
        options.directory = directory
        options.seed = seed
        var page = try report.map { path throws(CommandFailure) in try OutputFile(path) }
        let demo = try Demo(options)
        let work = Task { try await demo.run() }
        Interruption.whenInterrupted { _ in work.cancel() }
        let watching = Task { await DemoProgressText.show(demo) }
        let result = await work.result
        watching.cancel()
        await watching.value
        if let signal = Interruption.signal { throw CommandFailure.interrupted(by: signal) }
        let summary = try result.get()
        let place = report ?? summary.directory + "/report.html"
        if page == nil { page = try OutputFile(place) }
        try page?.write(try summary.page().html())
        try page?.close()
        try output.print {
            summary.text(styled: Console.standardOutput.isColoured)
                + "Report: \(place)\n"
        } json: {
            summary.json
        }
    }
}
