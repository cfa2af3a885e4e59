internal import Glibc
public import PathLearning
import PathNetwork
import PathTelemetry
public import PathTransport

/// A server that this host has joined: its key and addresses, and this host's own key.
///
/// It is the file `servers/NAME` of the state folder, which `join` writes.
public struct ClientProfile: Sendable {
    private static let folderName = "servers"

    public var name: String
    /// The server's public key.
    public var server: PublicKey
    /// The server's addresses, HOST:PORT each.
    public var addresses: [String]
    /// This host's key at the server.
    public var key: PrivateKey
    public var presharedKey: PresharedKey?

    /// - Throws: `badName`.
    public init(
        name: String, server: PublicKey, addresses: [String], key: PrivateKey,
        presharedKey: PresharedKey? = nil
    ) throws(StateError) {
        guard PlainName.allows(name) else { throw .badName(name) }
        self.name = name
        self.server = server
        self.addresses = addresses
        self.key = key
        self.presharedKey = presharedKey
    }

    /// Settings of a client that connects to the server over all usable interfaces.
    ///
    /// Waits for the name server if an address has a name.
    /// - Throws: `network` if no address can be resolved, `noPath` if no interface can be used.
    public func options(
        policy: PolicySpecification = .learned()
    ) throws(SessionError) -> ClientOptions {
        try ClientOptions(
            identity: identity, planner: PathPlanner(remotes: try remotes()), policy: policy)
    }

    /// Who this host is, and whom it expects.
    public var identity: ClientIdentity {
        ClientIdentity(key: key, peer: server, presharedKey: presharedKey)
    }

    /// The server's addresses now; names that cannot be resolved are left out.
    ///
    /// - Throws: `network` if none can be resolved.
    public func remotes() throws(SessionError) -> [SocketAddress] {
        try ClientProfile.resolve(addresses)
    }

    /// Resolves addresses of one server, without those that cannot be resolved.
    ///
    /// - Throws: `network` if none can be.
    public static func resolve(_ addresses: [String]) throws(SessionError) -> [SocketAddress] {
        var found: [SocketAddress] = []
        var problem: NetworkError?
        for address in addresses {
            do throws(NetworkError) {
                for remote in try Resolver.resolve(server: address) where !found.contains(remote) {
                    found.append(remote)
                }
            } catch {
                problem = problem ?? error
            }
        }
        if found.isEmpty, let problem { throw .network(problem) }
        return found
    }

    // MARK: files

    /// Reads a profile.
    ///
    /// - Parameters:
    ///   - name: nil means the only one.
    ///   - state: the folder that has it.
    /// - Throws: `noProfile`, `severalProfiles`, `exposed` if others may read its key, `malformed`,
    ///   `file`.
    public static func load(
        _ name: String? = nil, from state: StateFolder
    ) throws(StateError) -> ClientProfile {
        let folder = try state.folder(folderName, creates: false)
        let known = try folder.names()
        let chosen: String
        if let name {
            chosen = name
        } else {
            guard let first = known.first else { throw .noProfile(name: nil, known: []) }
            guard known.count == 1 else { throw .severalProfiles(known) }
            chosen = first
        }
        guard PlainName.allows(chosen), known.contains(chosen),
            let content = try folder.read(chosen)
        else { throw .noProfile(name: chosen, known: known) }
        var status = stat()
        if stat(folder.file(chosen), &status) == 0, status.st_mode & 0o077 != 0 {
            throw .exposed(path: folder.file(chosen), mode: status.st_mode & 0o7777)
        }
        return try ClientProfile(content, name: chosen, file: folder.file(chosen))
    }

    /// Whether there is a profile of this name.
    public static func exists(_ name: String, in state: StateFolder) throws(StateError) -> Bool {
        try state.folder(folderName, creates: false).names().contains(name)
    }

    /// Where the profile of a name is.
    public static func path(of name: String, in state: StateFolder) -> String {
        state.file(folderName) + "/" + name
    }

    /// The file of a profile that the server may not know yet.
    private var draft: String { ".\(name).joining" }

    /// Writes the profile where no command finds it, before the server is asked to take its key.
    ///
    /// - Throws: `StateError`.
    public func prepare(in state: StateFolder) throws {
        let folder = try state.folder(ClientProfile.folderName, creates: true)
        var text = "# A server that this host has joined. The key is a secret.\n"
        text += "server \(server.base64)\n"
        for address in addresses { text += "address \(address)\n" }
        do throws(CryptoError) {
            text += "key \(try key.base64)\n"
        } catch {
            throw StateError.crypto(error)
        }
        if let presharedKey { text += "psk \(presharedKey.base64)\n" }
        let (content, draft) = (Array(text.utf8), draft)
        try folder.changing { try folder.write(content, to: draft) }
    }

    /// Gives a prepared profile its name, in place of one that has it.
    ///
    /// - Throws: `StateError`.
    public func finish(in state: StateFolder) throws {
        let folder = try state.folder(ClientProfile.folderName, creates: true)
        let (draft, name) = (draft, name)
        try folder.changing { try folder.rename(draft, to: name) }
    }

    /// Removes a prepared profile.
    public func discard(in state: StateFolder) {
        try? state.folder(ClientProfile.folderName, creates: false).remove(draft)
    }

    init(_ content: [UInt8], name: String, file: String) throws(StateError) {
        var server: PublicKey?
        var key: PrivateKey?
        var shared: PresharedKey?
        var addresses: [String] = []
        for line in StateLines(content, file: file) {
            let form = "write 'server KEY', 'address HOST:PORT', 'key KEY' or 'psk KEY'"
            guard line.words.count == 2 else { throw line.problem(form) }
            let value = line.words[1]
            switch line.words[0] {
            case "server":
                guard server == nil else { throw line.problem("there is a second 'server'") }
                server = try line.publicKey(value)
            case "address":
                guard addresses.count < JoinToken.addressLimit else {
                    throw line.problem("there are more than \(JoinToken.addressLimit) addresses")
                }
                guard value.contains(":"), value.utf8.count <= JoinToken.addressLength else {
                    throw line.problem("\(line.shown(value)) is not HOST:PORT")
                }
                addresses.append(value)
            case "key":
                guard key == nil, let read = PrivateKey(base64: value) else {
                    throw line.problem("'key' needs one private key of 44 characters of base64")
                }
                key = read
            case "psk":
                guard shared == nil, let read = PresharedKey(base64: value) else {
                    throw line.problem("'psk' needs one pre-shared key of 44 characters of base64")
                }
                shared = read
            default: throw line.problem("\(line.shown(line.words[0])) is not known; \(form)")
            }
        }
        guard let server, let key, !addresses.isEmpty else {
            let missing =
                server == nil ? "server KEY" : key == nil ? "key KEY" : "address HOST:PORT"
            throw .malformed(
                file: file, line: 1, "a line '\(missing)' is missing; join the server again")
        }
        try self.init(
            name: name, server: server, addresses: addresses, key: key, presharedKey: shared)
    }
}
