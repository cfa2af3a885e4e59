internal import Glibc

/// An open file, or one of the standard streams; every failure is a typed error.
final class OpenFile: @unchecked Sendable {
    let name: String
    private let descriptor: Int32
    private let closes: Bool

    private init(name: String, descriptor: Int32, closes: Bool) {
        self.name = name
        self.descriptor = descriptor
        self.closes = closes
    }

    deinit { if closes { Glibc.close(descriptor) } }

    static let standardInput = OpenFile(name: "standard input", descriptor: 0, closes: false)
    static let standardOutput = OpenFile(name: "standard output", descriptor: 1, closes: false)

    static func reading(_ path: String) throws(FileError) -> OpenFile {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError(.open, path) }
        return OpenFile(name: path, descriptor: descriptor, closes: true)
    }

    /// Makes or empties a file; does not follow a link in its place.
    static func writing(_ path: String, mode: UInt16) throws(FileError) -> OpenFile {
        let descriptor = Glibc.open(
            path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode_t(mode | 0o600))
        guard descriptor >= 0 else { throw FileError(.create, path) }
        return OpenFile(name: path, descriptor: descriptor, closes: true)
    }

    /// Reads at least a byte, or zero at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
        while true {
            let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            if count >= 0 { return count }
            guard errno == EINTR else { throw FileError(.read, name) }
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
        var offset = 0
        while offset < bytes.count {
            let count = Glibc.write(
                descriptor, bytes.baseAddress.map { $0 + offset }, bytes.count - offset)
            if count > 0 {
                offset += count
            } else if errno != EINTR {
                throw FileError(.write, name)
            }
        }
    }

    /// Makes sure that the bytes are on the disk.
    func synchronize() throws(FileError) {
        guard fsync(descriptor) == 0 || errno == EINVAL || errno == EROFS else {
            throw FileError(.write, name)
        }
    }
}

/// What could not be done with a file, and how to mend it.
public struct FileError: Error, Hashable, Sendable {
    /// What was tried.
    public enum Operation: String, Sendable {
        case open, create, read, write, rename, list
    }

    public var operation: Operation
    public var path: String
    public var code: Int32

    init(_ operation: Operation, _ path: String, code: Int32 = errno) {
        self.operation = operation
        self.path = path
        self.code = code
    }
}

extension FileError: CustomStringConvertible {
    public var description: String {
        let reason = String(cString: strerror(code))
        let mend =
            switch code {
            case ENOENT where operation == .create: "make its directory first"
            case ENOENT: "check the name"
            case EACCES, EPERM: "check the permissions of the file and its directory"
            case ENOSPC, EDQUOT: "free some space, or choose another disk"
            case EISDIR: "name a file, not a directory"
            case EROFS: "choose a place that can be written to"
            case ELOOP: "a symbolic link stands in its place; remove it"
            default: "see the system's message"
            }
        return "cannot \(operation.rawValue) \(path): \(reason); \(mend)"
    }
}
