/// An IPv4 or IPv6 address with a UDP port: a value of fixed size without system types.
///
/// IPv4-mapped IPv6 addresses (`::ffff:a.b.c.d`, RFC 4291 section 2.5.5.2) become IPv4 when the
/// value is made, so that one host has one value on either kind of socket.
public struct SocketAddress: Hashable, Sendable {
    /// The address family.
    public enum Family: UInt8, Sendable {
        case ipv4 = 4
        case ipv6 = 6

        /// Bytes of the IP and UDP headers before a datagram's payload.
        public var headerBytes: Int { self == .ipv4 ? 28 : 48 }
    }

    /// The upper 64 bits of an IPv6 address as a number; zero for IPv4.
    public let high: UInt64
    /// The lower 64 bits of an IPv6 address, or the 32 bits of an IPv4 address, as a number.
    public let low: UInt64
    /// The interface index that a link-local IPv6 address belongs to, else zero.
    public let scope: UInt32
    /// The UDP port in host order; zero as a local port lets the system choose.
    public let port: UInt16
    public let family: Family

    /// An IPv4 address given as one number: `0x7f00_0001` is 127.0.0.1.
    public init(ipv4 address: UInt32, port: UInt16) {
        high = 0
        low = UInt64(address)
        scope = 0
        self.port = port
        family = .ipv4
    }

    /// An IPv6 address given as two numbers: `(0, 1)` is ::1.
    ///
    /// A mapped address becomes IPv4 and loses its scope.
    public init(ipv6High high: UInt64, low: UInt64, port: UInt16, scope: UInt32 = 0) {
        let isMapped = high == 0 && low &>> 32 == 0xffff
        self.high = high
        self.low = isMapped ? low & 0xffff_ffff : low
        self.scope = isMapped ? 0 : scope
        self.port = port
        family = isMapped ? .ipv4 : .ipv6
    }

    /// The address 127.0.0.1.
    public static func loopback(port: UInt16) -> SocketAddress {
        SocketAddress(ipv4: 0x7f00_0001, port: port)
    }

    /// The unspecified address of a family, to which a socket that listens everywhere binds.
    public static func any(_ family: Family, port: UInt16) -> SocketAddress {
        switch family {
        case .ipv4: SocketAddress(ipv4: 0, port: port)
        case .ipv6: SocketAddress(ipv6High: 0, low: 0, port: port)
        }
    }

    /// The same address with another port.
    public func with(port: UInt16) -> SocketAddress {
        switch family {
        case .ipv4: SocketAddress(ipv4: UInt32(truncatingIfNeeded: low), port: port)
        case .ipv6: SocketAddress(ipv6High: high, low: low, port: port, scope: scope)
        }
    }

    /// The same address on another interface, by its index; an IPv4 address has no scope.
    public func with(scope: UInt32) -> SocketAddress {
        switch family {
        case .ipv4: self
        case .ipv6: SocketAddress(ipv6High: high, low: low, port: port, scope: scope)
        }
    }

    /// The address in network order: IPv4 fills the first 4 bytes, the rest is zero.
    public var addressBytes: InlineArray<16, UInt8> {
        var bytes = InlineArray<16, UInt8>(repeating: 0)
        switch family {
        case .ipv4:
            for index in 0..<4 {
                bytes[index] = UInt8(truncatingIfNeeded: low &>> UInt64(24 &- 8 &* index))
            }
        case .ipv6:
            for index in 0..<8 {
                let shift = UInt64(56 &- 8 &* index)
                bytes[index] = UInt8(truncatingIfNeeded: high &>> shift)
                bytes[index &+ 8] = UInt8(truncatingIfNeeded: low &>> shift)
            }
        }
        return bytes
    }

    /// The whole value, for hashes and cookies.
    ///
    /// Family, a zero, port (2 bytes), scope (4 bytes), all in network order, then `addressBytes`.
    /// Two values are equal exactly when these bytes are.
    public var bytes: InlineArray<24, UInt8> {
        var bytes = InlineArray<24, UInt8>(repeating: 0)
        bytes[0] = family.rawValue
        bytes[2] = UInt8(truncatingIfNeeded: port &>> 8)
        bytes[3] = UInt8(truncatingIfNeeded: port)
        for index in 0..<4 {
            bytes[4 &+ index] = UInt8(truncatingIfNeeded: scope &>> UInt32(24 &- 8 &* index))
        }
        let address = addressBytes
        for index in 0..<16 { bytes[8 &+ index] = address[index] }
        return bytes
    }

    /// Whether this is 0.0.0.0 or ::.
    public var isUnspecified: Bool { high == 0 && low == 0 }

    /// Whether this is within 127.0.0.0/8 or is ::1.
    public var isLoopback: Bool {
        switch family {
        case .ipv4: low &>> 24 == 127
        case .ipv6: high == 0 && low == 1
        }
    }

    /// Whether this is within 169.254.0.0/16 (RFC 3927) or fe80::/10 (RFC 4291).
    public var isLinkLocal: Bool {
        switch family {
        case .ipv4: low &>> 16 == 0xa9fe
        case .ipv6: high &>> 54 == 0x3fa
        }
    }

    /// Whether this is within 224.0.0.0/4, is 255.255.255.255, or is within ff00::/8.
    public var isMulticast: Bool {
        switch family {
        case .ipv4: low &>> 28 == 0xe || low == 0xffff_ffff
        case .ipv6: high &>> 56 == 0xff
        }
    }
}
