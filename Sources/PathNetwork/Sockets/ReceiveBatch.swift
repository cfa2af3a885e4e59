internal import CLinuxUDP
internal import Glibc
public import PathTelemetry
public import PathTransport

/// The buffers of one receive call and what it brought, used again for each call.
///
/// A *message* is what the kernel hands over in one piece: one datagram, or several of one flow
/// joined by UDP_GRO. Its segments are the datagrams. The bytes may be changed in place
/// (decrypted) until the batch is received into again.
///
/// May be handed to another thread: it alone owns what it points to.
@safe
public struct ReceiveBatch: ~Copyable, @unchecked Sendable {
    private let bytes: UnsafeMutableRawBufferPointer
    private let stride: Int
    private let headers: OpaquePointer
    private let received: UnsafeMutablePointer<clu_received>
    private var stamps = ReceiveStampConverter()

    /// How many messages fit.
    public let capacity: Int
    /// How many messages the latest call brought.
    public private(set) var count = 0
    /// When the latest call that brought messages returned.
    public private(set) var receivedAt = Instant.zero
    private var port: UInt16 = 0

    /// Room for `capacity` messages (1 to 64) of `messageBytes` each (at most 65,536, the size of
    /// the longest joined message).
    /// - Throws: `NetworkError.system` when memory is short.
    public init(capacity: Int = 16, messageBytes: Int = 65_536) throws(NetworkError) {
        let capacity = min(max(capacity, 1), 64)
        let stride = min(max(messageBytes, 64), 65_536)
        let bytes = UnsafeMutableRawBufferPointer.allocate(
            byteCount: capacity * stride, alignment: 4_096)
        guard
            let headers = unsafe clu_receiver_create(
                bytes.baseAddress, stride, UInt32(truncatingIfNeeded: capacity))
        else {
            unsafe bytes.deallocate()
            throw .system(.allocate, target: "receiving", code: ENOMEM)
        }
        unsafe received = UnsafeMutablePointer<clu_received>.allocate(capacity: capacity)
        unsafe received.initialize(repeating: clu_received(), count: capacity)
        unsafe self.bytes = bytes
        unsafe self.headers = headers
        self.stride = stride
        self.capacity = capacity
    }

    deinit {
        unsafe clu_receiver_destroy(headers)
        unsafe received.deallocate()
        unsafe bytes.deallocate()
    }

    /// One call; gives the number of messages or a negated errno.
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
        let start = index &* stride
        let length = min(Int(entry.length), stride)
        let stamp = stamps.instant(realtime: entry.realtime, now: receivedAt)
        return unsafe ReceivedMessage(
            bytes: UnsafeMutableRawBufferPointer(rebasing: bytes[start..<start &+ length]),
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
/// Points into its `ReceiveBatch`, and is of no use after that received again.
@safe
public struct ReceivedMessage {
    /// All bytes; datagrams of `segmentSize`, the last maybe shorter, one after the other.
    public let bytes: UnsafeMutableRawBufferPointer
    /// Bytes of each datagram but the last; positive.
    public let segmentSize: Int
    /// Who sent it.
    public let remote: SocketAddress
    /// The address it was sent to, with the socket's port; nil if the kernel did not say.
    public let local: SocketAddress?
    /// The index of the interface it came in through; zero if the kernel did not say.
    public let interface: UInt32
    /// When the kernel received it (the first, of joined datagrams).
    ///
    /// When it was read, for some milliseconds after the host's first stamping socket was opened:
    /// the kernel switches stamps on behind the scenes.
    public let receivedAt: Instant
    /// Whether bytes at the end were cut off because the buffer was too small.
    public let isTruncated: Bool

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

/// What a receive call brought.
public enum ReceiveResult: Hashable, Sendable {
    /// This many messages are in the batch. As many as it holds: there may be more, call again.
    case received(Int)
    /// There is nothing to receive now.
    case wouldBlock
    /// An errno; the socket goes on working. `drainFaults` may know more.
    case failed(Int32)
}

extension UDPSocket {
    /// Receives what is there, without waiting, into the batch, whose former content is gone.
    public mutating func receive(into batch: inout ReceiveBatch) -> ReceiveResult {
        var code: Int32 = 0
        // Pending ICMP errors of datagrams sent earlier come out of here too; reading clears each.
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
