internal import PathTelemetry

/// The limit that a receiver advertises; it grows with what the application consumes.
///
/// A new limit is due when half of the window is consumed. If that happens within two round trips
/// of the previous limit, the window is limiting the sender, and it doubles up to a maximum.
/// Source: RFC 9000, sections 4.1 and 4.2.
struct ReceiveWindow: Sendable {
    /// The peer may send up to this offset: MAX_STREAM_DATA or MAX_DATA.
    private(set) var limit: UInt64
    /// Bytes that may be outstanding above what is consumed.
    private(set) var size: UInt64
    /// The largest `size`.
    let maximumSize: UInt64
    private var updated: Instant?

    init(size: UInt64, maximumSize: UInt64) {
        let bounded = min(max(1, size), 1 << 40)
        self.size = bounded
        self.maximumSize = min(max(bounded, maximumSize), 1 << 40)
        limit = bounded
    }

    /// Whether `update` would return a new limit.
    func isUpdateDue(consumed: UInt64) -> Bool {
        limit &- min(consumed, limit) <= size / 2 && limit < StreamChunk.maximumOffset
    }

    /// The new limit to advertise, if it is due.
    ///
    /// - Parameters:
    ///   - consumed: the offset up to which the application has read.
    ///   - rtt: smoothed round-trip time of the connection.
    mutating func update(consumed: UInt64, now: Instant, rtt: TimeDelta) -> UInt64? {
        guard isUpdateDue(consumed: consumed) else { return nil }
        if let updated, now - updated < rtt + rtt { size = min(size &* 2, maximumSize) }
        updated = now
        limit = min(consumed &+ size, StreamChunk.maximumOffset)
        return limit
    }
}
