internal import Glibc

/// Why the bytes of a path with a cap cannot be counted.
public enum UsageError: Error, Hashable, Sendable {
    /// A file of the system could not be used, with the errno.
    case system(operation: String, path: String, code: Int32)
    /// The folder, or the state folder that it is in, belongs to another user.
    case foreign(path: String, owner: UInt32)
    /// A line of a usage file is wrong.
    case malformed(path: String, line: Int, problem: String)
}

extension UsageError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .system(let operation, let path, let code):
            "cannot \(operation) \(path), which counts the bytes of a path with a cap: "
                + "\(String(cString: strerror(code))); make it writable, or choose --state DIR"
        case .foreign(let path, let owner):
            "\(path), for counts of bytes, belongs to the user with the number \(owner), who could lead "
                + "elsewhere what is written there; run this as that user, or choose --state DIR"
        case .malformed(let path, let line, let problem):
            "\(path), line \(line): \(problem); correct the line, or remove the file to count "
                + "from zero"
        }
    }
}
