internal import Glibc

/// Why a process cannot be asked for its status, or cannot offer it.
public enum StatusError: Error, Hashable, Sendable {
    /// A call of the system failed, with the errno.
    case system(operation: String, path: String, code: Int32)
    /// The folder of sockets is open to others, or not a folder of this user.
    case unsafeFolder(String)
    /// The name of the socket is longer than the system allows.
    case tooLong(String)
    /// The process did not answer within the time, or its answer is too long.
    case noAnswer(String)
}

extension StatusError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .system(let operation, let path, let code):
            "cannot \(operation) \(path): \(String(cString: strerror(code)))"
        case .unsafeFolder(let path):
            "\(path) has to be a folder of this user that no other may open; "
                + "'chmod 700 \(path)', or remove it"
        case .tooLong(let path):
            "\(path) is too long for the name of a socket (107 bytes); "
                + "set XDG_RUNTIME_DIR to a shorter folder"
        case .noAnswer(let path):
            "\(path) does not answer; the process may be stopped or overloaded: try again"
        }
    }
}

/// The folder in which running processes have their status sockets.
public enum StatusFolder {
    /// `$XDG_RUNTIME_DIR/pathwise` if that variable names a folder, else `run` in the state folder;
    /// nil if the environment names none.
    ///
    /// - Parameter state: the state folder; nil means that of this user.
    public static func path(state: String?) -> String? {
        if let folder = StatePath.variable("XDG_RUNTIME_DIR"), isFolder(folder) {
            return folder + "/pathwise"
        }
        return (state ?? StatePath.standard).map { $0 + "/run" }
    }

    private static func isFolder(_ path: String) -> Bool {
        var information = stat()
        return stat(path, &information) == 0 && information.st_mode & S_IFMT == S_IFDIR
    }

    /// Makes the folder, and those above it, for this user only.
    static func make(_ path: String) throws(StatusError) {
        let code = StatePath.make(path)
        guard code == 0 else { throw .system(operation: "create", path: path, code: code) }
        var information = stat()
        guard lstat(path, &information) == 0 else {
            throw .system(operation: "open", path: path, code: errno)
        }
        guard information.st_mode & S_IFMT == S_IFDIR, information.st_uid == geteuid(),
            information.st_mode & 0o077 == 0
        else { throw .unsafeFolder(path) }
    }

    /// The sockets in the folder, by name; none if there is no folder.
    public static func processes(in folder: String) -> [StatusProcess] {
        entries(in: folder).compactMap { StatusProcess(folder: folder, file: $0) }
            .sorted { ($0.command, $0.process) < ($1.command, $1.process) }
    }

    /// Removes the sockets of processes that were killed.
    ///
    /// A socket has its name only while a process listens on it, so one that refuses is stale. One
    /// that is being made has another name, and is removed when its process is gone.
    static func clean(_ folder: String) {
        for name in entries(in: folder) {
            let path = "\(folder)/\(name)"
            if StatusProcess(folder: folder, file: name) != nil {
                if let socket = try? UnixSocket.connect(path) {
                    close(socket)
                } else {
                    if errno == ECONNREFUSED { unlink(path) }
                }
            } else if name.hasPrefix("."), name.hasSuffix(".new"),
                let process = pid_t(name.dropFirst().dropLast(4)),
                process > 0, kill(process, 0) != 0, errno == ESRCH
            {
                unlink(path)
            }
        }
    }

    private static func entries(in folder: String) -> [String] {
        guard let open = opendir(folder) else { return [] }
        defer { closedir(open) }
        var names: [String] = []
        while names.count < 10_000, let entry = readdir(open) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}
