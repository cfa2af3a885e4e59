import PathTransport

/// Where one datagram of a flow to any target goes, or where it came from.
///
/// It is written as in SOCKS (RFC 1928, section 5): a kind, 1 for IPv4, 3 for a name, 4 for IPv6;
/// 4 bytes, a length and a name, or 16 bytes; the port in 2 bytes.
enum DatagramHost: Hashable, Sendable {
    case address(SocketAddress)
    /// A name that the side of the target looks up.
    case name(ForwardTarget)

    /// Most bytes of an address that is not a name.
    static let longestAddress = 19

    /// Reads a host from the front of a datagram.
    ///
    /// - Returns: nil if it is truncated, of an unknown kind, without a port, or if its name cannot
    ///   be one.
    static func read(_ bytes: UnsafeRawBufferPointer) -> (host: DatagramHost, length: Int)? {
        guard let kind = bytes.first else { return nil }
        let count: Int
        switch kind {
        case 1: count = 4
        case 3:
            guard bytes.count > 1 else { return nil }
            count = 1 + Int(bytes[1])
        case 4: count = 16
        default: return nil
        }
        let length = 1 + count + 2
        guard bytes.count >= length else { return nil }
        let port = UInt16(bytes[length - 2]) << 8 | UInt16(bytes[length - 1])
        guard port != 0 else { return nil }
        let body = bytes[1..<1 + count]
        if kind == 3 {
            guard let name = String(validating: body.dropFirst(), as: UTF8.self),
                let target = ForwardTarget(host: name, port: port)
            else { return nil }
            // A name may be an address in text.
            if let address = target.address { return (.address(address), length) }
            return (.name(target), length)
        }
        let high = body.prefix(count - min(count, 8)).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let low = body.suffix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let address =
            kind == 1
            ? SocketAddress(ipv4: UInt32(truncatingIfNeeded: low), port: port)
            : SocketAddress(ipv6High: high, low: low, port: port)
        return (.address(address), length)
    }

    /// Bytes that `write` takes for an address.
    static func length(_ address: SocketAddress) -> Int { address.family == .ipv4 ? 7 : 19 }

    /// Writes an address to the front of memory that has room for it.
    static func write(_ address: SocketAddress, into bytes: UnsafeMutableRawBufferPointer) {
        let count = address.family == .ipv4 ? 4 : 16
        let numbers = address.addressBytes
        bytes[0] = address.family == .ipv4 ? 1 : 4
        for index in 0..<count { bytes[1 + index] = numbers[index] }
        bytes[1 + count] = UInt8(truncatingIfNeeded: address.port >> 8)
        bytes[2 + count] = UInt8(truncatingIfNeeded: address.port)
    }
}
