internal import PathNetwork
internal import PathTelemetry
public import PathTransport

/// What sessions measured of the ways to servers, from which later ones start faster (Careful Resume,
/// RFC 9959).
///
///     let memory = PathMemory()
///     let persistent = PersistentSession { () throws(SessionError) in
///         var options = try ClientOptions(key: key, server: peer, to: names)
///         options.memory = memory
///         return options
///     }
///
/// A way is an interface with its address, and an address of the server; a measurement holds for an
/// hour. A session takes what is known when it starts and gives back what it found when it is
/// closed, so that of two sessions at the same time one starts without.
public final class PathMemory: Sendable {
    /// The file in the state folder.
    private static let fileName = "known-paths"
    /// The most ways of a server that are remembered, and the most lines of the file.
    private static let limit = 64
    private static let lineLimit = 1_024

    private let known = Guarded<[PublicKey: [KnownPath]]>([:])
    private let folder: StateFolder?

    /// Remembers as long as this object lives.
    public init() { folder = nil }

    /// Takes what the state folder has about a server; `save` puts it back.
    ///
    /// A file that cannot be read is as one that is missing, and the next `save` replaces it; so are
    /// lines that say something else. Nothing is read from the folder of another user, or written into
    /// it: root's files there would keep the owner's own programs out.
    ///
    /// - Parameters:
    ///   - server: the key that the server proves.
    ///   - folder: the state folder in which it was joined.
    public init(of server: PublicKey, in folder: StateFolder) {
        guard folder.isOwn else {
            self.folder = nil
            return
        }
        self.folder = folder
        let found = try? folder.changing {
            let entries = PathMemory.stored(in: folder)
            let others = entries.filter { $0.server != server }
            if others.count < entries.count {
                try folder.write(PathMemory.encoded(others), to: PathMemory.fileName)
            }
            return entries.filter { $0.server == server }.map(\.path)
        }
        if let found { known.withLock { $0[server] = found } }
    }

    /// Writes what is known into the state folder, without what is old; it does nothing without a
    /// folder.
    ///
    /// - Throws: `StateError`; the next session then starts without.
    public func save() throws {
        guard let folder else { return }
        let own = known.withLock { known in
            defer { known = [:] }
            return known
        }
        let added = own.flatMap { server, paths in paths.map { (server, $0) } }
        guard !added.isEmpty else { return }
        let now = KnownPath.now()
        try folder.changing {
            let routes = Set(added.map { PathMemory.Key(server: $0.0, route: $0.1.route) })
            let others = PathMemory.stored(in: folder).filter {
                !routes.contains(PathMemory.Key(server: $0.server, route: $0.path.route))
            }
            let kept = (others + added).filter { $0.path.isFresh(now: now) }
                .sorted { $0.path.measuredAt > $1.path.measuredAt }
            try folder.write(
                PathMemory.encoded(Array(kept.prefix(PathMemory.lineLimit))),
                to: PathMemory.fileName)
        }
    }

    // MARK: sessions

    /// All that is known of a server, which is then not known any more.
    func takeAll(of server: PublicKey) -> [KnownPath] {
        known.withLock { $0.removeValue(forKey: server) ?? [] }
    }

    /// Adds what a session found.
    func add(_ paths: [KnownPath], of server: PublicKey) {
        known.withLock { known in
            let routes = Set(paths.map(\.route))
            let others = (known[server] ?? []).filter { !routes.contains($0.route) }
            let newest = (others + paths).sorted { $0.measuredAt > $1.measuredAt }
            known[server] = Array(newest.prefix(PathMemory.limit))
        }
    }

    // MARK: the file

    private struct Key: Hashable {
        var server: PublicKey
        var route: KnownPath.Route
    }

    private typealias Entry = (server: PublicKey, path: KnownPath)

    private static func encoded(_ entries: [Entry]) -> [UInt8] {
        var text = "# What sessions measured of their paths; it may be removed at any time.\n"
        for (server, path) in entries {
            let interface = path.route.interface ?? "-"
            // Such a name would not be read again.
            guard !interface.contains(where: { $0.isWhitespace || $0 == "#" }) else { continue }
            let microseconds = path.saved.roundTrip.nanoseconds / 1_000
            text += "\(server.base64) \(interface) \(path.route.local) \(path.route.remote) "
            text += "bytes=\(path.saved.bytes) round-trip=\(microseconds)us at=\(path.measuredAt)\n"
        }
        return Array(text.utf8)
    }

    private static func stored(in folder: StateFolder) -> [Entry] {
        let content = (try? folder.read(fileName)) ?? nil
        var lines = StateLines(content ?? [], file: fileName)
        var entries: [Entry] = []
        while entries.count < lineLimit, let line = lines.next() {
            if let entry = entry(line.words) { entries.append(entry) }
        }
        return entries
    }

    private static func entry(_ words: [String]) -> Entry? {
        guard words.count == 7, let server = PublicKey(base64: words[0]),
            let local = SocketAddress(parsing: words[2]),
            let remote = SocketAddress(parsing: words[3]),
            let bytes = number(words[4], "bytes=", "", upTo: 1 << 31), bytes > 0,
            let microseconds = number(words[5], "round-trip=", "us", upTo: 60_000_000),
            microseconds > 0, let time = number(words[6], "at=", "", upTo: 1 << 40)
        else { return nil }
        let route = KnownPath.Route(
            interface: words[1] == "-" ? nil : words[1], local: local, remote: remote)
        let saved = SavedCapacity(bytes: Int(bytes), roundTrip: .microseconds(microseconds))
        return (server, KnownPath(route, saved, measuredAt: time))
    }

    private static func number(
        _ word: String, _ prefix: String, _ suffix: String, upTo most: Int64
    ) -> Int64? {
        guard word.hasPrefix(prefix), word.hasSuffix(suffix) else { return nil }
        let digits = word.dropFirst(prefix.count).dropLast(suffix.count)
        guard let number = Int64(digits), (0...most).contains(number) else { return nil }
        return number
    }
}
