import ArgumentParser
import PathForward
import PathNetwork

struct ForwardCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "forward",
        abstract: "Carry the traffic of other programs over all paths.",
        discussion: """
            Programs connect to local ports, and 'pathwise serve' connects to their
            targets: udp:51820, tcp:8443=10.0.0.5:443, socks:1080, http:3128, each with
            options such as class=media. 'pathwise topic forwards' has all forms, options
            and exit codes, 'pathwise topic paths' what --path takes.

            Examples:
              pathwise forward udp:51820
              pathwise forward udp:9000=studio:10080,ordered=400ms
            """
    )

    @Argument(help: ArgumentHelp("What to forward.", valueName: "forward"))
    var forwards: [String] = []

    @Flag(help: "The server listens, and this side connects to the targets.")
    var reverse = false

    @Option(
        help: ArgumentHelp(
            "One more forward for which the server listens; repeat for each.",
            valueName: "forward"))
    var reverseForward: [String] = []

    @Option(
        help: ArgumentHelp(
            "Drop datagrams that are later than this (default: 1s).", valueName: "time"))
    var deadline: String?

    @Option(
        name: .customLong("class"),
        help: ArgumentHelp(
            "How flows share the paths: interactive, media or bulk.",
            valueName: "name"))
    var flowClass: String?

    @Option(
        help: ArgumentHelp(
            "Deliver datagrams in order, waiting up to this long.",
            valueName: "time"))
    var ordered: String?

    @Option(
        help: ArgumentHelp(
            "Bytes for copies while a path pauses (default: 10%).",
            valueName: "share"))
    var redundancy: String?

    @OptionGroup var server: ServerOptions

    @Option(help: ArgumentHelp("The pre-shared key of both sides.", valueName: "file"))
    var psk: String?

    @Option(help: ArgumentHelp("A path to use; repeat for each.", valueName: "spec"))
    var path: [String] = []

    @OptionGroup var interfaces: InterfaceOptions

    @Option(
        help: ArgumentHelp(
            "The policy: a name or a model file (default: learned).", valueName: "policy"))
    var policy: String?

    @Option(
        help: ArgumentHelp(
            "Judge this policy beside the one that decides.", valueName: "policy"))
    var shadow: String?

    @Option(
        help: ArgumentHelp(
            "Record decisions and outcomes to a file or folder.",
            valueName: "trace"))
    var record: String?

    @Option(
        help: ArgumentHelp(
            "Size, age, total and share of files in the folder.",
            valueName: "rules"))
    var recordRules: String?

    @Option(
        name: [.customLong("hold"), .customLong("idle-timeout")],
        help: ArgumentHelp(
            "Keep the session so long without a packet, 500ms to 1h (default: 15min).",
            valueName: "time"))
    var hold: String?

    @Option(
        help: ArgumentHelp(
            "Congestion control: model-based (default) or cubic.", valueName: "name"))
    var congestion: String?

    @OptionGroup var watch: WatchOptions

    @OptionGroup var config: ConfigOptions

    @OptionGroup var format: ServiceLogOptions

    func run() async throws {
        guard let command = try configured() else { return }
        try await ForwardJob.run(command, line: self)
    }
}
