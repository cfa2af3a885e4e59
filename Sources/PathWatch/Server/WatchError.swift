internal import Glibc

/// Why the watch server cannot start.
package enum WatchError: Error, Hashable, Sendable {
    /// The text is no address.
    case malformed(String)
    /// Others could reach the address, and there is no token.
    case needsToken(String)
    /// A call of the system failed, with the errno.
    case system(operation: String, target: String, code: Int32)
    /// Another process listens there.
    case inUse(String)
    /// The file of the token may be read by others, or has no token.
    case badToken(path: String, problem: String)
}

extension WatchError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .malformed(let text):
            "'\(text)': write 127.0.0.1:PORT, [::1]:PORT, ADDRESS:PORT or unix:PATH"
        case .needsToken(let text):
            "others can reach \(text): name the file of a token too (http-token), or listen on "
                + "127.0.0.1"
        case .system(let operation, let target, let code):
            "cannot \(operation) \(target): \(String(cString: strerror(code)))"
        case .inUse(let target): "another process listens on \(target); choose another one"
        case .badToken(let path, let problem): "\(path): \(problem)"
        }
    }
}
