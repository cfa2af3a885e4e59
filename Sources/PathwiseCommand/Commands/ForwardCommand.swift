import ArgumentParser
import PathForward
import PathNetwork

struct ForwardCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "forward",
        abstract: "Carry the traffic of other programs over all paths.",
        discussion: """
            Programs connect to local ports, and 'pathwise serve' connects to their targets. All
            forwards share one session. It is kept while all paths are down (--hold), and made again
            when the server was restarted; until then UDP flows wait, and TCP flows are reset.

            A forward is one of:
              tcp:PORT                       the same port at the server's loopback
              udp:PORT                       the same for datagrams, for example WireGuard's
              tcp:[ADDR:]PORT=HOST:PORT      a target that the server connects to
              udp:[ADDR:]PORT=HOST:PORT
              socks:[ADDR:]PORT              a SOCKS5 proxy, with UDP
              http:[ADDR:]PORT               a proxy for HTTP CONNECT
            It listens on 127.0.0.1 unless ADDR says otherwise. With --reverse the server listens,
            and this side connects to HOST:PORT. The server allows its own loopback as a target;
            'pathwise serve --forward-allow' and, for listeners, --reverse-allow allow more.

            Each forward may have options after it, and --deadline, --ordered, --redundancy and --class
            give the defaults for all of the command. For udp: and socks::
              deadline=TIME                  a datagram that is later than this is dropped (1s)
              ordered=TIME                   how long a datagram waits for those before it; for
                                             programs that take reordering for loss, like SRT (400ms)
              redundancy=SHARE               bytes for copies of datagrams on another path while theirs
                                             pauses, as a share of the flow's own, 0% to 100% (10%)
            For all:
              class=interactive|media|bulk   how connections share the paths while all have data,
                                             16 : 4 : 1 (bulk). Datagrams go before all of them,
                                             and among themselves in this order (media): a
                                             WireGuard with class=bulk yields to a camera
            An option that has no effect on a forward is refused.

            A flow that fails, because the server does not allow its target or cannot reach it, is
            named in the log, five targets a minute for each reason and then a count, and counted
            by 'pathwise status'.

            It ends with exit code 77 when the server withdraws this client's key or does not know
            it, and with 69 if none of the interfaces of --path exists at the start; 130 after
            Ctrl-C, 143 after SIGTERM, and 129 when its terminal is closed, unless it was started
            with nohup. Anything else makes it try again, after 1 to 30 s.

            A path is \(PathArgument.form)
            At its cap a path becomes standby: it carries data only while no other path works. With
            'hard' after the cap it is removed instead, and carries nothing until the next period
            begins. The log says when 80 % and all of a cap are used.

            Examples:
              pathwise join TOKEN
              pathwise forward udp:51820
              pathwise forward udp:9000=studio:10080,ordered=400ms
              pathwise forward tcp:8443=10.0.0.5:443 socks:1080 http:3128
              pathwise forward --reverse tcp:2222=localhost:22
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
            "Hand over datagrams in order, and wait this long for a missing one.",
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
            "Record decisions and outcomes to a new trace file.", valueName: "trace"))
    var record: String?

    @Option(
        name: [.customLong("hold"), .customLong("idle-timeout")],
        help: ArgumentHelp(
            "Keep the session for this time without a packet from the server, 500ms to 1h. The "
                + "lower value of both sides counts. (default: 15min)", valueName: "time"))
    var hold: String?

    @Option(
        help: ArgumentHelp(
            "Congestion control: model-based (default) or cubic.", valueName: "name"))
    var congestion: String?

    @OptionGroup var config: ConfigOptions

    @OptionGroup var format: LogOptions

    func run() async throws {
        guard let command = try configured() else { return }
        try await ForwardJob.run(command)
    }
}
