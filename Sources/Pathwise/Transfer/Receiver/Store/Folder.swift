internal import CLinuxFile
internal import Glibc

/// An open folder of the receiver.
///
/// Everything in it is opened relative to its file descriptor, one component at a time and without
/// following links, so that no name and no link leads out of the folder that the user named. This
/// is RESOLVE_BENEATH with RESOLVE_NO_SYMLINKS of `openat2`, on every kernel.
final class Folder: Sendable {
    let descriptor: Int32
    /// Its path, safe to show; without a trailing slash.
    let path: String
    /// Device of its file system.
    let device: UInt64

    private init(descriptor: Int32, path: String) throws(FileError) {
        self.descriptor = descriptor
        self.path = path
        var information = stat()
        guard fstat(descriptor, &information) == 0 else {
            let code = errno
            close(descriptor)
            throw FileError(.open, path, code: code)
        }
        device = UInt64(information.st_dev)
    }

    deinit { close(descriptor) }

    /// Opens the folder that the user named, through any links.
    convenience init(at path: [UInt8]) throws(FileError) {
        let found = withPath(path) { Glibc.open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard found >= 0 else { throw FileError(.open, shown(path)) }
        var shownPath = path
        while shownPath.count > 1, shownPath.last == UInt8(ascii: "/") { shownPath.removeLast() }
        try self.init(descriptor: found, path: shown(shownPath))
    }

    /// The path of an entry, safe to show.
    func shownPath(of name: [UInt8]) -> String {
        (path == "/" ? "" : path) + "/" + shown(name)
    }

    // MARK: folders

    /// Whether it was removed while it was open.
    var isRemoved: Bool {
        var information = stat()
        return fstat(descriptor, &information) != 0 || information.st_nlink == 0
    }

    /// Opens a folder in it; nil if the name does not exist.
    func child(_ name: [UInt8]) throws(FileError) -> Folder? {
        let found = withPath(name) {
            openat(descriptor, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        }
        if found >= 0 { return try Folder(descriptor: found, path: shownPath(of: name)) }
        if errno == ENOENT { return nil }
        throw FileError(.open, shownPath(of: name))
    }

    /// Creates a folder in it; false if the folder exists.
    @discardableResult
    func makeChild(_ name: [UInt8]) throws(FileError) -> Bool {
        if withPath(name, { mkdirat(descriptor, $0, 0o777) }) == 0 { return true }
        guard errno == EEXIST else { throw FileError(.create, shownPath(of: name)) }
        return false
    }

    /// Sets the permissions and modification time of the folder itself.
    func setAttributes(mode: UInt16, modified: FileTime) throws(FileError) {
        let copy = dup(descriptor)
        guard copy >= 0 else { throw FileError(.open, path) }
        try OpenFile(name: path, owning: copy).setAttributes(mode: mode, modified: modified)
    }

    // MARK: entries

    /// The status of an entry, not following a link; nil if it does not exist.
    func status(of name: [UInt8]) throws(FileError) -> stat? {
        var information = stat()
        let result = withPath(name) {
            fstatat(descriptor, $0, &information, AT_SYMLINK_NOFOLLOW)
        }
        if result == 0 { return information }
        if errno == ENOENT { return nil }
        throw FileError(.open, shownPath(of: name))
    }

    /// Creates a file whose name must not exist.
    ///
    /// - Parameter shownName: its name in errors.
    func createFile(
        _ name: [UInt8], shownAs shownName: [UInt8]
    ) throws(FileError) -> OpenFile {
        let found = withPath(name) {
            openat(descriptor, $0, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        }
        guard found >= 0 else { throw FileError(.create, shownPath(of: shownName)) }
        return OpenFile(name: shownPath(of: shownName), owning: found)
    }

    /// Opens an existing file, never through a link.
    func openFile(
        _ name: [UInt8], writing: Bool, shownAs shownName: [UInt8]
    ) throws(FileError) -> OpenFile {
        let flags = (writing ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK
        let found = withPath(name) { openat(descriptor, $0, flags) }
        guard found >= 0 else { throw FileError(.open, shownPath(of: shownName)) }
        return OpenFile(name: shownPath(of: shownName), owning: found)
    }

    func createLink(_ name: [UInt8], to target: [UInt8], modified: FileTime) throws(FileError) {
        let result = withPath(name) { name in
            withPath(target) { symlinkat($0, descriptor, name) }
        }
        guard result == 0 else { throw FileError(.create, shownPath(of: name)) }
        let time = modified.specification
        _ = withPath(name) { name in
            withUnsafePointer(to: (time, time)) {
                $0.withMemoryRebound(to: timespec.self, capacity: 2) {
                    utimensat(descriptor, name, $0, AT_SYMLINK_NOFOLLOW)
                }
            }
        }
    }

    /// The target of a link; nil if there is no such link.
    func target(ofLink name: [UInt8]) -> [UInt8]? {
        var room = [CChar](repeating: 0, count: 4097)
        let count = withPath(name) { readlinkat(descriptor, $0, &room, room.count) }
        guard count >= 0 else { return nil }
        return room[..<count].map { UInt8(bitPattern: $0) }
    }

    func remove(_ name: [UInt8]) { _ = withPath(name) { unlinkat(descriptor, $0, 0) } }

    /// Renames a file or link; false if the new name exists.
    func renameIfFree(_ from: [UInt8], to name: [UInt8]) throws(FileError) -> Bool {
        let result = withPath(from) { from in
            withPath(name) { clf_rename_new(descriptor, from, $0) }
        }
        if result == -EEXIST { return false }
        guard result == 0 else {
            throw FileError(.rename, shownPath(of: name), code: -result)
        }
        return true
    }

    /// Renames a file or link, replacing a file or link with the new name.
    func renameReplacing(_ from: [UInt8], to name: [UInt8]) throws(FileError) {
        let result = withPath(from) { from in
            withPath(name) { renameat(descriptor, from, descriptor, $0) }
        }
        guard result == 0 else { throw FileError(.rename, shownPath(of: name)) }
    }

    // MARK: the disk

    /// Waits until the folder's entries are on the disk.
    func synchronize() throws(FileError) {
        guard fsync(descriptor) == 0 || errno == EINVAL || errno == EROFS else {
            throw FileError(.synchronize, path)
        }
    }

    /// Waits until its whole file system is on the disk.
    func synchronizeFileSystem() throws(FileError) {
        let result = clf_sync_file_system(descriptor)
        guard result == 0 else { throw FileError(.synchronize, path, code: -result) }
    }
}
