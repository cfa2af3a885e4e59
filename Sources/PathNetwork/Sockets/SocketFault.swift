internal import CLinuxUDP
internal import Glibc
internal import PathTransport

/// A report of the network, or of this host, about a datagram that was sent earlier.
///
/// ICMP messages are not authenticated: a fault is a hint to probe, not a proof.
public struct SocketFault: Hashable, Sendable {
    /// The kind of fault.
    public enum Kind: Hashable, Sendable {
        /// Nothing listens on the port, or the host or network is unreachable.
        case unreachable
        /// The datagram was larger than a link's MTU, given in bytes of IP packet.
        case tooBig(mtu: Int)
        case other
    }

    public var kind: Kind
    /// The destination of the datagram.
    var destination: SocketAddress?
    /// Who reported it; nil if this host did.
    var reporter: SocketAddress?
    /// The errno that the kernel derives from it.
    public var code: Int32
    /// Type and code of the ICMP message; zero if this host is the reporter.
    var icmpType: UInt8
    var icmpCode: UInt8
}

extension UDPSocket {
    /// Takes at most 64 entries from the error queue and returns their number.
    ///
    /// Call it when the poller reports a fault of this socket, or after a failed send.
    @discardableResult
    public mutating func drainFaults(_ body: (SocketFault) -> Void) -> Int {
        var number = 0
        var entry = clu_fault()
        while number < 64, unsafe clu_pop_fault(file.raw, &entry) == 1 {
            number &+= 1
            body(SocketFault(entry))
        }
        counters.faults &+= number
        return number
    }
}

extension SocketFault {
    init(_ entry: clu_fault) {
        code = Int32(truncatingIfNeeded: entry.error)
        kind =
            switch code {
            case EMSGSIZE: .tooBig(mtu: Int(entry.mtu))
            case ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, ENETDOWN, EACCES, ENOPROTOOPT:
                .unreachable
            default: .other
            }
        destination = SocketAddress(entry.destination)
        reporter = SocketAddress(entry.offender)
        icmpType = entry.type
        icmpCode = entry.code
    }
}
