import ArgumentParser

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve clients that have joined: their forwards and their files.",
        discussion: """
            The first start makes the server's key and its folder, and prints a token with which one
            client can join: 'pathwise join TOKEN'. 'pathwise invite' makes more tokens. The file
            'clients' in the folder has a line for each client, with its name and key and what it
            may do; the running server takes changes of it at once, and on SIGHUP. A client whose
            line is removed is cut off and told so, which ends its 'forward'; one whose line has
            changed has to connect again. A line with a mistake admits nobody, the log says what to
            correct, and the other lines count. An emptied file cuts all off; a missing one changes
            nothing, and the log says so.

            It listens on port \(ServeSetup.port), by UDP, on all addresses. That port needs no
            privileges, is below those that the system gives to other programs, and is the one of
            all examples here. If the clients' networks let nothing else through, use
            --listen 0.0.0.0:443. A token has the addresses of --public, else those of --listen,
            else all that this host has when the token is made.

            A client may connect to what --forward-allow permits (default: this host's loopback
            only), and have this server listen where --reverse-allow permits (default: this host's
            loopback, from port 1024 on). Its line in 'clients' may say otherwise. A rule is
            HOST:PORT or NETWORK:PORTS, as 10.0.0.0/8:443, studio:8000-8010 or *:80; the address
            of a name is checked, not the name.

            A session is kept for the time of --hold without a packet from the client, so that
            its connections live through an outage; the lower time of both sides counts.

            The log has a line for each event: clients that join and leave, with totals, items
            that were stored, flows that failed (five targets a minute for each client and reason,
            then a count), connections that were refused, clients to which no path works, caps of
            clients, and problems. The exit code is 130 after Ctrl-C, 143 after SIGTERM, and 129
            when its terminal is closed, unless it was started with nohup.

            Policies, for --policy, are those of 'pathwise policies'.

            Examples:
              pathwise serve
              pathwise serve --public vpn.example:7000 --forward-allow 10.0.0.0/8:* --output in/
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
            "A target that clients may connect to, instead of loopback; repeat for more.",
            valueName: "rule"))
    var forwardAllow: [String] = []

    @Option(
        help: ArgumentHelp(
            "An address that clients may have this server listen on, instead of loopback; repeat "
                + "for more.", valueName: "rule"))
    var reverseAllow: [String] = []

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "Take files too, as 'receive' does, into this folder (default: take none).",
            valueName: "folder"))
    var output: String?

    @Option(
        help: ArgumentHelp(
            "What to do with an item whose name exists (default: rename).", valueName: "rule"))
    var onConflict: ConflictChoice?

    @Flag(
        help: """
            Do not wait for the disk: this is faster, but a power failure may lose items that \
            were reported as stored.
            """)
    var noSync = false

    @Option(
        help: ArgumentHelp(
            "The policy for what this server sends: a name or a model file (default: learned).",
            valueName: "policy"))
    var policy: String?

    @Option(
        help: ArgumentHelp(
            "Record decisions and outcomes of all clients to a new trace file.",
            valueName: "trace"))
    var record: String?

    @Option(
        name: [.customLong("hold"), .customLong("idle-timeout")],
        help: ArgumentHelp(
            "Keep a session for this time without a packet from its client, 500ms to 1h "
                + "(default: 15min).",
            valueName: "time"))
    var hold: String?

    @Option(
        help: ArgumentHelp(
            "The most sessions of one client at once; another one is refused, and told so "
                + "(default: 8).",
            valueName: "number"))
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

    @OptionGroup var config: ConfigOptions

    @OptionGroup var format: LogOptions

    func run() async throws {
        guard let command = try configured() else { return }
        try await ServeJob.run(command)
    }
}
