internal import PathTelemetry
public import PathTransport

/// The tokens of a server that were not used yet, in the file `tokens`.
///
/// Only the public half of each is kept. A running server reads the file again when it changes.
public struct PendingTokens: Sendable {
    /// The name of the file in the state folder.
    public static let fileName = "tokens"
    /// Most tokens that wait at once; each is a key that the server accepts.
    static let limit = 1000

    /// A token that was not used yet.
    public struct Entry: Sendable {
        public var key: PublicKey
        /// Seconds since 1970.
        public var expires: UInt64
        /// The name that its client gets; nil if the client chooses.
        public var name: String?
    }

    public private(set) var entries: [Entry] = []
    /// What is wrong with each line that is no token; such a line lets nobody enrol.
    public private(set) var problems: [StateError] = []
    /// Those lines, which are kept for the person who wrote them.
    private var unread: [String] = []

    /// Reads the file; no file is an empty list.
    ///
    /// - Throws: `file` if it cannot be read, `malformed` if it is far too large.
    public init(_ folder: StateFolder) throws(StateError) {
        let content = try folder.read(PendingTokens.fileName) ?? []
        self.init(content, file: folder.file(PendingTokens.fileName))
    }

    init(_ content: [UInt8], file: String) {
        for line in StateLines(content, file: file) {
            do throws(StateError) {
                guard entries.count < PendingTokens.limit else {
                    throw line.problem(
                        "there are more than \(PendingTokens.limit) tokens; remove some")
                }
                entries.append(try PendingTokens.entry(line))
            } catch {
                problems.append(error)
                unread.append(line.words.joined(separator: " "))
            }
        }
    }

    private static func entry(_ line: StateLines.Line) throws(StateError) -> Entry {
        let form = "write PUBLIC-KEY expires=SECONDS [name=NAME], or remove the line"
        let key = try line.publicKey(line.words[0])
        guard line.words.count > 1, line.words[1].hasPrefix("expires="),
            let expires = UInt64(line.words[1].dropFirst(8)), line.words.count <= 3
        else { throw line.problem(form) }
        guard line.words.count == 3 else { return Entry(key: key, expires: expires) }
        guard line.words[2].hasPrefix("name=") else { throw line.problem(form) }
        return Entry(
            key: key, expires: expires,
            name: try line.name(String(line.words[2].dropFirst(5))))
    }

    /// The file's content.
    func encoded() -> [UInt8] {
        var text =
            "# Tokens that were not used yet, by their public keys. Remove a line to withdraw one.\n"
        for line in unread { text += line + "\n" }
        for entry in entries {
            text += "\(entry.key.base64) expires=\(entry.expires)"
            if let name = entry.name { text += " name=\(name)" }
            text += "\n"
        }
        return Array(text.utf8)
    }

    /// Makes a token and adds it to the file; expired ones are removed.
    ///
    /// - Parameters:
    ///   - folder: of the server.
    ///   - server: its public key.
    ///   - serverName: what clients call it.
    ///   - addresses: at which clients reach it, HOST:PORT.
    ///   - name: that the client gets; nil lets it choose.
    ///   - expires: when it is refused, seconds since 1970.
    ///   - now: seconds since 1970.
    /// - Throws: `StateError`.
    public static func add(
        to folder: StateFolder, server: PublicKey, serverName: String, addresses: [String],
        name: String?, expires: UInt64, now: UInt64
    ) throws -> JoinToken {
        let key: PrivateKey
        do throws(CryptoError) { key = try PrivateKey.generate() } catch {
            throw StateError.crypto(error)
        }
        try folder.changing {
            var tokens = try PendingTokens(folder)
            tokens.entries.removeAll { $0.expires <= now }
            guard tokens.entries.count < limit else {
                throw StateError.malformed(
                    file: folder.file(fileName), line: 1,
                    "\(limit) tokens wait already; remove lines that nobody needs")
            }
            tokens.entries.append(Entry(key: key.publicKey, expires: expires, name: name))
            try folder.write(tokens.encoded(), to: fileName)
        }
        return JoinToken(
            server: server, name: serverName, addresses: addresses, enrolment: key,
            expires: expires)
    }

    /// Takes a token out of the file, so that nobody can use it again.
    ///
    /// Call it within `StateFolder.changing`.
    /// - Returns: the entry; nil if it is not there any more, or has expired.
    /// - Throws: `StateError`; then the token is still there.
    public static func take(
        _ key: PublicKey, from folder: StateFolder, now: UInt64
    ) throws(StateError) -> Entry? {
        var tokens = try PendingTokens(folder)
        guard let index = tokens.entries.firstIndex(where: { $0.key == key }) else { return nil }
        let entry = tokens.entries.remove(at: index)
        try folder.write(tokens.encoded(), to: fileName)
        return entry.expires > now ? entry : nil
    }
}
