internal import CLinuxUDP
internal import PathTransport

extension clu_address {
    init(_ address: SocketAddress) {
        self.init(
            high: address.high, low: address.low, scope: address.scope, port: address.port,
            family: address.family.rawValue)
    }
}

extension SocketAddress {
    /// Nil if the kernel gave none.
    init?(_ address: clu_address) {
        switch address.family {
        case 4:
            self.init(ipv4: UInt32(truncatingIfNeeded: address.low), port: address.port)
        case 6:
            self.init(
                ipv6High: address.high, low: address.low, port: address.port, scope: address.scope)
        default: return nil
        }
    }
}

/// An open file descriptor, closed with the value that owns it.
struct FileDescriptor: ~Copyable {
    let raw: Int32

    /// Takes the result of a system call: a descriptor, or a negated errno.
    init(
        _ result: Int32, _ operation: NetworkError.Operation, target: @autoclosure () -> String
    ) throws(NetworkError) {
        guard result >= 0 else {
            throw .system(operation, target: target(), code: 0 - result)
        }
        raw = result
    }

    deinit { _ = clu_close(raw) }
}

/// Throws if a system call returned a negated errno.
func check(
    _ result: Int32, _ operation: NetworkError.Operation, target: @autoclosure () -> String
) throws(NetworkError) {
    guard result >= 0 else { throw .system(operation, target: target(), code: 0 - result) }
}
