import Glibc
import PathTelemetry
import PathTransport
import Pathwise

/// The key and lists of a server in its state folder.
struct ServerState {
    private static let keyName = "server.key"

    let folder: StateFolder
    let key: PrivateKey
    /// Whether the key was made just now.
    private(set) var isNew = false

    /// Reads the state of a server that has run before.
    ///
    /// - Throws: if there is no key.
    init(_ folder: StateFolder) throws {
        self.folder = folder
        let path = folder.file(ServerState.keyName)
        guard access(path, F_OK) == 0 || errno != ENOENT else {
            throw CommandFailure(
                "no server has run with the folder \(folder.path) yet; start 'pathwise serve' "
                    + "first, or name another folder with --state", .noInput)
        }
        key = try KeyFile.readPrivateKey(from: path)
    }

    /// Reads the state, and makes what is missing.
    static func opened(_ folder: StateFolder) throws -> ServerState {
        let path = folder.file(keyName)
        var isNew = false
        try folder.changing {
            if access(path, F_OK) != 0 {
                isNew = true
                // As a whole or not at all, unlike a key file that is written in place.
                let text = try PrivateKey.generate().base64 + "\n"
                try folder.write(Array(text.utf8), to: keyName)
            }
            if access(folder.file(ClientsFile.fileName), F_OK) != 0 {
                try folder.write(Array(ClientsFile.template.utf8), to: ClientsFile.fileName)
            }
        }
        var state = try ServerState(folder)
        state.isNew = isNew
        return state
    }

    /// Makes a token, and lets its holder enrol.
    ///
    /// - Parameters:
    ///   - name: of the client; nil lets it choose.
    ///   - lifetime: in seconds.
    /// - Returns: the token's line, and the token.
    func invite(
        name: String?, addresses: PublicAddresses, lifetime: UInt64
    ) throws -> (line: String, token: JoinToken) {
        if let name, !PlainName.allows(name) { throw StateError.badName(name) }
        let now = InviteText.now()
        let token = try PendingTokens.add(
            to: folder, server: key.publicKey, serverName: InviteText.hostName(or: ""),
            addresses: addresses.list, name: name, expires: now + lifetime, now: now)
        return (try token.text(), token)
    }
}
