internal import CLinuxUDP
internal import Glibc
public import PathTransport

/// Resolves names to addresses; it blocks, so it must not be used on the packet path.
public enum Resolver {
    /// The addresses of `HOST:PORT`, best first (RFC 6724), without duplicates.
    ///
    /// HOST is a name, an IPv4 address, or an IPv6 address in brackets, whose scope may be an
    /// interface's name. With a `defaultPort` the port may be omitted.
    /// - Throws: `NetworkError.malformedName` or `.unresolved`.
    public static func resolve(
        _ text: String, defaultPort: UInt16? = nil
    ) throws(NetworkError) -> [SocketAddress] {
        if let address = SocketAddress(parsing: text, defaultPort: defaultPort) {
            return [address]
        }
        let (host, port) = try split(text, defaultPort: defaultPort)
        return try lookUp(host).map { $0.with(port: port) }
    }

    /// The addresses of a host: a name, or an address without brackets.
    ///
    /// - Throws: `NetworkError.malformedName` or `.unresolved`.
    public static func resolve(
        host: String, port: UInt16
    ) throws(NetworkError) -> [SocketAddress] {
        if let address = SocketAddress(parsing: host, defaultPort: port) {
            return [address.with(port: port)]
        }
        guard isHost(host) else { throw .malformedName(host) }
        return try lookUp(host).map { $0.with(port: port) }
    }

    /// Whether a text can be the name of a host, or its address without brackets.
    ///
    /// A domain name has at most 253 characters (RFC 1035, section 2.3.4).
    public static func isHost(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 253
            && !text.utf8.contains(where: { $0 <= 32 || $0 == 127 })
    }

    /// The addresses of a server, given as in `resolve`, that paths to it may use.
    ///
    /// For a name of this host it is only the first one: 127.0.0.1 and ::1 are one path.
    public static func resolve(server text: String) throws(NetworkError) -> [SocketAddress] {
        let found = try resolve(text)
        return found.allSatisfy(\.isLoopback) ? Array(found.prefix(1)) : found
    }

    /// Splits `HOST:PORT`, without looking a name up; an address loses its brackets.
    public static func split(
        _ text: String, defaultPort: UInt16? = nil
    ) throws(NetworkError) -> (host: String, port: UInt16) {
        var host = Substring(text)
        var port = defaultPort
        if let colon = text.lastIndex(of: ":"), !text[colon...].contains("]") {
            host = text[..<colon]
            let digits = text[text.index(after: colon)...]
            guard digits.utf8.allSatisfy({ (48...57).contains($0) }) else {
                throw .malformedName(text)
            }
            port = UInt16(digits)
        }
        if host.first == "[", host.last == "]", host.contains(":") {
            host = host.dropFirst().dropLast()
        } else if host.contains(where: { ":[]".contains($0) }) {
            throw .malformedName(text)
        }
        guard let port, isHost(String(host)) else { throw .malformedName(text) }
        return (String(host), port)
    }

    private static func lookUp(_ host: String) throws(NetworkError) -> [SocketAddress] {
        // The file of hosts has the name without the dot of the root.
        let isThisHost = ["localhost", "localhost."].contains(host.lowercased())
        let host = isThisHost ? "localhost" : host
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
        // A host with a colon is an IPv6 address and not a name to look up.
        if host.contains(":") { unsafe hints.ai_flags = AI_NUMERICHOST }
        var list: UnsafeMutablePointer<addrinfo>?
        let status = unsafe getaddrinfo(host, nil, &hints, &list)
        defer { if let list = unsafe list { unsafe freeaddrinfo(list) } }
        // A host may have no such file, and the name means loopback nevertheless (RFC 6761, section
        // 6.3).
        if isThisHost, status != 0 {
            return [
                SocketAddress(ipv4: 0x7f00_0001, port: 0),
                SocketAddress(ipv6High: 0, low: 1, port: 0),
            ]
        }
        guard status == 0 else {
            let reason = unsafe String(cString: gai_strerror(status))
            throw .unresolved(name: host, reason: reason)
        }
        var addresses: [SocketAddress] = []
        var next = unsafe list
        while let entry = unsafe next {
            var raw = clu_address()
            if let name = unsafe entry.pointee.ai_addr {
                unsafe clu_read_sockaddr(name, Int(entry.pointee.ai_addrlen), &raw)
            }
            if let address = SocketAddress(raw), !addresses.contains(address) {
                addresses.append(address)
            }
            unsafe next = entry.pointee.ai_next
        }
        guard !addresses.isEmpty else {
            throw .unresolved(name: host, reason: "it has no IPv4 or IPv6 address")
        }
        return addresses
    }
}
