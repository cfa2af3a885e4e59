internal import CLinuxUDP
internal import Glibc
public import PathTransport

/// The result of a send; the socket stays usable in every case.
public enum SendResult: Hashable, Sendable {
    /// This many bytes, in whole datagrams, were accepted. If they are fewer than offered, offer
    /// the rest again; the next result gives the reason.
    case sent(Int)
    /// The send buffer is full; the poller reports when the socket is writable.
    case wouldBlock
    /// A local queue is full, with the errno. No event reports when it has room: retry soon.
    case congested(Int32)
    /// The datagrams exceed the route's MTU, given in bytes of IP packet; 0 if unknown.
    case tooBig(mtu: Int)
    /// The destination is unreachable now, or not from this source; with the errno.
    case unreachable(Int32)
    /// Another errno.
    case failed(Int32)
}

extension UDPSocket {
    /// The most datagrams per UDP_SEGMENT call.
    static let maximumSegments = 64
    /// The most bytes of payload per call: 65,535 minus IPv4 and UDP headers.
    static let maximumBatchBytes = 65_507

    /// Sends `bytes` to one destination as datagrams of `segmentSize`; the last one may be shorter.
    ///
    /// It needs one system call per 64 datagrams or 65,507 bytes. If the system or device refuses
    /// UDP_SEGMENT, datagrams are sent by sendmmsg from then on.
    /// - Parameters:
    ///   - source: the address to send from instead of the bound one; its port is ignored.
    ///   - interface: the index of the interface to send through, or 0.
    ///   - trafficClass: DSCP and ECN.
    public mutating func send(
        _ bytes: UnsafeRawBufferPointer, segmentSize: Int, to destination: SocketAddress,
        from source: SocketAddress? = nil, interface: UInt32 = 0, trafficClass: UInt8 = 0
    ) -> SendResult {
        guard let base = bytes.baseAddress, bytes.count > 0 else { return .sent(0) }
        let segment = segmentSize > 0 && segmentSize < bytes.count ? segmentSize : bytes.count
        var route = clu_route(
            to: clu_address(destination), from: source.map(clu_address.init) ?? clu_address(),
            interface: interface, socket_family: socketFamily, traffic_class: trafficClass)
        // The kernel would refuse it as an invalid argument.
        if socketFamily == 6, destination.family == .ipv4, !carriesBothFamilies {
            return .unreachable(EAFNOSUPPORT)
        }
        var sent = 0
        while sent < bytes.count {
            let result = unsafe sendSome(base + sent, bytes.count &- sent, segment, &route)
            if result > 0 {
                sent &+= result
            } else if sent > 0 {
                break
            } else {
                return failure(Int32(truncatingIfNeeded: 0 &- result), to: destination)
            }
        }
        counters.bytesSent &+= sent
        return .sent(sent)
    }

    /// Sends one batch from the front of the bytes; returns the bytes sent, or a negated errno.
    private mutating func sendSome(
        _ bytes: UnsafeRawPointer, _ count: Int, _ segment: Int, _ route: inout clu_route
    ) -> Int {
        guard segmentation || count <= segment else {
            return unsafe sendEach(bytes, count, segment, &route)
        }
        let segments = min(UDPSocket.maximumSegments, max(1, UDPSocket.maximumBatchBytes / segment))
        let part = min(count, segments &* segment)
        var result = 0
        // A failure may be the pending ICMP error of an earlier datagram, which this call clears.
        for _ in 0..<2 {
            counters.sendCalls &+= 1
            result = unsafe clu_send(file.raw, bytes, part, segment, &route)
            if result >= 0 || result == -Int(EAGAIN) { return result }
        }
        guard part > segment, UDPSocket.meansNoSegmentation(result) else { return result }
        let each = unsafe sendEach(bytes, part, segment, &route)
        // The same call without UDP_SEGMENT works, so UDP_SEGMENT was the cause.
        if each > 0 { segmentation = false }
        return each
    }

    private mutating func sendEach(
        _ bytes: UnsafeRawPointer, _ count: Int, _ segment: Int, _ route: inout clu_route
    ) -> Int {
        var result = 0
        for _ in 0..<2 {
            counters.sendCalls &+= 1
            result = unsafe clu_send_each(file.raw, bytes, count, segment, &route)
            if result >= 0 || result == -Int(EAGAIN) { break }
        }
        return result
    }

    /// EIO means that the device cannot compute checksums; the others, that the kernel does not
    /// support UDP_SEGMENT.
    private static func meansNoSegmentation(_ result: Int) -> Bool {
        switch Int32(truncatingIfNeeded: 0 &- result) {
        case EIO, EINVAL, ENOPROTOOPT, EOPNOTSUPP: true
        default: false
        }
    }

    private func failure(_ code: Int32, to destination: SocketAddress) -> SendResult {
        switch code {
        case 0, EAGAIN: .wouldBlock
        case ENOBUFS, ENOMEM: .congested(code)
        case EMSGSIZE: .tooBig(mtu: routeMTU(to: destination) ?? 0)
        // EINVAL means that this host no longer has the source address.
        case ENETUNREACH, EHOSTUNREACH, ENETDOWN, EHOSTDOWN, ENODEV, ENXIO, EADDRNOTAVAIL, EACCES,
            EPERM, ECONNREFUSED, EAFNOSUPPORT, EINVAL:
            .unreachable(code)
        default: .failed(code)
        }
    }

    /// The current MTU of the route to a destination in the kernel, bytes of IP packet.
    ///
    /// It is read from a second socket with the same interface and source, which is too slow for
    /// every packet.
    func routeMTU(to destination: SocketAddress) -> Int? {
        let family: Int32 = destination.family == .ipv4 ? 4 : 6
        guard
            let helper = try? FileDescriptor(
                clu_socket(family), .openSocket, target: destination.description)
        else { return nil }
        if let interfaceName {
            _ = unsafe interfaceName.withCString { unsafe clu_bind_device(helper.raw, $0) }
        }
        if !localAddress.isUnspecified {
            var source = clu_address(localAddress.with(port: 0))
            _ = unsafe clu_bind(helper.raw, family, &source)
        }
        var remote = clu_address(destination)
        var mtu: Int32 = 0
        guard unsafe clu_connect(helper.raw, family, &remote) == 0,
            unsafe clu_get_option(helper.raw, family == 4 ? CLU_MTU_4 : CLU_MTU_6, &mtu) == 0
        else { return nil }
        return Int(mtu)
    }
}
