internal import CLinuxUDP
internal import Glibc
public import PathTransport

/// A non-blocking UDP socket with batching, time stamps and fault reports; closed with the value.
///
/// Network errors do not end a socket: send errors are values (`send`), and ICMP errors of earlier
/// datagrams come from `drainFaults`. It must not be used from two threads at once.
public struct UDPSocket: ~Copyable, Sendable {
    /// How a socket is opened.
    public struct Options: Hashable, Sendable {
        /// Requested receive buffer, bytes; the kernel may grant less (`receiveBufferBytes`).
        var receiveBufferBytes = 8 << 20
        /// Requested send buffer, bytes; the kernel may grant less (`sendBufferBytes`).
        var sendBufferBytes = 4 << 20
        /// Sends datagrams of equal size in one UDP_SEGMENT call if the system supports it.
        var usesSegmentation = true
        /// Lets the kernel join received datagrams of one flow (UDP_GRO).
        var usesReceiveOffload = true
        /// Lets several sockets of this user bind to one port; the kernel distributes flows.
        var reusesPort = false
        /// Lets a socket bound to an IPv6 address, `[::]`, carry IPv4 as well.
        var carriesIPv4OverIPv6 = false
        /// Tells DSCP and ECN of what arrives.
        var reportsTrafficClass = false

        public init() {}
    }

    let file: FileDescriptor
    /// The family of the system's socket; an IPv6 socket may carry both.
    let socketFamily: Int32
    let carriesBothFamilies: Bool
    let interfaceName: String?
    var segmentation: Bool

    /// The address the socket is bound to, with the port that the system chose if none was given.
    public let localAddress: SocketAddress
    /// Counters since the socket was opened.
    public internal(set) var counters = SocketCounters()

    /// Opens a socket bound to an address, to an interface by name, to both, or to neither.
    ///
    /// Without `local` it is bound to a port that the system chooses and, if the host has IPv6,
    /// sends to both families.
    /// - Throws: `NetworkError.system` with the step that failed, or `.malformedInterface`.
    public init(
        local: SocketAddress?, interface: String? = nil, options: Options = Options()
    ) throws(NetworkError) {
        let target = local?.description ?? "any address"
        var family: Int32 = local?.family == .ipv4 ? 4 : 6
        var result = clu_socket(family)
        if local == nil, result == -EAFNOSUPPORT {
            family = 4
            result = clu_socket(family)
        }
        let file = try FileDescriptor(result, .openSocket, target: target)
        let carriesBoth = family == 6 && (local == nil || options.carriesIPv4OverIPv6)
        try UDPSocket.configure(file, family, carriesBoth, options, target: target)
        if let interface { try UDPSocket.bind(file, toInterface: interface) }
        var address = clu_address(local ?? .any(family == 4 ? .ipv4 : .ipv6, port: 0))
        try unsafe check(clu_bind(file.raw, family, &address), .bind, target: target)
        try unsafe check(clu_local_address(file.raw, &address), .readAddress, target: target)
        localAddress = SocketAddress(address) ?? .any(.ipv6, port: address.port)
        self.file = file
        socketFamily = family
        carriesBothFamilies = carriesBoth
        interfaceName = interface
        segmentation = options.usesSegmentation
    }

    private static func configure(
        _ file: borrowing FileDescriptor, _ family: Int32, _ carriesBoth: Bool, _ options: Options,
        target: String
    ) throws(NetworkError) {
        func require(_ option: clu_option, _ value: Int32 = 1) throws(NetworkError) {
            try check(clu_set_option(file.raw, option, value), .setOption, target: target)
        }
        if family == 6 {
            try require(CLU_V6_ONLY, carriesBoth ? 0 : 1)
            try require(CLU_PROBE_MTU_6)
            try require(CLU_RECEIVE_ERRORS_6)
            try require(CLU_PACKET_INFO_6)
            if options.reportsTrafficClass { try require(CLU_TRAFFIC_CLASS_6) }
        }
        if family == 4 || carriesBoth {
            try require(CLU_PROBE_MTU_4)
            try require(CLU_RECEIVE_ERRORS_4)
            if options.reportsTrafficClass { try require(CLU_TRAFFIC_CLASS_4) }
        }
        if family == 4 { try require(CLU_PACKET_INFO_4) }
        try require(CLU_TIMESTAMPS)
        if options.reusesPort { try require(CLU_REUSE_PORT) }
        // Kernels before 5.0 lack UDP_GRO; datagrams then arrive one by one.
        if options.usesReceiveOffload { _ = clu_set_option(file.raw, CLU_GRO, 1) }
        // The forced form needs CAP_NET_ADMIN and may exceed the system's limit.
        let receive = Int32(clamping: options.receiveBufferBytes)
        if clu_set_option(file.raw, CLU_RECEIVE_BUFFER_FORCE, receive) < 0 {
            _ = clu_set_option(file.raw, CLU_RECEIVE_BUFFER, receive)
        }
        let send = Int32(clamping: options.sendBufferBytes)
        if clu_set_option(file.raw, CLU_SEND_BUFFER_FORCE, send) < 0 {
            _ = clu_set_option(file.raw, CLU_SEND_BUFFER, send)
        }
    }

    private static func bind(
        _ file: borrowing FileDescriptor, toInterface name: String
    ) throws(NetworkError) {
        // The limit is IFNAMSIZ, which includes the terminating zero.
        guard (1...15).contains(name.utf8.count),
            !name.utf8.contains(where: { $0 <= 32 || $0 == 47 })
        else { throw .malformedInterface(name) }
        let result = unsafe name.withCString { unsafe clu_bind_device(file.raw, $0) }
        try check(result, .bindToInterface, target: name)
    }

    /// The file descriptor, to watch with a `Poller`.
    public var descriptor: Int32 { file.raw }

    /// The index of the interface to which the socket is bound by name; nil if none, or if it is
    /// gone.
    var interfaceIndex: UInt32? {
        guard let interfaceName else { return nil }
        let index = unsafe if_nametoindex(interfaceName)
        return index == 0 ? nil : index
    }

    /// Whether datagrams are sent with UDP_SEGMENT; becomes false if the system refuses it.
    var usesSegmentation: Bool { segmentation }

    /// The receive buffer granted, in the unit of `Options`.
    var receiveBufferBytes: Int { granted(CLU_RECEIVE_BUFFER) }
    /// The send buffer granted, in the unit of `Options`.
    var sendBufferBytes: Int { granted(CLU_SEND_BUFFER) }

    /// The kernel allocates and reports twice the requested size, to cover its bookkeeping.
    private func granted(_ option: clu_option) -> Int {
        var value: Int32 = 0
        guard unsafe clu_get_option(file.raw, option, &value) == 0 else { return 0 }
        return Int(value) / 2
    }

    /// Datagrams that the kernel dropped since the socket was opened because the receive buffer was
    /// full.
    public var receiveBufferDrops: Int {
        var drops: UInt32 = 0
        return unsafe clu_receive_drops(file.raw, &drops) == 0 ? Int(drops) : 0
    }
}

/// Counters of a socket; bytes are bytes of UDP payload.
public struct SocketCounters: Hashable, Sendable {
    var sendCalls = 0
    public var bytesSent = 0
    var receiveCalls = 0
    public var messagesReceived = 0
    public var bytesReceived = 0
    /// Faults taken from the error queue.
    var faults = 0
}
