import Glibc
import PathNetwork
import PathTransport
import PathWatch
import Pathwise

/// What a server needs before it starts, made from its command line and its state folder.
struct ServeSetup {
    /// The port if `--listen` names none.
    static let port: UInt16 = 7000
    /// Connections at once, of clients and of those that enrol.
    private static let connections = 1024

    let state: ServerState
    /// Held until the server ends, so that it is the only one of the folder.
    let lock: StateLock
    let admission: Admission
    let configuration: ServerConfiguration
    let addresses: [SocketAddress]
    /// What may change while it runs.
    let choices: ServeChoices
    /// Stores the files of clients; nil if none are taken.
    let store: ItemStore?
    /// Where the server can be watched; nil nowhere.
    let watchPlace: (address: WatchAddress, token: WatchToken?)?

    /// Parses how many sessions a client may have at once.
    static func sessions(_ text: String) throws(SyntaxProblem) -> Int {
        guard let count = Int(text), (1...connections).contains(count) else {
            throw SyntaxProblem("\(text): give 1 to \(connections)")
        }
        return count
    }

    init(_ command: ServeCommand) throws {
        let choices = try ServeChoices(command)
        self.choices = choices
        watchPlace = try command.watch.place()
        addresses = try ServeSetup.listen(command.listen)
        let place = try command.output.map { try ServeSetup.place($0) }

        let folder = try command.state.folder(creates: true)
        lock = try folder.lockForServer()
        let state = try ServerState.opened(folder)
        self.state = state
        admission = try Admission(folder, serverKey: state.key.publicKey)
        store = try place.map { place in
            var options = StoreOptions(
                place: place,
                secret: try state.key.derivedBytes(for: "pathwise unfinished items"))
            options.onConflict = (command.onConflict ?? .rename).rule
            options.synchronizes = !command.noSync
            return try ItemStore(options)
        }
        var configuration = ServerConfiguration(
            key: state.key, clients: admission.keys(now: InviteText.now()),
            policy: choices.policy)
        configuration.model = choices.model
        configuration.connection = choices.connection
        configuration.connectionLimit = ServeSetup.connections
        self.configuration = configuration
    }

    private static func listen(_ texts: [String]) throws -> [SocketAddress] {
        guard texts.isEmpty else {
            return try texts.map { try AddressArgument.resolve($0, option: "--listen") }
        }
        // A kernel without IPv6 has no such file, and no such sockets.
        let hasIPv6 = access("/proc/net/if_inet6", F_OK) == 0
        return [.any(.ipv4, port: port)] + (hasIPv6 ? [.any(.ipv6, port: port)] : [])
    }

    private static func place(_ output: String) throws -> ReceivePlace {
        guard output != "-", !output.isEmpty else {
            throw CommandFailure("--output '\(output)': name a folder", .usage)
        }
        var information = stat()
        if stat(output, &information) == 0, information.st_mode & S_IFMT != S_IFDIR {
            throw CommandFailure(
                "--output '\(output)' is no folder, and 'serve' stores the files of its clients in "
                    + "one; name a folder, or use 'receive' for a single file", .usage)
        }
        return try ReceiveJob.place(output.hasSuffix("/") ? output : output + "/")
    }
}
