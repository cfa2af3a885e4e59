internal import CLinuxUDP
internal import Glibc
public import PathTransport

/// What the network, or this host, said about a datagram that was sent earlier.
///
/// ICMP messages are not authenticated: a fault is a hint to probe, not a proof.
public struct SocketFault: Hashable, Sendable {
    /// What is the matter.
    public enum Kind: Hashable, Sendable {
        /// Nothing listens on the port, or the host or network cannot be reached.
        case unreachable
        /// The datagram was longer than a link carries, whose MTU in bytes of IP packet is given.
        case tooBig(mtu: Int)
        case other
    }

    public var kind: Kind
    /// Where the datagram was sent.
    var destination: SocketAddress?
    /// Who reported it; nil if this host did.
    var reporter: SocketAddress?
    /// The errno that the kernel makes of it.
    public var code: Int32
    /// Type and code of the ICMP message; zero if this host is the reporter.
    var icmpType: UInt8
    var icmpCode: UInt8
}

extension UDPSocket {
    /// Takes what the error queue holds, at most 64 entries, and gives their number.
    ///
    /// Worth calling when the poller reports a fault of this socket, or after a send that failed.
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
