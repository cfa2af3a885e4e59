internal import Glibc
internal import PathTelemetry

/// The folder with the keys and lists of `serve` and `join`, for its owner alone.
///
/// A file in it is replaced as a whole, so a program that is killed at any moment leaves either the
/// old or the new content. Formats: docs/formats.md, "State folder".
public struct StateFolder: Sendable {
    /// The largest file that is read, bytes.
    private static let sizeLimit = 1 << 20
    /// The file whose lock is held while a program changes another file.
    private static let changesLock = ".lock"

    /// Without a slash at the end.
    public let path: String

    /// Uses a folder.
    ///
    /// - Parameters:
    ///   - path: of the folder.
    ///   - creates: makes it, with mode 0700, if it does not exist; else it is empty.
    /// - Throws: `exposed` if others may use it; `foreign` if it is to be written and belongs to
    ///   somebody else; `file` if it cannot be created.
    public init(_ path: String, creates: Bool = true) throws(StateError) {
        self.path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        guard !path.isEmpty else { throw .file(FileError(.open, "", code: ENOENT)) }
        if creates {
            let code = StatePath.make(self.path)
            guard code == 0 else { throw .file(FileError(.create, self.path, code: code)) }
        }
        var status = stat()
        guard stat(self.path, &status) == 0 else {
            if !creates, errno == ENOENT { return }
            throw .file(FileError(.open, self.path))
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            throw .file(FileError(.open, self.path, code: ENOTDIR))
        }
        guard status.st_mode & 0o077 == 0 else {
            throw .exposed(path: self.path, mode: status.st_mode & 0o7777)
        }
        // Its owner could replace what root puts into it.
        guard !creates || status.st_uid == geteuid() else {
            throw .foreign(path: self.path, owner: status.st_uid)
        }
    }

    /// The folder of this user: `$XDG_CONFIG_HOME/pathwise`, or `~/.config/pathwise`.
    ///
    /// - Throws: `noHome` if the environment names neither; else as `init(_:)`.
    public static func standard(creates: Bool = true) throws(StateError) -> StateFolder {
        guard let path = StatePath.standard else { throw .noHome }
        return try StateFolder(path, creates: creates)
    }

    /// The path of a file of this folder.
    public func file(_ name: String) -> String { path + "/" + name }

    /// Whether it belongs to the user of this process, or does not exist yet.
    var isOwn: Bool {
        var status = stat()
        return stat(path, &status) != 0 || status.st_uid == geteuid()
    }

    /// A folder in this one.
    func folder(_ name: String, creates: Bool) throws(StateError) -> StateFolder {
        try StateFolder(file(name), creates: creates)
    }

    // MARK: files

    /// The content of a file; nil if there is none.
    ///
    /// - Throws: `file` if it cannot be read, `notRegular` if it is none, `malformed` if it is far too
    ///   large.
    public func read(_ name: String) throws(StateError) -> [UInt8]? {
        // `O_NONBLOCK`, so that a pipe of that name is refused instead of waited for.
        let descriptor = open(file(name), O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw .file(FileError(.open, file(name)))
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw .notRegular(file(name))
        }
        var content: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(descriptor, &piece, piece.count)
            if count == 0 { return content }
            guard count > 0 else {
                if errno == EINTR { continue }
                throw .file(FileError(.read, file(name)))
            }
            guard content.count + count <= StateFolder.sizeLimit else {
                throw .malformed(
                    file: file(name), line: 1, "it is longer than \(StateFolder.sizeLimit) bytes")
            }
            content += piece[..<count]
        }
    }

    /// Replaces a file as a whole; the new content is on the disk before it gets the name.
    ///
    /// - Throws: `file`; then the old content is still there.
    public func write(_ content: [UInt8], to name: String) throws(StateError) {
        let temporary = file(String(decoding: TemporaryName.unguessable(), as: UTF8.self))
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .file(FileError(.create, file(name))) }
        var code = StateFolder.store(content, in: descriptor)
        close(descriptor)
        if code == 0, Glibc.rename(temporary, file(name)) != 0 { code = errno }
        guard code == 0 else {
            unlink(temporary)
            throw .file(FileError(.write, file(name), code: code))
        }
        let folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw .file(FileError(.synchronize, path)) }
        defer { close(folder) }
        guard fsync(folder) == 0 || errno == EINVAL || errno == EROFS else {
            throw .file(FileError(.synchronize, path))
        }
    }

    /// Writes everything and synchronises it; returns errno, or 0.
    private static func store(_ content: [UInt8], in descriptor: Int32) -> Int32 {
        var written = 0
        while written < content.count {
            let count = content.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress.map { $0 + written }, $0.count - written)
            }
            if count < 0, errno != EINTR { return errno }
            written += max(0, count)
        }
        return fsync(descriptor) == 0 || errno == EINVAL || errno == EROFS ? 0 : errno
    }

    /// Gives a file another name, in place of one that has it; needs no room on the disk.
    ///
    /// - Throws: `file`.
    func rename(_ name: String, to other: String) throws(StateError) {
        guard Glibc.rename(file(name), file(other)) == 0 else {
            throw .file(FileError(.write, file(other)))
        }
    }

    /// Removes a file, if it exists.
    func remove(_ name: String) { unlink(file(name)) }

    /// The names of files, sorted; hidden ones, as the lock and unfinished writes, are left out.
    func names() throws(StateError) -> [String] {
        try allNames().filter { !$0.hasPrefix(".") }.sorted()
    }

    private func allNames() throws(StateError) -> [String] {
        guard let folder = opendir(path) else {
            if errno == ENOENT { return [] }
            throw .file(FileError(.list, path))
        }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    // MARK: locks

    /// Runs `body` while no other program changes files of this folder.
    ///
    /// Files that a killed program left unfinished are removed.
    public func changing<Result>(_ body: () throws -> Result) throws -> Result {
        let lock = try StateLock(file(StateFolder.changesLock), waits: true)
        defer { lock?.release() }
        for name in try allNames() where TemporaryName.isOne(Array(name.utf8)) { remove(name) }
        return try body()
    }

    /// Makes this process the only server of the folder, until the lock is released or the process
    /// ends.
    ///
    /// - Throws: `inUse` if another one is.
    public func lockForServer() throws(StateError) -> StateLock {
        guard let lock = try StateLock(file(".server-lock"), waits: false) else {
            throw .inUse(path)
        }
        return lock
    }
}

/// A lock on a file (flock(2)); the system releases it when the process ends, however it does.
public final class StateLock: Sendable {
    private let descriptor: Int32

    /// Nil if another process has the lock and this one does not wait for it.
    ///
    /// A link of that name is refused: it could lead anywhere.
    init?(_ path: String, waits: Bool) throws(StateError) {
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .file(FileError(.create, path)) }
        while flock(descriptor, waits ? LOCK_EX : LOCK_EX | LOCK_NB) != 0 {
            guard errno != EINTR else { continue }
            let code = errno
            close(descriptor)
            guard code == EWOULDBLOCK else { throw .file(FileError(.open, path, code: code)) }
            return nil
        }
    }

    /// Releases the lock.
    public func release() { flock(descriptor, LOCK_UN) }

    deinit { close(descriptor) }
}
