internal import PathTelemetry

/// The limit that a receiver advertises; it grows with what the application consumes.
///
/// A new limit is due when half of the window is consumed. If that happens within two round trips
/// of the previous limit, the window is limiting the sender, and it doubles, up to a maximum.
/// Source: RFC 9000, sections 4.1 and 4.2.
///
/// Over paths of unlike delay, what the fast path brought waits for the slow path, and no round trip
/// tells how long. Such bytes take their part of the window, so what they leave of half a window must
/// last for two round trips. If they leave nothing, the window grows to four times its size.
struct ReceiveWindow: Sendable {
    /// The peer may send up to this offset: MAX_STREAM_DATA or MAX_DATA.
    private(set) var limit: UInt64
    /// Bytes that may be outstanding above what is consumed.
    private(set) var size: UInt64
    /// The largest `size`.
    let maximumSize: UInt64
    private var updated: Instant?
    /// What was consumed at the previous limit.
    private var consumedBefore: UInt64 = 0

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
    ///   - waiting: the most bytes since the previous limit that the highest one was ahead of those
    ///     in order.
    ///   - rtt: smoothed round-trip time of the connection.
    mutating func update(
        consumed: UInt64, waiting: UInt64 = 0, now: Instant, rtt: TimeDelta
    ) -> UInt64? {
        guard isUpdateDue(consumed: consumed) else { return nil }
        if isLimiting(consumed: consumed, waiting: waiting, now: now, rtt: rtt) {
            size = min(size &* (waiting > size / 2 ? 4 : 2), maximumSize)
        }
        updated = now
        consumedBefore = consumed
        limit = min(consumed &+ size, StreamChunk.maximumOffset)
        return limit
    }

    /// Whether a larger window would have let the peer send more.
    private func isLimiting(
        consumed: UInt64, waiting: UInt64, now: Instant, rtt: TimeDelta
    ) -> Bool {
        guard let updated else { return false }
        let (elapsed, twoRounds) = (now - updated, rtt + rtt)
        if elapsed < twoRounds { return true }
        let room = Double(size / 2 &- min(waiting, size / 2))
        let taken = Double(consumed &- min(consumedBefore, consumed))
        return waiting > 0 && room * elapsed.seconds <= taken * twoRounds.seconds
    }
}
