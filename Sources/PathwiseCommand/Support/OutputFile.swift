import Glibc

/// A file to write, or standard output.
///
/// A regular file is written beside its place and moved there by `close`, so that a failure leaves
/// what was there before.
struct OutputFile: ~Copyable {
    private let path: String
    /// Nil when bytes go to `path` itself: a pipe, a device, or standard output.
    private let temporary: String?
    private let descriptor: Int32
    private var isOpen = true

    /// - Parameter path: `-` is standard output.
    init(_ path: String) throws(CommandFailure) {
        self.path = path
        if path == "-" {
            descriptor = STDOUT_FILENO
            temporary = nil
            return
        }
        var status = stat()
        let exists = stat(path, &status) == 0
        let isRegular = !exists || status.st_mode & S_IFMT == S_IFREG
        let name = isRegular ? path + ".\(getpid()).part" : path
        let flags = O_WRONLY | O_CLOEXEC | (isRegular ? O_CREAT | O_TRUNC : 0)
        descriptor = open(name, flags, 0o644)
        temporary = isRegular ? name : nil
        guard descriptor >= 0 else {
            isOpen = false
            throw OutputFile.failure("create", path, errno)
        }
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
                throw OutputFile.failure("write", path, errno)
            }
        }
    }

    mutating func write(_ text: String) throws(CommandFailure) { try write(Array(text.utf8)) }

    /// Puts the whole file in its place.
    mutating func close() throws(CommandFailure) {
        guard isOpen, descriptor != STDOUT_FILENO else { return }
        isOpen = false
        var code: Int32 = 0
        if temporary != nil, fsync(descriptor) != 0, errno != EINVAL { code = errno }
        if Glibc.close(descriptor) != 0, code == 0 { code = errno }
        if let temporary {
            if code == 0, rename(temporary, path) != 0 { code = errno }
            if code != 0 { unlink(temporary) }
        }
        guard code == 0 else { throw OutputFile.failure("write", path, code) }
    }

    private static func failure(
        _ operation: String, _ path: String, _ code: Int32
    ) -> CommandFailure {
        let mend =
            switch code {
            case ENOENT, ENOTDIR: "; make its folder first"
            case EACCES, EPERM, EROFS: "; choose a folder that you may write to"
            case ENOSPC, EDQUOT: "; free some space"
            case EISDIR: "; name a file, not a folder"
            default: ""
            }
        let place = path == "-" ? "standard output" : "'\(path)'"
        return CommandFailure(
            "cannot \(operation) \(place): \(systemText(code))\(mend)", ExitStatus(writing: code))
    }
}
