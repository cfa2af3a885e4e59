/// The header of a datagram between a SOCKS relay and its client: RFC 1928, section 7.
///
/// Two zero bytes, the number of a fragment (zero: a whole datagram), then target or origin as in
/// `DatagramHost`.
enum SocksDatagram {
    /// Bytes before the target.
    static let headerLength = 3

    /// The place of the target in a datagram of the client; nil if it is a fragment, or its header
    /// is malformed.
    static func target(in datagram: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard datagram.count > headerLength, datagram[..<headerLength].allSatisfy({ $0 == 0 })
        else { return nil }
        let rest = UnsafeRawBufferPointer(rebasing: datagram[headerLength...])
        return DatagramHost.read(rest) == nil ? nil : rest
    }

    /// The datagram with its header, written into the three bytes before it.
    static func withHeader(_ origin: UnsafeMutableRawBufferPointer) -> UnsafeRawBufferPointer {
        guard let base = origin.baseAddress else { return UnsafeRawBufferPointer(origin) }
        let start = base - headerLength
        start.initializeMemory(as: UInt8.self, repeating: 0, count: headerLength)
        return UnsafeRawBufferPointer(start: start, count: origin.count + headerLength)
    }
}
