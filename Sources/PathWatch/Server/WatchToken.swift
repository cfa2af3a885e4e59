internal import Glibc
internal import PathTransport

/// The secret that a request has to know, from a file for its owner alone.
///
/// It is neither printed nor logged.
package struct WatchToken: Sendable {
    private static let fewest = 22
    private static let most = 512
    private let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Reads the token, and makes one of 256 bits if there is no file.
    ///
    /// - Parameter path: of the file, with mode 0600.
    /// - Throws: `WatchError` if the file cannot be made or read, or is no secret.
    package init(file path: String) throws(WatchError) {
        if let bytes = try WatchToken.read(path) {
            self.bytes = bytes
            return
        }
        try WatchToken.make(path)
        guard let bytes = try WatchToken.read(path) else {
            throw .system(operation: "open", target: path, code: ENOENT)
        }
        self.bytes = bytes
    }

    /// Whether a header has the token; the time that it takes does not tell how much of it is right.
    ///
    /// - Parameter authorization: the value of the header; nil for a request without it.
    func allows(_ authorization: String?) -> Bool {
        guard let authorization else { return false }
        let given = Array(authorization.utf8)
        let scheme = Array("bearer ".utf8)
        guard given.count > scheme.count,
            given.prefix(scheme.count).elementsEqual(scheme, by: { $0 | 32 == $1 | 32 })
        else { return false }
        let secret = Array(given.dropFirst(scheme.count))
        return Crypto.equal(secret.span.bytes, bytes.span.bytes)
    }

    /// The token of a file; nil if there is no file.
    private static func read(_ path: String) throws(WatchError) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else {
            if errno == ENOENT { return nil }
            throw .system(operation: "open", target: path, code: errno)
        }
        defer { close(file) }
        var information = stat()
        guard fstat(file, &information) == 0, information.st_mode & S_IFMT == S_IFREG else {
            throw .badToken(path: path, problem: "it is not a regular file")
        }
        guard information.st_mode & 0o077 == 0 else {
            throw .badToken(path: path, problem: "others may read it; 'chmod 600 \(path)'")
        }
        guard information.st_uid == geteuid() || information.st_uid == 0 else {
            throw .badToken(path: path, problem: "it belongs to another user")
        }
        var bytes = [UInt8](repeating: 0, count: most + 2)
        let count = Glibc.read(file, &bytes, bytes.count)
        guard count >= 0 else { throw .system(operation: "read", target: path, code: errno) }
        bytes = Array(bytes[..<count])
        while let last = bytes.last, last == 10 || last == 13 || last == 32 { bytes.removeLast() }
        guard (fewest...most).contains(bytes.count), bytes.allSatisfy({ (33...126).contains($0) })
        else {
            throw .badToken(
                path: path,
                problem: "a token is one line of \(fewest) to \(most) letters, digits and signs; "
                    + "remove the file, and the next start makes one")
        }
        return bytes
    }

    /// Makes a file with a new token; one that another process makes meanwhile stays.
    private static func make(_ path: String) throws(WatchError) {
        let temporary = "\(path).new.\(getpid())"
        unlink(temporary)
        let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            throw .system(operation: "create", target: path, code: errno)
        }
        defer { unlink(temporary) }
        guard let random = try? Crypto.randomBytes(count: 32) else {
            close(file)
            throw .system(operation: "draw random bytes for", target: path, code: EIO)
        }
        var text: [UInt8] = []
        for byte in random { text += [digit(byte >> 4), digit(byte & 15)] }
        text.append(10)
        let isWritten = write(file, text, text.count) == text.count && fsync(file) == 0
        let code = errno
        close(file)
        guard isWritten else { throw .system(operation: "write", target: path, code: code) }
        guard link(temporary, path) == 0 || errno == EEXIST else {
            throw .system(operation: "create", target: path, code: errno)
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 { value < 10 ? 48 + value : 87 + value }
}
