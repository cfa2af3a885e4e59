import Glibc

/// How long somebody may take to begin to write into a named pipe, milliseconds.
private let patience: Int32 = 2000

/// The bytes of a file; a file larger than `limit` is refused, and so is a pipe without a writer.
package func readFile(
    _ path: String, limit: Int
) throws(SimulationError) -> [UInt8] {
    // A named pipe would be waited for in `open` without an end.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0, let file = fdopen(descriptor, "r") else {
        let reason = systemReason()
        if descriptor >= 0 { close(descriptor) }
        throw .unreadableFile(path: path, reason: reason)
    }
    defer { fclose(file) }
    var status = stat()
    if fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFIFO {
        var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard Glibc.poll(&poll, 1, patience) > 0 else {
            throw .unreadableFile(path: path, reason: "it is a pipe into which nobody writes")
        }
    }
    _ = fcntl(descriptor, F_SETFL, 0)
    var bytes: [UInt8] = []
    let block = 65_536
    while true {
        let before = bytes.count
        guard before <= limit else {
            throw .unreadableFile(path: path, reason: "larger than \(limit) bytes")
        }
        bytes.append(contentsOf: repeatElement(0, count: block))
        let got = bytes.withUnsafeMutableBytes {
            fread($0.baseAddress.map { $0 + before }, 1, block, file)
        }
        bytes.removeLast(block - got)
        if got < block {
            guard ferror(file) == 0 else {
                throw .unreadableFile(path: path, reason: systemReason())
            }
            guard bytes.count <= limit else {
                throw .unreadableFile(path: path, reason: "larger than \(limit) bytes")
            }
            return bytes
        }
    }
}

/// Whether there is a regular file of that name.
func isRegularFile(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
}

/// Whether a regular file begins with a text.
func fileBegins(_ path: String, with text: String) -> Bool {
    guard isRegularFile(path), let file = fopen(path, "re") else { return false }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: text.utf8.count)
    return fread(&bytes, 1, bytes.count, file) == bytes.count && bytes == Array(text.utf8)
}

private func systemReason() -> String { String(cString: strerror(errno)) }

/// A path for the system: relative ones start at `folder`.
func resolved(_ path: String, in folder: String) -> String {
    path.hasPrefix("/") || folder.isEmpty ? path : folder + "/" + path
}

/// The folder of a file, empty for the current one.
func folder(of file: String) -> String {
    guard let slash = file.lastIndex(of: "/") else { return "" }
    return slash == file.startIndex ? "/" : String(file[..<slash])
}
