internal import CLinuxUDP
internal import Glibc
public import PathTransport

/// A non-blocking UDP socket for the datagrams of other programs: one at a time, with their traffic
/// class, in fragments if they are large.
///
/// Unlike `UDPSocket`, which carries paths, it keeps no state, so several threads may use it.
public struct DatagramSocket: ~Copyable, Sendable {
    private let file: FileDescriptor
    private let family: SocketAddress.Family

    /// The address the socket is bound to, with the port that the system chose if none was given.
    public let localAddress: SocketAddress
    /// The only peer; nil if there may be several.
    let remoteAddress: SocketAddress?

    /// Opens a socket that is bound to an address.
    ///
    /// - Parameter bufferBytes: of each of the kernel's two buffers, which may grant less.
    /// - Throws: `NetworkError.system` with the step that failed.
    public init(local: SocketAddress, bufferBytes: Int = 4 << 20) throws(NetworkError) {
        try self.init(
            local, remote: nil, family: local.family, bufferBytes: bufferBytes,
            target: "\(local)")
    }

    /// Opens a socket that exchanges datagrams with one peer only.
    ///
    /// - Throws: `NetworkError.system` with the step that failed; an unreachable network is one.
    public init(remote: SocketAddress, bufferBytes: Int = 1 << 20) throws(NetworkError) {
        try self.init(
            .any(remote.family, port: 0), remote: remote, family: remote.family,
            bufferBytes: bufferBytes, target: "\(remote)")
    }

    private init(
        _ local: SocketAddress, remote: SocketAddress?, family: SocketAddress.Family,
        bufferBytes: Int, target: String
    ) throws(NetworkError) {
        let number = Int32(family.rawValue)
        let file = try FileDescriptor(clu_socket(number), .openSocket, target: target)
        try DatagramSocket.configure(file, family, bufferBytes, target: target)
        var address = clu_address(local)
        if let remote {
            var peer = clu_address(remote)
            try unsafe check(clu_connect(file.raw, number, &peer), .connect, target: target)
        } else {
            try unsafe check(clu_bind(file.raw, number, &address), .bind, target: target)
        }
        try unsafe check(clu_local_address(file.raw, &address), .readAddress, target: target)
        localAddress = SocketAddress(address) ?? .any(family, port: address.port)
        remoteAddress = remote
        self.file = file
        self.family = family
    }

    private static func configure(
        _ file: borrowing FileDescriptor, _ family: SocketAddress.Family, _ bufferBytes: Int,
        target: String
    ) throws(NetworkError) {
        func require(_ option: clu_option, _ value: Int32 = 1) throws(NetworkError) {
            try check(clu_set_option(file.raw, option, value), .setOption, target: target)
        }
        switch family {
        case .ipv4:
            try require(CLU_FRAGMENT_4)
            try require(CLU_TRAFFIC_CLASS_4)
            try require(CLU_PACKET_INFO_4)
            try require(CLU_RECEIVE_ERRORS_4)
        case .ipv6:
            try require(CLU_V6_ONLY)
            try require(CLU_FRAGMENT_6)
            try require(CLU_TRAFFIC_CLASS_6)
            try require(CLU_PACKET_INFO_6)
            try require(CLU_RECEIVE_ERRORS_6)
        }
        let bytes = Int32(clamping: bufferBytes)
        if clu_set_option(file.raw, CLU_RECEIVE_BUFFER_FORCE, bytes) < 0 {
            _ = clu_set_option(file.raw, CLU_RECEIVE_BUFFER, bytes)
        }
        if clu_set_option(file.raw, CLU_SEND_BUFFER_FORCE, bytes) < 0 {
            _ = clu_set_option(file.raw, CLU_SEND_BUFFER, bytes)
        }
    }

    /// Gives the port back at once, though other threads may still use the socket: what they send from
    /// now on goes nowhere, and nothing more arrives.
    public func unbind() { _ = clu_retire(file.raw) }

    /// The file descriptor, to watch with a `Poller`.
    public var descriptor: Int32 { file.raw }

    /// Receives pending datagrams into the batch without waiting, and replaces its content.
    public func receive(into batch: inout ReceiveBatch) -> ReceiveResult {
        var code: Int32 = 0
        // Pending ICMP errors of earlier datagrams are also returned here; reading clears each.
        for _ in 0..<4 {
            let result = batch.fill(from: file.raw, port: localAddress.port)
            if result > 0 { return .received(result) }
            code = Int32(truncatingIfNeeded: 0 &- result)
            if code == EAGAIN || code == 0 { return .wouldBlock }
        }
        return .failed(code)
    }

    /// Sends one datagram, which may be empty.
    ///
    /// - Parameters:
    ///   - destination: nil for the only peer.
    ///   - source: the address to send from instead of the bound one; its port is ignored.
    ///   - trafficClass: DSCP and ECN.
    /// - Returns: nil if the kernel took it, else the errno.
    public func send(
        _ bytes: UnsafeRawBufferPointer, to destination: SocketAddress? = nil,
        from source: SocketAddress? = nil, trafficClass: UInt8 = 0
    ) -> Int32? {
        guard destination == nil || destination?.family == family else { return EAFNOSUPPORT }
        var route = clu_route(
            to: destination.map(clu_address.init) ?? clu_address(),
            from: source.map(clu_address.init) ?? clu_address(), interface: 0,
            socket_family: Int32(family.rawValue), traffic_class: trafficClass)
        var result = 0
        // A failure may be the pending ICMP error of an earlier datagram, which this call clears.
        for _ in 0..<2 {
            result = unsafe clu_send(file.raw, bytes.baseAddress, bytes.count, 0, &route)
            if result >= 0 { return nil }
            if result == -Int(EAGAIN) || result == -Int(EMSGSIZE) { break }
        }
        return Int32(truncatingIfNeeded: 0 &- result)
    }

    /// Takes at most 64 entries from the error queue.
    ///
    /// - Returns: how many of them report that a datagram did not reach its destination.
    public func drainFaults() -> Int {
        var unreachable = 0
        var entry = clu_fault()
        for _ in 0..<64 {
            guard unsafe clu_pop_fault(file.raw, &entry) == 1 else { break }
            if SocketFault(entry).kind == .unreachable { unreachable &+= 1 }
        }
        return unreachable
    }
}
