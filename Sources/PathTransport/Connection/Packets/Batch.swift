public import PathTelemetry

/// Datagrams of equal size for one path, ready for one segmented send call.
public struct Transmit: Sendable {
    public var path: PathID
    /// Number of the local socket, as given with the path.
    public var socket: Int
    public var remote: SocketAddress
    /// The address to send from, if the socket has several; nil leaves the choice to the system.
    public var local: SocketAddress?
    /// Total bytes, at the start of the caller's buffer.
    public var length: Int
    /// Bytes of each datagram; the last may be shorter.
    public var segmentSize: Int
}

/// Datagrams of equal size, one after the other in the caller's buffer.
struct Batch {
    /// The most datagrams that the kernel takes in one segmented call.
    static let limit = 64

    /// Bytes of each datagram but the last.
    let size: Int
    private let room: Int
    private(set) var length = 0
    private(set) var count = 0
    private var isClosed = false

    init(size: Int, room: Int) {
        self.size = size
        self.room = room
    }

    /// Whether a further datagram fits and is allowed.
    func takesMore(_ buffer: UnsafeMutableRawBufferPointer) -> Bool {
        !isClosed && count < Batch.limit && length + size <= min(buffer.count, 65_000)
            && (count == 0 || length + size <= room)
    }

    func region(of buffer: UnsafeMutableRawBufferPointer) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: buffer[length...])
    }

    /// Adds a datagram; one that is not full ends the batch, as only the last may be shorter.
    mutating func add(_ bytes: Int) {
        length += bytes
        count += 1
        if bytes < size { isClosed = true }
    }
}
