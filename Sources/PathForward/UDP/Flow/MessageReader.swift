import PathTelemetry
import Pathwise

/// Memory for the messages of a session that are read at once.
struct MessageReader: ~Copyable {
    /// Bytes of messages that are read at once.
    private static let batchBytes = 128 << 10
    /// The size of the largest message.
    private static let longest = 65_536

    private let room: UnsafeMutableRawBufferPointer
    private var lengths: [Int] = []
    /// When messages were last passed on.
    var readAt = Instant.zero

    init() {
        room = .allocate(
            byteCount: DatagramFlow.prefix + MessageReader.batchBytes, alignment: 16)
    }

    deinit { room.deallocate() }

    /// The messages; before the first there is room for the header of an outlet.
    private var messages: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: room[DatagramFlow.prefix...])
    }

    /// Reads as many messages as fit.
    ///
    /// - Returns: false if none has arrived.
    mutating func take(from session: Session) -> Bool {
        session.takeMessages(into: messages, lengths: &lengths)
        return !lengths.isEmpty
    }

    /// Whether the latest read returned all that had arrived.
    var hasAll: Bool {
        lengths.reduce(0, +) <= MessageReader.batchBytes - MessageReader.longest
    }

    /// The messages of the latest read, in the order of their arrival.
    func forEach(_ body: (UnsafeMutableRawBufferPointer) -> Void) {
        var start = 0
        for length in lengths {
            body(UnsafeMutableRawBufferPointer(rebasing: messages[start..<start + length]))
            start += length
        }
    }
}
