internal import Glibc

/// Local stream sockets that never wait.
enum UnixSocket {
    /// Opens a socket that is connected.
    static func connect(_ path: String) throws(StatusError) -> Int32 {
        let (descriptor, result) = try open(path) { Glibc.connect($0, $1, $2) }
        guard result == 0 else { throw failure("connect to", path, closing: descriptor) }
        return descriptor
    }

    /// Opens a socket that listens, for this user only.
    static func listen(_ path: String) throws(StatusError) -> Int32 {
        let (descriptor, result) = try open(path) { Glibc.bind($0, $1, $2) }
        guard result == 0, chmod(path, 0o600) == 0, Glibc.listen(descriptor, 8) == 0 else {
            throw failure("listen on", path, closing: descriptor)
        }
        return descriptor
    }

    /// Makes the reader of a pipe look.
    static func signal(_ descriptor: Int32) {
        var byte: UInt8 = 1
        _ = write(descriptor, &byte, 1)
    }

    /// Closes a descriptor.
    static func end(_ descriptor: Int32) { close(descriptor) }

    /// Takes what `signal` has written to a pipe that never waits; returns false at its end.
    static func hear(_ descriptor: Int32) -> Bool {
        var room = [UInt8](repeating: 0, count: 64)
        return read(descriptor, &room, room.count) != 0
    }

    /// Whether the process at the other end belongs to this user or to root.
    static func isTrusted(_ descriptor: Int32) -> Bool {
        // struct ucred: process, user, group.
        var peer: (Int32, UInt32, UInt32) = (0, .max, .max)
        var length = socklen_t(MemoryLayout.size(ofValue: peer))
        let result = getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &length)
        return result == 0 && (peer.1 == geteuid() || peer.1 == 0)
    }

    private static func open(
        _ path: String,
        _ call: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) throws(StatusError) -> (descriptor: Int32, result: Int32) {
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        let room = MemoryLayout.size(ofValue: name.sun_path)
        guard bytes.count < room, !bytes.contains(0) else { throw .tooLong(path) }
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: bytes) }
        let kind =
            Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
            | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_UNIX, kind, 0)
        guard descriptor >= 0 else {
            throw .system(operation: "open", path: path, code: errno)
        }
        let result = withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                call(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        return (descriptor, result)
    }

    private static func failure(
        _ operation: String, _ path: String, closing descriptor: Int32
    ) -> StatusError {
        let code = errno
        close(descriptor)
        // `clean` looks at it.
        errno = code
        return .system(operation: operation, path: path, code: code)
    }
}
