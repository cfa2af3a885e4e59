internal import Glibc
internal import PathTelemetry

/// The folder of the files that count the bytes of paths with caps.
public enum UsageFolder {
    /// `usage` in the state folder; nil if the environment names none.
    ///
    /// - Parameter state: the state folder; nil means that of this user.
    public static func path(state: String?) -> String? {
        (state ?? StatePath.standard).map { $0 + "/usage" }
    }

    /// The folder of the counts of a server's clients.
    public static func clients(state: String) -> String { state + "/client-usage" }

    /// Makes such a folder; one that is in the hands of another user is refused.
    static func make(_ path: String) throws(UsageError) {
        if let owner = StatePath.foreignOwner(path) { throw .foreign(path: path, owner: owner) }
        let code = StatePath.make(path)
        guard code == 0 else { throw .system(operation: "create", path: path, code: code) }
    }
}

/// The folder of the files in which watched processes keep what their paths did.
public enum HistoryFolder {
    /// The file of a process in `history` in the state folder, which is made; nil if the environment
    /// names no folder, or it cannot be made.
    ///
    /// - Parameters:
    ///   - state: the state folder; nil means that of this user.
    ///   - command: of the process.
    ///   - name: what the user calls it; nil for none.
    public static func file(state: String?, _ command: String, _ name: String?) -> String? {
        guard let folder = (state ?? StatePath.standard).map({ $0 + "/history" }),
            StatePath.foreignOwner(folder) == nil, StatePath.make(folder) == 0
        else { return nil }
        let middle = name.map { PlainName.allows($0) ? "-\($0)" : "" } ?? ""
        return "\(folder)/\(command)\(middle).ring"
    }
}

/// Where a user's state is.
enum StatePath {
    /// `$XDG_CONFIG_HOME/pathwise` or `~/.config/pathwise`; nil if the environment names neither.
    static var standard: String? {
        if let folder = variable("XDG_CONFIG_HOME") { return folder + "/pathwise" }
        return variable("HOME").map { $0 + "/.config/pathwise" }
    }

    /// An environment variable with an absolute path; XDG says that others are ignored.
    static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }.flatMap { $0.hasPrefix("/") ? $0 : nil }
    }

    /// The user, neither root nor this one, in whose hands a folder of a state folder is; nil if there is
    /// none.
    ///
    /// The owner of a state folder can put a symbolic link into it, and root would follow it.
    static func foreignOwner(_ path: String) -> UInt32? {
        let above = path.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        let parent = above.isEmpty ? "." : above.joined(separator: "/") + "/"
        for place in [parent, path] {
            var information = stat()
            guard stat(place, &information) == 0 else { continue }
            let owner = information.st_uid
            if owner != 0, owner != geteuid() { return owner }
        }
        return nil
    }

    /// Makes a folder and those above it, for this user only; returns errno, or 0.
    static func make(_ path: String) -> Int32 {
        var part = ""
        for name in path.split(separator: "/") {
            part += (path.hasPrefix("/") || !part.isEmpty ? "/" : "") + name
            var information = stat()
            if mkdir(part, 0o700) == 0 || errno == EEXIST { continue }
            let code = errno
            guard stat(part, &information) == 0, information.st_mode & S_IFMT == S_IFDIR else {
                return code
            }
        }
        return 0
    }
}
