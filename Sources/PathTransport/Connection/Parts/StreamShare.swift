/// The share of stream data beside messages, which go first.
///
/// Messages that never end do not starve streams: after 128 KiB of messages while stream data
/// waits, a sixteenth of the bytes are the streams'.
struct StreamShare {
    /// Bytes of messages after which waiting stream data gets its share.
    private static let limit = 128 << 10
    /// Bytes of messages that each byte of a stream pays for.
    private static let paid = 16

    /// Bytes of messages that were sent before waiting stream data.
    private var debt = 0

    /// Whether stream data goes next.
    var isOwed: Bool { debt >= StreamShare.limit }

    /// Notes that messages were sent.
    mutating func noteMessages(bytes: Int, streamsWait: Bool) {
        debt = streamsWait ? debt &+ bytes : 0
    }

    /// Notes that stream data was sent.
    mutating func noteStreams(bytes: Int) { debt = max(0, debt &- bytes &* StreamShare.paid) }
}
