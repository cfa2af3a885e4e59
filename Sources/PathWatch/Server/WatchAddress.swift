internal import Glibc
internal import PathNetwork
internal import PathTransport

/// Where the watch server listens.
package enum WatchAddress: Hashable, Sendable {
    /// A numeric address with its port; with port 0 the system chooses one.
    case tcp(host: String, port: UInt16, isIPv6: Bool)
    /// The path of a socket, for this user.
    case unix(String)

    /// Reads `127.0.0.1:PORT`, `[::1]:PORT`, `localhost:PORT`, `ADDRESS:PORT` or `unix:PATH`.
    ///
    /// - Throws: `WatchError.malformed`.
    package init(parsing text: String) throws(WatchError) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            // One byte is the end of the name, and the temporary name is longer.
            guard (1...80).contains(path.utf8.count), !path.utf8.contains(0),
                !path.hasSuffix("/")
            else { throw .malformed(text) }
            self = .unix(path)
            return
        }
        guard let (host, port) = try? Resolver.split(text) else { throw .malformed(text) }
        let name = host == "localhost" ? "127.0.0.1" : host
        if WatchAddress.family(name, AF_INET) {
            self = .tcp(host: name, port: port, isIPv6: false)
        } else if WatchAddress.family(name, AF_INET6) {
            self = .tcp(host: name, port: port, isIPv6: true)
        } else {
            throw .malformed(text)
        }
    }

    private static func family(_ host: String, _ family: Int32) -> Bool {
        var room = in6_addr()
        return inet_pton(family, host, &room) == 1
    }

    /// Whether only processes of this host can reach it.
    package var isLocal: Bool {
        switch self {
        case .unix: true
        case .tcp(let host, _, let isIPv6): isIPv6 ? host == "::1" : host.hasPrefix("127.")
        }
    }

    /// Whether a browser may be made to ask this address under a foreign name.
    var isOpenToBrowsers: Bool { if case .tcp = self { true } else { false } }
}

extension WatchAddress: CustomStringConvertible {
    package var description: String {
        switch self {
        case .tcp(let host, let port, let isIPv6):
            isIPv6 ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}

extension WatchAddress {
    /// What a browser has to be given; for a socket its path.
    package var link: String {
        switch self {
        case .tcp: "http://\(self)/"
        case .unix: "\(self)"
        }
    }
}

// MARK: listening

extension WatchAddress {
    /// A socket that listens and never waits, and the address with its port.
    func listen() throws(WatchError) -> (descriptor: Int32, address: WatchAddress) {
        switch self {
        case .unix(let path): (try WatchAddress.listen(path), self)
        case .tcp(let host, let port, let isIPv6): try listen(host, port, isIPv6)
        }
    }

    private func listen(
        _ host: String, _ port: UInt16, _ isIPv6: Bool
    ) throws(WatchError) -> (Int32, WatchAddress) {
        let descriptor = try WatchAddress.open(isIPv6 ? AF_INET6 : AF_INET, "\(self)")
        var one: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, size)
        if isIPv6 { setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &one, size) }
        var result: Int32
        if isIPv6 {
            var name = sockaddr_in6()
            name.sin6_family = sa_family_t(AF_INET6)
            name.sin6_port = port.bigEndian
            inet_pton(AF_INET6, host, &name.sin6_addr)
            result = WatchAddress.with(&name) { bind(descriptor, $0, $1) }
        } else {
            var name = sockaddr_in()
            name.sin_family = sa_family_t(AF_INET)
            name.sin_port = port.bigEndian
            inet_pton(AF_INET, host, &name.sin_addr)
            result = WatchAddress.with(&name) { bind(descriptor, $0, $1) }
        }
        if result == 0 { result = Glibc.listen(descriptor, 64) }
        guard result == 0 else {
            let code = errno
            close(descriptor)
            if code == EADDRINUSE { throw .inUse("\(self)") }
            throw .system(operation: "listen on", target: "\(self)", code: code)
        }
        // Both kinds of names have the port at the same place.
        var name = sockaddr_in6()
        var size2 = socklen_t(MemoryLayout<sockaddr_in6>.size)
        _ = withUnsafeMutablePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getsockname(descriptor, $0, &size2)
            }
        }
        let address = WatchAddress.tcp(
            host: host, port: UInt16(bigEndian: name.sin6_port), isIPv6: isIPv6)
        return (descriptor, address)
    }

    /// Only a socket that answers, and that no other user may open, gets the name.
    private static func listen(_ path: String) throws(WatchError) -> Int32 {
        var information = stat()
        if lstat(path, &information) == 0 {
            guard information.st_mode & S_IFMT == S_IFSOCK else {
                throw .system(operation: "listen on", target: path, code: EEXIST)
            }
            let probe = try open(AF_UNIX, path)
            defer { close(probe) }
            if with(path, { connect(probe, $0, $1) }) == 0 { throw .inUse(path) }
        }
        let descriptor = try open(AF_UNIX, path)
        let temporary = "\(path).new.\(getpid())"
        unlink(temporary)
        guard with(temporary, { bind(descriptor, $0, $1) }) == 0, chmod(temporary, 0o600) == 0,
            Glibc.listen(descriptor, 64) == 0, rename(temporary, path) == 0
        else {
            let code = errno
            close(descriptor)
            unlink(temporary)
            throw .system(operation: "listen on", target: path, code: code)
        }
        return descriptor
    }

    private static func open(_ family: Int32, _ target: String) throws(WatchError) -> Int32 {
        let kind =
            Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
            | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(family, kind, 0)
        guard descriptor >= 0 else {
            throw .system(operation: "open", target: target, code: errno)
        }
        return descriptor
    }

    private static func with<Name>(
        _ name: inout Name, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<Name>.size))
            }
        }
    }

    private static func with(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8.prefix(MemoryLayout.size(ofValue: name.sun_path) - 1))
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: bytes) }
        return with(&name, body)
    }
}
