internal import PathTelemetry

/// The limit that a receiver advertises; it grows with what the application consumes.
///
/// A new limit is due when half of the window is consumed. If that happens within two round trips
/// of the previous limit, the window is limiting the sender, and it doubles, up to a maximum.
/// Source: RFC 9000, sections 4.1 and 4.2.
///
/// Over paths of unlike delay, what the fast path brought waits for the slow path, longer than any
/// round trip tells. So a stream's window also doubles, at once, when such bytes use half of it and the
/// application keeps up with what arrives in order.
struct ReceiveWindow: Sendable {
    /// How far a stream has come, all offsets.
    struct Progress {
        /// The application has read all bytes below this one.
        var consumed: UInt64
        /// All bytes below this one have arrived.
        var inOrder: UInt64
        /// The offset just above the highest byte that has arrived.
        var highest: UInt64
    }

    /// The peer may send up to this offset: MAX_STREAM_DATA or MAX_DATA.
    private(set) var limit: UInt64
    /// Bytes that may be outstanding above what is consumed.
    private(set) var size: UInt64
    /// The largest `size`.
    let maximumSize: UInt64
    private var updated: Instant?

    /// Share of the window, one in so many, that an application which keeps up leaves unread.
    private static let unreadShare: UInt64 = 8
    /// The least bytes by which a limit that many streams share is raised, unless the window is small or
    /// the peer may send nothing.
    private static let leastRaise: UInt64 = 65_536

    init(size: UInt64, maximumSize: UInt64) {
        let bounded = min(max(1, size), 1 << 40)
        self.size = bounded
        self.maximumSize = min(max(bounded, maximumSize), 1 << 40)
        limit = bounded
    }

    /// Makes the window of a new stream larger; a smaller size changes nothing.
    ///
    /// - Returns: whether there is a new limit.
    mutating func widen(to size: UInt64) -> Bool {
        guard self.size < min(size, maximumSize) else { return false }
        self.size = min(size, maximumSize)
        limit = max(limit, self.size)
        return true
    }

    /// Whether half of the window is consumed.
    func isUpdateDue(consumed: UInt64) -> Bool {
        limit &- min(consumed, limit) <= size / 2 && limit < StreamChunk.maximumOffset
    }

    /// Whether bytes that wait for a slower path use half of the window.
    ///
    /// - Parameters:
    ///   - progress: of the stream.
    ///   - most: bytes to which the window may grow now.
    func isGrowthDue(_ progress: Progress, most: UInt64) -> Bool {
        progress.highest > progress.inOrder && size < min(most, maximumSize)
            && progress.inOrder &- progress.consumed <= size / ReceiveWindow.unreadShare
            && limit &- min(progress.highest, limit) <= size / 2
    }

    /// Whether half of what the peer may still send is used, of a limit that many streams share.
    ///
    /// What their readers leave unread takes its part of the window for good, so that half of the whole
    /// window might never be consumed.
    ///
    /// - Parameters:
    ///   - consumed: bytes that were read.
    ///   - received: bytes that have arrived.
    func isUpdateDue(consumed: UInt64, received: UInt64) -> Bool {
        let next = min(consumed &+ size, StreamChunk.maximumOffset)
        let credit = limit &- min(received, limit)
        guard next > limit else { return false }
        let isWorthwhile = next &- limit >= min(size / 2, ReceiveWindow.leastRaise)
        return credit == 0 || isWorthwhile && credit <= (next &- min(received, next)) / 2
    }

    /// A new limit, which is due.
    ///
    /// - Parameters:
    ///   - consumed: what the application has read.
    ///   - isShort: the window is known to limit the peer.
    ///   - most: bytes to which the window may grow now.
    ///   - rtt: smoothed round-trip time of the connection.
    mutating func update(
        consumed: UInt64, isShort: Bool = false, most: UInt64 = .max, now: Instant, rtt: TimeDelta
    ) -> UInt64 {
        let isFast = updated.map { now - $0 < rtt + rtt } ?? false
        if isFast || isShort { size = max(size, min(size &* 2, maximumSize, most)) }
        if !isShort { updated = now }
        limit = max(limit, min(consumed &+ size, StreamChunk.maximumOffset))
        return limit
    }
}
