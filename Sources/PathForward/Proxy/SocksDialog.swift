internal import PathTransport

/// The server's half of SOCKS 5 without authentication; RFC 1928.
///
/// `next` is called with all bytes that arrived and were not used; it takes what it understands
/// off their front.
struct SocksDialog {
    /// What has to be done next.
    enum Step: Equatable {
        case needsMore
        /// Send this, then call `next` again.
        case reply([UInt8])
        case request(Request)
        /// Send this, if it is not empty, and close.
        case refuse([UInt8])
    }

    /// What the client asks for.
    enum Request: Equatable {
        case connect(ForwardTarget)
        /// A relay for datagrams (section 7); the address that the client will send from says
        /// little, because clients behind a translation cannot know it, and is not used.
        case associate
    }

    /// The codes of a reply; section 6.
    enum Code: UInt8 {
        case succeeded = 0
        case failure = 1
        case notAllowed = 2
        case networkUnreachable = 3
        case hostUnreachable = 4
        case refused = 5
        case expired = 6
        case commandNotSupported = 7
        case addressNotSupported = 8

        init(_ code: ForwardResult.Code) {
            self =
                switch code {
                case .ok: .succeeded
                case .denied: .notAllowed
                case .refused: .refused
                case .unreachable, .nameNotFound: .hostUnreachable
                case .timedOut: .expired
                case .limitReached, .malformed, .addressInUse: .failure
                }
        }
    }

    private static let version: UInt8 = 5
    private var hasGreeted = false

    mutating func next(_ bytes: inout [UInt8]) -> Step {
        guard let first = bytes.first else { return .needsMore }
        // Other versions have other forms; a program that speaks one would not understand a reply.
        guard first == SocksDialog.version else { return .refuse([]) }
        return hasGreeted ? request(&bytes) : greeting(&bytes)
    }

    /// Section 3.
    private mutating func greeting(_ bytes: inout [UInt8]) -> Step {
        guard bytes.count >= 2, bytes.count >= 2 + Int(bytes[1]) else { return .needsMore }
        let methods = bytes[2..<2 + Int(bytes[1])]
        let isOpen = methods.contains(0)
        bytes.removeFirst(2 + methods.count)
        hasGreeted = true
        return isOpen ? .reply([SocksDialog.version, 0]) : .refuse([SocksDialog.version, 0xff])
    }

    /// Section 4.
    private func request(_ bytes: inout [UInt8]) -> Step {
        guard bytes.count >= 4 else { return .needsMore }
        guard bytes[1] == 1 || bytes[1] == 3 else {
            return .refuse(SocksDialog.reply(.commandNotSupported))
        }
        let length: Int
        switch bytes[3] {
        case 1: length = 4
        case 4: length = 16
        case 3:
            guard bytes.count >= 5 else { return .needsMore }
            length = 1 + Int(bytes[4])
        default: return .refuse(SocksDialog.reply(.addressNotSupported))
        }
        guard bytes.count >= 4 + length + 2 else { return .needsMore }
        let place = SocksDialog.target(kind: bytes[3], bytes[4..<4 + length + 2])
        let isConnect = bytes[1] == 1
        bytes.removeFirst(4 + length + 2)
        if !isConnect { return .request(.associate) }
        guard let place, place.port != 0 else {
            return .refuse(SocksDialog.reply(.failure))
        }
        return .request(.connect(place))
    }

    /// Reads an address and its port; nil for a name that cannot be one.
    ///
    /// - Parameters:
    ///   - kind: 1 IPv4, 3 name with its length before it, 4 IPv6; section 5.
    ///   - bytes: the whole address with two bytes of port.
    static func target(kind: UInt8, _ bytes: ArraySlice<UInt8>) -> ForwardTarget? {
        guard bytes.count > 2 else { return nil }
        let address = bytes.dropLast(2)
        let port = bytes.suffix(2).reduce(UInt16(0)) { $0 &<< 8 | UInt16($1) }
        switch kind {
        case 1:
            let number = address.reduce(UInt32(0)) { $0 &<< 8 | UInt32($1) }
            return ForwardTarget(SocketAddress(ipv4: number, port: port))
        case 4:
            let high = address.prefix(8).reduce(UInt64(0)) { $0 &<< 8 | UInt64($1) }
            let low = address.suffix(8).reduce(UInt64(0)) { $0 &<< 8 | UInt64($1) }
            return ForwardTarget(SocketAddress(ipv6High: high, low: low, port: port))
        default:
            guard let name = String(validating: address.dropFirst(), as: UTF8.self) else {
                return nil
            }
            return ForwardTarget(host: name, port: port)
        }
    }

    /// A reply of section 6; without an address it names 0.0.0.0:0.
    static func reply(_ code: Code, bound: SocketAddress? = nil) -> [UInt8] {
        let bound = bound ?? .any(.ipv4, port: 0)
        var bytes = [version, code.rawValue, 0, bound.family == .ipv4 ? 1 : 4]
        let address = bound.addressBytes
        for index in 0..<(bound.family == .ipv4 ? 4 : 16) { bytes.append(address[index]) }
        bytes.append(UInt8(truncatingIfNeeded: bound.port >> 8))
        bytes.append(UInt8(truncatingIfNeeded: bound.port))
        return bytes
    }
}
