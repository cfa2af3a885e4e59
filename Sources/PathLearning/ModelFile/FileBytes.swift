import Glibc

/// Reads whole files up to a limit, and replaces files atomically.
enum FileBytes {
    static func read(_ path: String, limit: UInt64) throws(ModelProblem) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw failure("open") }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw failure("stat") }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw .system(operation: "open", reason: "not a regular file")
        }
        let size = UInt64(max(0, status.st_size))
        guard size <= limit else { throw .oversized(what: "a file", size: size, limit: limit) }
        var bytes = [UInt8](repeating: 0, count: Int(size))
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeMutableBytes { buffer in
                Glibc.read(file, buffer.baseAddress.map { $0 + done }, buffer.count - done)
            }
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw failure("read") }
            guard count > 0 else { throw .truncated(expected: size, actual: UInt64(done)) }
            done += count
        }
        return bytes
    }

    /// A pipe or a device is written directly and never replaced by a file.
    static func write(_ bytes: [UInt8], to path: String) throws(ModelProblem) {
        var status = stat()
        guard stat(path, &status) != 0 || status.st_mode & S_IFMT == S_IFREG else {
            let file = open(path, O_WRONLY | O_CLOEXEC)
            guard file >= 0 else { throw failure("create") }
            defer { close(file) }
            try fill(file, bytes, isRegular: false)
            return
        }
        let temporary = path + ".\(getpid()).tmp"
        // A killed process with the same process ID may have left this file.
        unlink(temporary)
        let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw failure("create") }
        do throws(ModelProblem) {
            try fill(file, bytes, isRegular: true)
        } catch {
            close(file)
            unlink(temporary)
            throw error
        }
        guard close(file) == 0 else {
            let problem = failure("close")
            unlink(temporary)
            throw problem
        }
        guard rename(temporary, path) == 0 else {
            let problem = failure("rename")
            unlink(temporary)
            throw problem
        }
        syncFolder(of: path)
    }

    private static func fill(
        _ file: Int32, _ bytes: [UInt8], isRegular: Bool
    ) throws(ModelProblem) {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                Glibc.write(file, buffer.baseAddress.map { $0 + done }, buffer.count - done)
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw failure("write") }
            done += count
        }
        guard !isRegular || fsync(file) == 0 else { throw failure("sync") }
    }

    /// Syncs the new directory entry; a file system that does not support this has kept the
    /// contents anyway.
    private static func syncFolder(of path: String) {
        var folder = "."
        if let slash = path.lastIndex(of: "/") {
            folder = slash == path.startIndex ? "/" : String(path[..<slash])
        }
        let file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard file >= 0 else { return }
        fsync(file)
        close(file)
    }

    private static func failure(_ operation: String) -> ModelProblem {
        .system(operation: operation, reason: String(cString: strerror(errno)))
    }
}
