import ArgumentParser
import PathNetwork
import PathTelemetry
import PathTransport
import Pathwise

struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Check this host and its paths, and say what to fix.",
        discussion: """
            It checks interfaces, routes of each address, rp_filter, MTU, IPv6, socket
            buffers, offloads, clocks, privileges and limits. With --to it asks all
            addresses of the server over every path, without a key, whether UDP arrives in
            both directions, and tells the MTU that routers report, whether a NAT is on the
            way and how it maps addresses, and whether ECN marks arrive. With --key and
            --peer as well it makes a session, and tells its round trips and the size of
            packets that pass; --server does the same for a server that this host has
            joined, which without --to, --key and --peer is the only one.

            Each finding is ok, a note, or a problem, and says why it matters and which
            command changes it. Nothing is changed. The exit code is 0 without problems,
            else 69. With --json it prints an array (docs/formats.md).

            --path names the paths to check, as for 'forward'; without it each interface is
            one.

            Examples:
              pathwise doctor
              pathwise doctor --server studio
              pathwise doctor --to server:7000
              pathwise doctor --to server:7000 --key alice.key --peer BOBS_PUBLIC_KEY --json
            """
    )

    @Option(
        help: ArgumentHelp(
            "A server that this host has joined, to ask it and to make a session (default: the "
                + "only one).",
            valueName: "name"))
    var server: String?

    @Option(
        help: ArgumentHelp(
            "The server to ask; repeat for each of its addresses.", valueName: "host:port"))
    var to: [String] = []

    @Option(
        help: ArgumentHelp(
            "A path to check; repeat for each (default: every interface).",
            valueName: "name=interface"))
    var path: [String] = []

    @Option(help: ArgumentHelp("This side's private key, to make a session.", valueName: "file"))
    var key: String?

    @Option(
        help: ArgumentHelp(
            "The server's public key, or a file with it, to make a session.", valueName: "key"))
    var peer: String?

    @OptionGroup var state: StateOptions
    @OptionGroup var interfaces: InterfaceOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (key == nil) == (peer == nil), key == nil || !to.isEmpty else {
            throw ValidationError("give --to, --key and --peer together, or only --to")
        }
        guard server == nil || to.isEmpty else {
            throw ValidationError("--server stands for --to, --peer and --key; leave those out")
        }
    }

    func run() async throws {
        let (remotes, identity) = try asked()
        let planner = PathPlanner(
            remotes: remotes, rules: try PathArgument.parse(path).map { try $0.rule() },
            excluded: try interfaces.excluded())
        let facts = try HostFacts.ofThisHost()
        var findings = PathChecks.findings(
            facts, to: remotes.isEmpty ? PathChecks.internet : remotes)
        findings += SystemChecks.findings(facts)
        let usable = try InterfaceWatcher.list(includingLoopback: true)
        findings += PathChecks.findings(of: planner, usable)
        if !remotes.isEmpty {
            let plans = planner.plans(usable)
            findings += ServerChecks.findings(plans, to: remotes, facts.links)
            if let identity, !plans.isEmpty {
                findings += await ServerChecks.session(
                    ClientOptions(identity: identity, plans: plans, policy: .minRTT),
                    hasJoined: key == nil)
            }
        }
        let report = DoctorReport(findings: findings)
        try output.print {
            report.text
        } json: {
            report.json
        }
        if report.count(.problem) > 0 { throw ExitCode(ExitStatus.unavailable.rawValue) }
    }

    /// The server that was joined, by its name or because it is the only one; nil for none or several.
    private func joined() throws -> ClientProfile? {
        if let server { return try ClientProfile.load(server, from: state.folder(creates: false)) }
        guard to.isEmpty else { return nil }
        do {
            return try ClientProfile.load(from: state.folder(creates: false))
        } catch StateError.noProfile, StateError.severalProfiles, StateError.noHome {
            return nil
        }
    }

    /// The server's addresses, and what a session needs; nil makes none.
    private func asked() throws -> (remotes: [SocketAddress], identity: ClientIdentity?) {
        if let profile = try joined() {
            // Without a name server the host can still be checked, unless the server was asked for.
            let remotes = server == nil ? (try? profile.remotes()) ?? [] : try profile.remotes()
            return (remotes, profile.identity)
        }
        let remotes = try to.flatMap { try AddressArgument.server($0) }
        guard let key, let peer else { return (remotes, nil) }
        return (
            remotes,
            ClientIdentity(
                key: try KeyFile.readPrivateKey(from: key),
                peer: try PeerKeyArgument.parse(peer, option: "--peer"))
        )
    }
}
