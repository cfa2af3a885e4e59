import Glibc
import Pathwise

/// A file to write, or standard output.
///
/// A regular file is written to a temporary file in the same folder and renamed by `close`, so that
/// a failure leaves the old file. A symbolic link is followed, even a dangling one: the link stays,
/// and its target is replaced or created.
struct OutputFile: ~Copyable {
    /// The path as the user gave it.
    private let path: String
    /// The path after following symbolic links.
    private let place: String
    /// Nil if bytes are written directly to `path`: a pipe, a device, or standard output.
    private let temporary: String?
    private let descriptor: Int32
    private var isOpen = true

    /// - Parameter path: `-` is standard output.
    init(_ path: String) throws(CommandFailure) {
        if path == "-" {
            self.init(path: path, place: path, temporary: nil, descriptor: STDOUT_FILENO)
            return
        }
        var status = stat()
        let exists = stat(path, &status) == 0
        guard !exists || status.st_mode & S_IFMT == S_IFREG else {
            let descriptor = open(path, O_WRONLY | O_CLOEXEC)
            guard descriptor >= 0 else { throw OutputFile.failure("create", path, errno) }
            self.init(path: path, place: path, temporary: nil, descriptor: descriptor)
            return
        }
        let place = try OutputFile.followed(path)
        let name =
            OutputFile.folder(of: place)
            + String(decoding: TemporaryName.unguessable(), as: UTF8.self)
        let descriptor = open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw OutputFile.failure("create", path, leadingTo: place, errno)
        }
        self.init(path: path, place: place, temporary: name, descriptor: descriptor)
    }

    /// Fails now if the file could not be created later.
    ///
    /// Nothing is written, and pipes and devices are not opened.
    static func check(_ path: String) throws(CommandFailure) {
        var status = stat()
        if stat(path, &status) == 0, ![S_IFREG, S_IFDIR].contains(status.st_mode & S_IFMT),
            access(path, W_OK) == 0
        {
            return
        }
        _ = try OutputFile(path)
    }

    private init(path: String, place: String, temporary: String?, descriptor: Int32) {
        self.path = path
        self.place = place
        self.temporary = temporary
        self.descriptor = descriptor
    }

    deinit {
        guard isOpen, descriptor != STDOUT_FILENO else { return }
        Glibc.close(descriptor)
        if let temporary { unlink(temporary) }
    }

    mutating func write(_ bytes: [UInt8]) throws(CommandFailure) {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(
                    descriptor, $0.baseAddress.map { $0 + done }, bytes.count - done)
            }
            if count >= 0 {
                done += count
            } else if errno != EINTR {
                throw OutputFile.failure("write", path, leadingTo: place, errno)
            }
        }
    }

    mutating func write(_ text: String) throws(CommandFailure) { try write(Array(text.utf8)) }

    /// Moves the complete file to its place.
    mutating func close() throws(CommandFailure) {
        guard isOpen, descriptor != STDOUT_FILENO else { return }
        isOpen = false
        var code: Int32 = 0
        if temporary != nil, fsync(descriptor) != 0, errno != EINVAL { code = errno }
        if Glibc.close(descriptor) != 0, code == 0 { code = errno }
        if let temporary {
            if code == 0, rename(temporary, place) != 0 { code = errno }
            if code != 0 { unlink(temporary) }
        }
        guard code == 0 else { throw OutputFile.failure("write", path, leadingTo: place, code) }
    }

    /// Follows symbolic links from a path to its target.
    private static func followed(_ path: String) throws(CommandFailure) -> String {
        var path = path
        // The system follows as many links: path_resolution(7).
        for _ in 0..<40 {
            var room = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
            let count = readlink(path, &room, room.count)
            guard count >= 0 else { return path }
            let bytes = room[..<count].map { UInt8(bitPattern: $0) }
            guard let target = String(validating: bytes, as: UTF8.self) else {
                throw failure("create", path, EILSEQ)
            }
            path = target.hasPrefix("/") ? target : folder(of: path) + target
        }
        throw failure("create", path, ELOOP)
    }

    /// The folder of a path, with a slash at its end; empty for the working folder.
    private static func folder(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
    }

    /// - Parameter place: the target of the path's symbolic links, on which the call failed.
    private static func failure(
        _ operation: String, _ path: String, leadingTo place: String? = nil, _ code: Int32
    ) -> CommandFailure {
        let fix =
            switch code {
            case ENOENT, ENOTDIR: "; make its folder first"
            case EACCES, EPERM, EROFS: "; choose a folder that you may write to"
            case ENOSPC, EDQUOT: "; free some space"
            case EILSEQ:
                "; a symbolic link leads to a name that is not UTF-8: name that file itself"
            case ELOOP: "; its symbolic links form a loop"
            case EISDIR: "; name a file, not a folder"
            default: ""
            }
        var subject = path == "-" ? "standard output" : "'\(path)'"
        if let place, place != path { subject += ", a symbolic link to '\(place)'" }
        return CommandFailure(
            "cannot \(operation) \(subject): \(systemText(code))\(fix)", ExitStatus(writing: code))
    }
}
