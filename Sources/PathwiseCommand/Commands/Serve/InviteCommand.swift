import ArgumentParser
import PathReport
import Pathwise

struct InviteCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "invite",
        abstract: "Make a token with which a client can join this server.",
        discussion: """
            Run it on the server, for the folder that 'pathwise serve' uses; a running
            server takes the token at once. A token is good for one client until it expires.
            If a client has the name already, the new one gets another, as van-2, and both
            stay: the command says so.

            Examples:
              pathwise invite
              pathwise invite van --token-lifetime 1h --public vpn.example:7000
            """
    )

    @Argument(help: "The client's name (default: the client chooses).")
    var name: String?

    @Option(
        name: .customLong("public"),
        help: ArgumentHelp(
            "Where clients reach the server; repeat for each address (default: what the server "
                + "listens on, or all addresses that this host has now).", valueName: "host:port"))
    var publicAddress: [String] = []

    @Option(
        help: ArgumentHelp(
            "How long the token is good, \(InviteText.lifetimes).", valueName: "time"))
    var tokenLifetime = "24h"

    @OptionGroup var state: StateOptions

    @OptionGroup var output: OutputOptions

    func run() throws {
        StandardStreams.ignoreBrokenPipes()
        try Console.standardOutput.checkIsOpen(
            for: "and the token goes there; open it, or send it to a file")
        let lifetime = try InviteText.lifetime(tokenLifetime)
        let named = try PublicAddresses.given(publicAddress)
        let state = try state.completed(for: "serve")
        try state.actAsOwner()
        let server = try ServerState(state.folder(creates: false))
        guard let addresses = try named ?? PublicAddresses.saved(in: server.folder)?.now() else {
            throw CommandFailure(
                "the server of \(server.folder.path) has not said where it listens; start it, or "
                    + "give --public HOST:PORT", .noInput)
        }
        let given = try name.map { try ClientsFile(server.folder).freeName($0) }
        let (line, token) = try server.invite(
            name: name, addresses: addresses, lifetime: lifetime)
        try output.print(
            text: {
                InviteCommand.hint(name, given)
                    + "one client can join until "
                    + "\(TransferText.time(Int(clamping: token.expires))), at "
                    + "\(addresses.list.joined(separator: ", ")) (\(addresses.hint)); there run:\n\n"
                    + "  pathwise join \(line)\n"
                    + (addresses.warning.map { "\nwarning: \($0)\n" } ?? "")
            },
            json: {
                .object(
                    InviteText.members(line, token) + [
                        ("name", given.map { .string($0) } ?? .null),
                        ("warning", addresses.warning.map { .string($0) } ?? .null),
                    ])
            })
    }

    /// That the client will get another name than the one asked for.
    private static func hint(_ name: String?, _ given: String?) -> String {
        guard let name, let given, name != given else { return "" }
        return
            "a client called \(name) is there already, so the new one will be \(given); to replace "
            + "it instead, remove its line from 'clients' before the new one joins\n"
    }
}
