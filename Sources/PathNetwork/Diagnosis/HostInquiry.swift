internal import CLinuxUDP
internal import Glibc
public import PathTransport

/// Questions to the kernel of this host whose answers tell whether paths can work.
public enum HostInquiry {
    /// The route that packets take.
    public struct Route: Hashable, Sendable {
        /// Index of the interface.
        public var interface: UInt32
        /// Nil if the destination needs no router.
        public var gateway: SocketAddress?

        public init(interface: UInt32, gateway: SocketAddress? = nil) {
            self.interface = interface
            self.gateway = gateway
        }
    }

    /// The route to a destination; nil if there is none.
    ///
    /// - Parameters:
    ///   - source: the address that the packets come from; nil leaves it open.
    ///   - interface: the index of the interface that a socket is bound to; 0 for none.
    public static func route(
        to destination: SocketAddress, from source: SocketAddress? = nil,
        through interface: UInt32 = 0
    ) -> Route? {
        var found = clu_found_route()
        var to = clu_address(destination)
        var from = source.map(clu_address.init) ?? clu_address()
        guard unsafe clu_find_route(&to, &from, interface, &found) == 0 else { return nil }
        return Route(interface: found.interface, gateway: SocketAddress(found.gateway))
    }

    /// Whether the clock follows a time server; nil if the system does not say.
    public static var isClockSynchronised: Bool? {
        let result = clu_clock_is_synchronised()
        return result < 0 ? nil : result == 1
    }

    /// Why a socket cannot be bound to an interface; nil if it can.
    public static func problemBinding(toInterface name: String) -> NetworkError? {
        do throws(NetworkError) {
            _ = try UDPSocket(local: nil, interface: name)
            return nil
        } catch {
            return error
        }
    }

    /// The buffers that a socket of this process gets, bytes.
    public static func socketBuffers() throws(NetworkError) -> (receive: Int, send: Int) {
        let socket = try UDPSocket(local: nil)
        return (socket.receiveBufferBytes, socket.sendBufferBytes)
    }

    /// The buffers that this library asks for, bytes.
    public static var wantedBuffers: (receive: Int, send: Int) {
        let options = UDPSocket.Options()
        return (options.receiveBufferBytes, options.sendBufferBytes)
    }

    /// Whether the kernel takes many datagrams in one call (UDP_SEGMENT), and joins received ones
    /// (UDP_GRO), as seen on loopback.
    public static func offloads() throws(NetworkError) -> (segmentation: Bool, joining: Bool) {
        var receiver = try UDPSocket(local: .loopback(port: 0))
        var sender = try UDPSocket(local: .loopback(port: 0))
        var batch = try ReceiveBatch()
        let datagram = 1000
        let bytes = [UInt8](repeating: 7, count: 8 * datagram)
        let result = unsafe bytes.withUnsafeBytes {
            unsafe sender.send($0, segmentSize: datagram, to: receiver.localAddress)
        }
        guard result == .sent(bytes.count) else { return (false, false) }
        var isJoined = false
        var received = 0
        for _ in 0..<50 where received < bytes.count {
            var wait = pollfd(fd: receiver.descriptor, events: Int16(POLLIN), revents: 0)
            _ = unsafe poll(&wait, 1, 20)
            guard case .received = receiver.receive(into: &batch) else { continue }
            for index in 0..<batch.count {
                let message = batch.message(index)
                received += message.bytes.count
                if message.segmentCount > 1 { isJoined = true }
            }
        }
        return (sender.usesSegmentation, isJoined)
    }
}
