import ArgumentParser

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve the forwards and files of clients that joined.",
        discussion: """
            The first start prints a token with which one client can join; 'pathwise
            invite' makes more. It listens on UDP port \(ServeSetup.port). The file 'clients' in the folder
            of --state has a line for each client. 'pathwise topic serving' tells what
            clients may do, and what the log says.

            Examples:
              pathwise serve --public vpn.example:7000 --forward-allow '10.0.0.0/8:*'
              pathwise serve --output in/
            """
    )

    @Option(
        help: ArgumentHelp(
            "An address to listen on; repeat for each (default: 0.0.0.0:\(ServeSetup.port) and "
                + "[::]:\(ServeSetup.port)).", valueName: "address:port"))
    var listen: [String] = []

    @Option(
        name: .customLong("public"),
        help: ArgumentHelp(
            "Where clients reach this server, for tokens; repeat for each address.",
            valueName: "host:port"))
    var publicAddress: [String] = []

    @OptionGroup var state: StateOptions

    @Option(
        help: ArgumentHelp(
            "A target that clients may connect to, instead of loopback, or 'none'; repeat for more.",
            valueName: "rule"))
    var forwardAllow: [String] = []

    @Option(
        help: ArgumentHelp(
            "An address on which clients may listen here, instead of loopback, or 'none'; repeat "
                + "for more.",
            valueName: "rule"))
    var reverseAllow: [String] = []

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "Take files of clients too, into this folder.",
            valueName: "folder"))
    var output: String?

    @Option(
        help: ArgumentHelp(
            "What to do with an item whose name exists (default: rename).", valueName: "rule"))
    var onConflict: ConflictChoice?

    @Flag(
        help: """
            Do not wait for the disk; a power failure may lose items that were reported as \
            stored.
            """)
    var noSync = false

    @Option(
        help: ArgumentHelp(
            "The policy: a name or a model file (default: learned).",
            valueName: "policy"))
    var policy: String?

    @Option(
        help: ArgumentHelp(
            "Judge this policy beside the one that decides.", valueName: "policy"))
    var shadow: String?

    @Option(
        help: ArgumentHelp(
            "Record all clients to a file or folder.",
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
            "Keep a session so long without a packet, 500ms to 1h (default: 15min).",
            valueName: "time"))
    var hold: String?

    @Option(
        help: ArgumentHelp(
            "The most sessions of one client at once (default: 8).", valueName: "number"))
    var sessionsPerClient: String?

    @Option(
        help: ArgumentHelp(
            "Congestion control: model-based (default) or cubic.", valueName: "name"))
    var congestion: String?

    @Option(
        help: ArgumentHelp(
            "How long the first token is good, \(InviteText.lifetimes) (default: 24h).",
            valueName: "time"))
    var tokenLifetime: String?

    @OptionGroup var limits: ClientLimitOptions

    @OptionGroup var watch: WatchOptions

    @OptionGroup var config: ConfigOptions

    @OptionGroup var format: ServiceLogOptions

    func run() async throws {
        guard let command = try configured() else { return }
        try await ServeJob.run(command, line: self)
    }
}
