extension SocketAddress {
    /// Reads `1.2.3.4:5000`, `[::1]:5000` or `[fe80::1%2]:5000`; the scope is an interface index.
    ///
    /// With a `defaultPort` the port may be omitted, and then also the brackets of an IPv6 address.
    /// Names are not looked up, and forms of IPv4 with fewer than four parts are refused.
    public init?(parsing text: String, defaultPort: UInt16? = nil) {
        guard text.utf8.count <= 80 else { return nil }
        var parser = AddressParser(bytes: Array(text.utf8))
        guard let address = parser.socketAddress(defaultPort: defaultPort) else { return nil }
        self = address
    }
}

/// A recursive-descent reader of addresses; the text is short and not on the packet path.
private struct AddressParser {
    let bytes: [UInt8]
    var position = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    private var isAtEnd: Bool { position == bytes.count }
    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard let byte = next, UInt32(byte) == character.value else { return false }
        position += 1
        return true
    }

    mutating func socketAddress(defaultPort: UInt16?) -> SocketAddress? {
        if take("[") {
            guard let (high, low, scope) = ipv6(), take("]"), let port = port(or: defaultPort)
            else { return nil }
            return SocketAddress(ipv6High: high, low: low, port: port, scope: scope)
        }
        if bytes.count(where: { $0 == UInt8(ascii: ":") }) > 1 {
            guard let defaultPort, let (high, low, scope) = ipv6(), isAtEnd else { return nil }
            return SocketAddress(ipv6High: high, low: low, port: defaultPort, scope: scope)
        }
        guard let address = ipv4(), let port = port(or: defaultPort) else { return nil }
        return SocketAddress(ipv4: address, port: port)
    }

    private mutating func port(or defaultPort: UInt16?) -> UInt16? {
        if isAtEnd { return defaultPort }
        guard take(":"), let value = decimal(limit: 65_535, allowsLeadingZero: true), isAtEnd
        else { return nil }
        return UInt16(value)
    }

    private mutating func decimal(limit: UInt32, allowsLeadingZero: Bool = false) -> UInt32? {
        let start = position
        var value: UInt64 = 0
        while let byte = next, byte >= 0x30, byte <= 0x39, position - start < 10 {
            value = value * 10 + UInt64(byte - 0x30)
            position += 1
        }
        let digits = position - start
        guard digits > 0, value <= UInt64(limit) else { return nil }
        // Some programs read a leading zero as octal, so it is refused.
        guard digits == 1 || allowsLeadingZero || bytes[start] != 0x30 else { return nil }
        return UInt32(value)
    }

    private mutating func ipv4() -> UInt32? {
        var address: UInt32 = 0
        for part in 0..<4 {
            guard part == 0 || take("."), let value = decimal(limit: 255) else { return nil }
            address = address &<< 8 | value
        }
        return address
    }

    private mutating func group() -> UInt16? {
        let start = position
        var value: UInt16 = 0
        while position - start < 4, let byte = next, let digit = hexDigit(byte) {
            value = value &<< 4 | digit
            position += 1
        }
        return position > start ? value : nil
    }

    /// RFC 4291, section 2.2, with a numeric scope after a percent sign (RFC 4007, section 11).
    private mutating func ipv6() -> (high: UInt64, low: UInt64, scope: UInt32)? {
        var groups: [UInt16] = []
        var gap: Int?
        if take(":") {
            guard take(":") else { return nil }
            gap = 0
        }
        while groups.count < 8 {
            let start = position
            guard let value = group() else { break }
            if next == UInt8(ascii: ".") {
                position = start
                guard groups.count <= 6, let tail = ipv4() else { return nil }
                groups += [
                    UInt16(truncatingIfNeeded: tail &>> 16), UInt16(truncatingIfNeeded: tail),
                ]
                break
            }
            groups.append(value)
            guard take(":") else { break }
            if take(":") {
                guard gap == nil else { return nil }
                gap = groups.count
            } else {
                // A single colon must be followed by another group.
                guard groups.count < 8, let byte = next, hexDigit(byte) != nil else { return nil }
            }
        }
        if let gap {
            guard groups.count < 8 else { return nil }
            groups.insert(contentsOf: repeatElement(0, count: 8 - groups.count), at: gap)
        }
        guard groups.count == 8 else { return nil }
        var scope: UInt32 = 0
        if take("%") {
            guard let value = decimal(limit: .max) else { return nil }
            scope = value
        }
        let high = groups[0..<4].reduce(UInt64(0)) { $0 &<< 16 | UInt64($1) }
        let low = groups[4..<8].reduce(UInt64(0)) { $0 &<< 16 | UInt64($1) }
        return (high, low, scope)
    }

    private func hexDigit(_ byte: UInt8) -> UInt16? {
        switch byte {
        case 0x30...0x39: UInt16(byte - 0x30)
        case 0x41...0x46: UInt16(byte - 0x41 + 10)
        case 0x61...0x66: UInt16(byte - 0x61 + 10)
        default: nil
        }
    }
}

extension SocketAddress: CustomStringConvertible {
    /// `1.2.3.4:5000` or `[fe80::1%2]:5000`; parsing it gives the same value.
    public var description: String {
        family == .ipv4 ? "\(host):\(port)" : "[\(host)]:\(port)"
    }

    /// The address without its port: `1.2.3.4` or `fe80::1%2`, as in RFC 5952, section 4.
    public var host: String {
        switch family {
        case .ipv4:
            return "\(low &>> 24 & 255).\(low &>> 16 & 255).\(low &>> 8 & 255).\(low & 255)"
        case .ipv6:
            let groups = (0..<8).map { index in
                let half = index < 4 ? high : low
                return UInt16(truncatingIfNeeded: half &>> UInt64(48 - 16 * (index & 3)))
            }
            let zeros = SocketAddress.longestZeroRun(in: groups)
            let hex = groups.map { String($0, radix: 16) }
            let text =
                zeros.isEmpty
                ? hex.joined(separator: ":")
                : hex[..<zeros.lowerBound].joined(separator: ":") + "::"
                    + hex[zeros.upperBound...].joined(separator: ":")
            return scope == 0 ? text : "\(text)%\(scope)"
        }
    }

    /// The first of the longest runs of two or more zero groups, or an empty range.
    private static func longestZeroRun(in groups: [UInt16]) -> Range<Int> {
        var best = 0..<0
        var start = 0
        for index in groups.indices {
            if groups[index] != 0 {
                start = index + 1
            } else if index + 1 - start >= 2, index + 1 - start > best.count {
                best = start..<index + 1
            }
        }
        return best
    }
}
