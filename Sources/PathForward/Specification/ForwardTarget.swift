import PathNetwork
public import PathTransport

/// A host and a port, as a person or a program names them; the host may be a name.
///
/// The host has 1 to 253 bytes, none of them a space or a control character. Names are looked up by
/// the side that connects.
public struct ForwardTarget: Hashable, Sendable {
    /// A name or an address; an IPv6 address has no brackets.
    public let host: String
    public let port: UInt16

    /// Nil if the host is empty, too long, or has spaces or control characters.
    ///
    /// Programs that use a proxy give an IPv6 address as a name with the brackets of a URL, too; it
    /// loses them.
    public init?(host: String, port: UInt16) {
        guard Resolver.isHost(host) else { return nil }
        let inner = host.hasPrefix("[") && host.hasSuffix("]") ? host.dropFirst().dropLast() : ""
        self.host = inner.contains(":") ? String(inner) : host
        self.port = port
    }

    /// A target that is an address.
    public init(_ address: SocketAddress) {
        host = address.host
        port = address.port
    }

    /// Reads `HOST:PORT` or `[ADDRESS]:PORT`.
    ///
    /// - Throws: `malformedTarget`.
    public init(parsing text: String) throws(ForwardError) {
        guard let (host, port) = try? Resolver.split(text) else { throw .malformedTarget(text) }
        self.host = host
        self.port = port
    }

    /// The address, if the host is one and not a name.
    public var address: SocketAddress? { SocketAddress(parsing: host, defaultPort: port) }
}

extension ForwardTarget: CustomStringConvertible {
    /// `HOST:PORT`, with brackets around an IPv6 address; parsing it gives the same value.
    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
