import Glibc

/// Key files: one line of text, the base64 of 32 bytes, readable only by its owner.
public enum KeyFile {
    /// The largest size of a key file; longer files are refused.
    private static let sizeLimit = 1_024

    /// Creates `path` with mode 0600; an existing file is never touched.
    ///
    /// Errors: `keyFileExists`, `keyFile` with the call that failed; then no file is left behind.
    public static func write(_ key: PrivateKey, to path: String) throws(CryptoError) {
        var secret = try key.secretBytes
        defer { Crypto.wipe(&secret) }
        try create(path, holding: secret)
    }

    /// Creates `path` with mode 0600; an existing file is never touched.
    ///
    /// Errors: `keyFileExists`, `keyFile` with the call that failed; then no file is left behind.
    public static func write(_ key: PresharedKey, to path: String) throws(CryptoError) {
        var secret = key.secret.array
        defer { Crypto.wipe(&secret) }
        try create(path, holding: secret)
    }

    /// The private key in the file at `path`.
    ///
    /// Errors: `keyFileMissing`; `keyFileExposed` when group or others have any permission on it;
    /// `keyFileMalformed`; `keyFile` with the call that failed.
    public static func readPrivateKey(from path: String) throws(CryptoError) -> PrivateKey {
        var bytes = try read(path)
        defer { Crypto.wipe(&bytes) }
        guard let key = PrivateKey(bytes) else {
            throw .backend(operation: "X25519 key set-up")
        }
        return key
    }

    /// The preshared key in the file at `path`; errors as for a private key.
    public static func readPresharedKey(from path: String) throws(CryptoError) -> PresharedKey {
        var bytes = try read(path)
        defer { Crypto.wipe(&bytes) }
        guard let key = PresharedKey(bytes) else {
            throw .keyFileMalformed(path: path, problem: "the key has not 32 bytes")
        }
        return key
    }

    private static func create(_ path: String, holding key: [UInt8]) throws(CryptoError) {
        // Room for the line's end, so that appending it leaves no copy behind.
        var text: [UInt8] = []
        text.reserveCapacity(Base64.characters &+ 1)
        defer { Crypto.wipe(&text) }
        Base64.append(key, to: &text)
        text.append(UInt8(ascii: "\n"))
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            let code = errno
            throw code == EEXIST
                ? .keyFileExists(path: path)
                : .keyFile(operation: "create", path: path, code: code)
        }
        let code = store(text, in: descriptor)
        close(descriptor)
        guard code == 0 else {
            unsafe unlink(path)
            throw .keyFile(operation: "write", path: path, code: code)
        }
    }

    /// Writes everything and syncs it to disk; returns errno, or 0.
    private static func store(_ text: [UInt8], in descriptor: Int32) -> Int32 {
        var written = 0
        while written < text.count {
            let count = unsafe text.withUnsafeBytes { bytes in
                unsafe Glibc.write(
                    descriptor, bytes.baseAddress.map { unsafe $0 + written },
                    bytes.count &- written)
            }
            if count < 0 {
                guard errno == EINTR else { return errno }
            } else if count == 0 {
                return ENOSPC
            } else {
                written &+= count
            }
        }
        return fsync(descriptor) == 0 || errno == EINVAL || errno == EROFS ? 0 : errno
    }

    private static func read(_ path: String) throws(CryptoError) -> [UInt8] {
        // `O_NONBLOCK`, so that a pipe of that name is refused instead of waited for.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            let code = errno
            throw code == ENOENT
                ? .keyFileMissing(path: path)
                : .keyFile(operation: "open", path: path, code: code)
        }
        defer { close(descriptor) }
        // This checks the opened file, not the file that the name refers to later.
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else {
            throw .keyFile(operation: "inspect", path: path, code: errno)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw .keyFileMalformed(path: path, problem: "not a regular file")
        }
        let mode = status.st_mode & 0o7777
        guard mode & 0o077 == 0 else { throw .keyFileExposed(path: path, mode: mode) }
        var content = try load(descriptor, path)
        defer { Crypto.wipe(&content) }
        return try parse(content, path)
    }

    private static func load(_ descriptor: Int32, _ path: String) throws(CryptoError) -> [UInt8] {
        // Allocated at full size, because growing would leave copies of the key behind.
        var content = [UInt8](repeating: 0, count: sizeLimit &+ 1)
        var filled = 0
        while filled < content.count {
            let count = unsafe content.withUnsafeMutableBytes { bytes in
                unsafe Glibc.read(
                    descriptor, bytes.baseAddress.map { unsafe $0 + filled },
                    bytes.count &- filled)
            }
            if count == 0 { break }
            if count < 0 {
                if errno == EINTR { continue }
                let code = errno
                Crypto.wipe(&content)
                throw .keyFile(operation: "read", path: path, code: code)
            }
            filled &+= count
        }
        content.removeLast(content.count &- filled)
        return content
    }

    private static func parse(_ content: [UInt8], _ path: String) throws(CryptoError) -> [UInt8] {
        func isSpace(_ byte: UInt8) -> Bool { byte == 32 || (9...13).contains(byte) }
        // This is a slice, not a copy: the caller that read the bytes wipes them.
        var line = content[...]
        while line.first.map(isSpace) == true { line.removeFirst() }
        while line.last.map(isSpace) == true { line.removeLast() }
        if content.count > sizeLimit {
            throw .keyFileMalformed(path: path, problem: "longer than \(sizeLimit) bytes")
        }
        guard line.count == Base64.characters else {
            throw .keyFileMalformed(
                path: path,
                problem: "\(line.count) characters, expected \(Base64.characters) of base64")
        }
        guard let bytes = Base64.decode(line) else {
            throw .keyFileMalformed(path: path, problem: "not the base64 of 32 bytes")
        }
        return bytes
    }
}
