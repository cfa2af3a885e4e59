import ArgumentParser
import PathNetwork
import PathTransport
import Pathwise

/// The options that say which server a client connects to, and who the client is.
struct ServerOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A server that was joined, instead of --to, --peer and --key (default: the only one).",
            valueName: "name"))
    var server: String?

    @Option(
        help: ArgumentHelp("The server; repeat for each of its addresses.", valueName: "host:port"))
    var to: [String] = []

    @Option(help: ArgumentHelp("The server's public key, or a file with it.", valueName: "key"))
    var peer: String?

    @Option(help: ArgumentHelp("This side's private key.", valueName: "file"))
    var key: String?

    @OptionGroup var state: StateOptions

    /// The keys of both sides and the server's addresses now.
    ///
    /// - Parameter presharedKey: of `--psk`, instead of the one that was joined with.
    func resolved(
        presharedKey: PresharedKey?
    ) throws -> (identity: ClientIdentity, remotes: [SocketAddress]) {
        let (identity, addresses) = try named(presharedKey: presharedKey)
        guard to.isEmpty else {
            return (identity, try to.flatMap { try AddressArgument.server($0) })
        }
        return (identity, try ClientProfile.resolve(addresses))
    }

    /// The same with addresses that may not be resolved yet, for a program that goes on trying.
    ///
    /// A host that has just been started may have no name server yet. A name of `--to` that does not
    /// exist is more likely mistyped, and still refused.
    func resolvedIfPossible(
        presharedKey: PresharedKey?
    ) throws -> (identity: ClientIdentity, remotes: [SocketAddress]) {
        let (identity, addresses) = try named(presharedKey: presharedKey)
        var remotes: [SocketAddress] = []
        for address in addresses {
            do throws(NetworkError) {
                remotes += try Resolver.resolve(server: address)
            } catch {
                guard to.isEmpty || error.isNoNameServer else {
                    throw CommandFailure("--to '\(address)': \(error)", ExitStatus(error))
                }
            }
        }
        return (identity, remotes)
    }

    /// What earlier sessions with a server that was joined measured of the paths to it; nil for one
    /// that is given by its key, which has no folder.
    func memory(of identity: ClientIdentity) -> PathMemory? {
        guard server != nil || (peer == nil && key == nil),
            let folder = try? state.folder(creates: false)
        else { return nil }
        return PathMemory(of: identity.peer, in: folder)
    }

    /// What the server is called in status and metrics: the name by which it was joined, or its first
    /// address.
    var label: String? {
        if let server { return server }
        guard peer == nil, key == nil, let folder = try? state.folder(creates: false),
            let profile = try? ClientProfile.load(from: folder)
        else { return to.first }
        return profile.name
    }

    /// The server's addresses now.
    ///
    /// - Throws: `network` if none can be resolved.
    func remotes() throws(SessionError) -> [SocketAddress] {
        try ClientProfile.resolve((try? named(presharedKey: nil))?.addresses ?? to)
    }

    /// The keys of both sides and the server's addresses, HOST:PORT each.
    private func named(
        presharedKey: PresharedKey?
    ) throws -> (identity: ClientIdentity, addresses: [String]) {
        guard server == nil, peer != nil || key != nil else {
            return try joined(presharedKey)
        }
        guard let key else {
            throw CommandFailure("give this side's private key with --key FILE", .usage)
        }
        let own = try KeyFile.readPrivateKey(from: key)
        guard let peer else {
            throw CommandFailure("give the server's public key with --peer KEY", .usage)
        }
        let server = try PeerKeyArgument.parse(peer, option: "--peer")
        guard !to.isEmpty else { throw CommandFailure("give --to HOST:PORT", .usage) }
        return (ClientIdentity(key: own, peer: server, presharedKey: presharedKey), to)
    }

    private func joined(
        _ presharedKey: PresharedKey?
    ) throws -> (identity: ClientIdentity, addresses: [String]) {
        guard peer == nil, key == nil else {
            throw CommandFailure(
                "--server stands for --peer and --key; leave those out, or leave out --server",
                .usage)
        }
        var profile = try ClientProfile.load(server, from: state.folder(creates: false))
        if let presharedKey { profile.presharedKey = presharedKey }
        return (profile.identity, to.isEmpty ? profile.addresses : to)
    }
}

/// `--state`: the folder with the keys and lists of `serve` and `join`.
struct StateOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The folder of keys and lists (default: ~/.config/pathwise).", valueName: "folder"))
    var state: String?

    /// The longest path of a folder, so that the files in it stay below the system's limit of 4,096.
    private static let longest = 3_900

    /// Refuses what cannot be the path of a folder.
    static func check(_ state: String?) throws(CommandFailure) {
        guard let state else { return }
        guard !state.isEmpty else {
            throw CommandFailure("--state is empty; name a folder", .usage)
        }
        guard state.utf8.count <= longest else {
            throw CommandFailure(
                "--state has \(state.utf8.count) bytes, and a folder's path at most \(longest); name "
                    + "a shorter one", .usage)
        }
        guard state.split(separator: "/").allSatisfy({ $0.utf8.count <= 255 }) else {
            throw CommandFailure(
                "--state: a name in its path has more than 255 bytes; name another folder", .usage)
        }
    }

    /// - Parameter creates: makes the folder if it does not exist.
    func folder(creates: Bool) throws -> StateFolder {
        try StateOptions.check(state)
        if let state {
            return try StateFolder(state, creates: creates)
        }
        return try StateFolder.standard(creates: creates)
    }
}
