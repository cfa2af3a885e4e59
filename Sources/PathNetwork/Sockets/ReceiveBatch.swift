internal import CLinuxUDP
internal import Glibc
public import PathTelemetry
public import PathTransport

/// The buffers of receive calls and the latest result; reused for each call.
///
/// A *message* is what the kernel delivers in one piece: one datagram, or several of one flow
/// joined by UDP_GRO. Its segments are the datagrams. The bytes may be changed in place (decrypted)
/// until the next receive call.
///
/// It may move to another thread, since it is the only owner of its memory.
@safe
public struct ReceiveBatch: ~Copyable, @unchecked Sendable {
    private let bytes: UnsafeMutableRawBufferPointer
    private let stride: Int
    private let headroom: Int
    private let headers: OpaquePointer
    private let received: UnsafeMutablePointer<clu_received>
    private var stamps = ReceiveStampConverter()

    /// The most messages per call.
    public let capacity: Int
    /// The number of messages of the latest call.
    public private(set) var count = 0
    /// When the latest call with messages returned.
    public private(set) var receivedAt = Instant.zero
    private var port: UInt16 = 0

    /// Allocates buffers for `capacity` messages (1 to 64) of `messageBytes` each (at most 65,536,
    /// the size of the longest joined message).
    ///
    /// - Parameter headroom: bytes before each message that the caller may write into.
    /// - Throws: `NetworkError.system` if memory is missing.
    public init(
        capacity: Int = 16, messageBytes: Int = 65_536, headroom: Int = 0
    ) throws(NetworkError) {
        let capacity = min(max(capacity, 1), 64)
        let headroom = min(max(headroom, 0), 4_096)
        let stride = min(max(messageBytes, 64), 65_536) + headroom
        let bytes = UnsafeMutableRawBufferPointer.allocate(
            byteCount: capacity * stride, alignment: 4_096)
        guard
            let headers = unsafe clu_receiver_create(
                bytes.baseAddress, stride, headroom, UInt32(truncatingIfNeeded: capacity))
        else {
            unsafe bytes.deallocate()
            throw .system(.allocate, target: "receiving", code: ENOMEM)
        }
        unsafe received = UnsafeMutablePointer<clu_received>.allocate(capacity: capacity)
        unsafe received.initialize(repeating: clu_received(), count: capacity)
        unsafe self.bytes = bytes
        unsafe self.headers = headers
        self.stride = stride
        self.headroom = headroom
        self.capacity = capacity
    }

    deinit {
        unsafe clu_receiver_destroy(headers)
        unsafe received.deallocate()
        unsafe bytes.deallocate()
    }

    /// Makes one call; returns the number of messages or a negated errno.
    mutating func fill(from descriptor: Int32, port: UInt16) -> Int {
        count = 0
        let result = Int(unsafe clu_receive(headers, descriptor, received))
        guard result > 0 else { return result }
        count = result
        receivedAt = MonotonicClock.now()
        self.port = port
        return result
    }

    /// The bytes of all messages together.
    var totalBytes: Int {
        var total = 0
        for index in 0..<count { total &+= Int(unsafe received[index].length) }
        return total
    }

    /// A message of the latest call; `index` is below `count`.
    public mutating func message(_ index: Int) -> ReceivedMessage {
        precondition(index >= 0 && index < count, "the batch has \(count) messages")
        let entry = unsafe received[index]
        let start = index &* stride &+ headroom
        let length = min(Int(entry.length), stride &- headroom)
        let stamp = stamps.instant(realtime: entry.realtime, now: receivedAt)
        return unsafe ReceivedMessage(
            bytes: UnsafeMutableRawBufferPointer(rebasing: bytes[start..<start &+ length]),
            headroom: headroom, trafficClass: entry.traffic_class,
            segmentSize: max(1, Int(entry.segment)),
            remote: SocketAddress(entry.remote) ?? .any(.ipv4, port: 0),
            local: SocketAddress(entry.local)?.with(port: port),
            interface: entry.interface, receivedAt: stamp, isTruncated: entry.truncated != 0)
    }

    /// Calls `body` with each datagram of the latest call, in the order of arrival.
    public mutating func forEachDatagram(
        _ body: (_ bytes: UnsafeMutableRawBufferPointer, _ message: borrowing ReceivedMessage) ->
            Void
    ) {
        for index in 0..<count {
            let message = message(index)
            for segment in 0..<message.segmentCount {
                unsafe body(message.segment(segment), message)
            }
        }
    }
}

/// One or more datagrams of one flow that arrived together.
///
/// It points into its `ReceiveBatch` and is invalid after the next receive call.
@safe
public struct ReceivedMessage {
    /// All bytes: consecutive datagrams of `segmentSize`; the last may be shorter.
    public let bytes: UnsafeMutableRawBufferPointer
    /// How many bytes before the first one belong to the batch, for a header.
    let headroom: Int
    /// DSCP and ECN, one byte; zero if the socket does not report it.
    public let trafficClass: UInt8
    /// Bytes of each datagram except the last; positive.
    public let segmentSize: Int
    /// The sender's address.
    public let remote: SocketAddress
    /// The address to which it was sent, with the socket's port; nil if the kernel did not report
    /// it.
    public let local: SocketAddress?
    /// The index of the receiving interface; zero if the kernel did not report it.
    public let interface: UInt32
    /// When the kernel received it (the first one of joined datagrams).
    ///
    /// For some milliseconds after the host's first socket with time stamps was opened it is the
    /// time of reading, as the kernel enables time stamps in the background.
    public let receivedAt: Instant
    /// Whether bytes at the end were truncated because the buffer was too small.
    public let isTruncated: Bool

    /// The message with `count` bytes before it, at most the headroom of the batch.
    public func bytes(withHeader count: Int) -> UnsafeMutableRawBufferPointer {
        precondition(count >= 0 && count <= headroom, "the headroom is \(headroom) bytes")
        let base = unsafe bytes.baseAddress.map { unsafe $0 - count }
        return unsafe UnsafeMutableRawBufferPointer(start: base, count: bytes.count &+ count)
    }

    /// How many datagrams there are; an empty datagram is one.
    public var segmentCount: Int {
        unsafe max(1, (bytes.count &+ segmentSize &- 1) / segmentSize)
    }

    /// The bytes of one datagram; `index` is below `segmentCount`.
    public func segment(_ index: Int) -> UnsafeMutableRawBufferPointer {
        precondition(index >= 0 && index < segmentCount, "the message has \(segmentCount) segments")
        let start = index &* segmentSize
        let end = unsafe min(start &+ segmentSize, bytes.count)
        return unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[start..<end])
    }
}

/// The result of a receive call.
public enum ReceiveResult: Hashable, Sendable {
    /// The batch contains this many messages. If it is full there may be more, so call again.
    case received(Int)
    /// There is nothing to receive now.
    case wouldBlock
    /// An errno; the socket keeps working. `drainFaults` may give details.
    case failed(Int32)
}

extension UDPSocket {
    /// Receives pending messages into the batch without waiting, and replaces its content.
    public mutating func receive(into batch: inout ReceiveBatch) -> ReceiveResult {
        var code: Int32 = 0
        // Pending ICMP errors of earlier datagrams are also returned here; reading clears each.
        for _ in 0..<4 {
            counters.receiveCalls &+= 1
            let result = batch.fill(from: file.raw, port: localAddress.port)
            if result > 0 {
                counters.messagesReceived &+= result
                counters.bytesReceived &+= batch.totalBytes
                return .received(result)
            }
            code = Int32(truncatingIfNeeded: 0 &- result)
            if code == EAGAIN || code == 0 { return .wouldBlock }
        }
        return .failed(code)
    }
}
