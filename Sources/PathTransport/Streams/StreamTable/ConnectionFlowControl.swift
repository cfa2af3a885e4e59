internal import PathTelemetry

/// Flow control of a connection in both directions, summed over all streams.
///
/// Sending counts only new bytes, and receiving counts the growth of each stream's highest offset,
/// so that retransmissions and duplicates do not count. Source: RFC 9000, section 4.1.
struct ConnectionFlowControl: Sendable {
    // Sending.
    /// The peer's limit: MAX_DATA.
    private(set) var peerLimit: UInt64
    /// New bytes sent over all streams.
    private(set) var sent: UInt64 = 0
    private var blockedLimit: UInt64?

    // Receiving.
    private var window: ReceiveWindow
    /// Sum of the highest offsets over all streams.
    private(set) var received: UInt64 = 0
    /// Bytes that the application has read, or that were discarded.
    private(set) var consumed: UInt64 = 0

    /// - Parameters:
    ///   - window: bytes advertised at first; it grows up to `maximumWindow`.
    ///   - peerLimit: what the peer advertised.
    init(window: UInt64, maximumWindow: UInt64, peerLimit: UInt64 = 0) {
        self.window = ReceiveWindow(size: window, maximumSize: maximumWindow)
        self.peerLimit = peerLimit
    }

    /// New bytes that may be sent now.
    var credit: UInt64 { peerLimit &- sent }

    /// Counts new bytes sent: at most `credit`.
    mutating func handleSent(_ bytes: UInt64) { sent &+= min(bytes, credit) }

    /// Takes a new limit of the peer; a lower one is ignored.
    mutating func handleMaxData(_ limit: UInt64) { peerLimit = max(peerLimit, limit) }

    /// The limit that blocks this side, for a DATA_BLOCKED frame; returned once for each limit.
    mutating func blockedReport() -> UInt64? {
        guard isBlockedReportDue else { return nil }
        blockedLimit = peerLimit
        return peerLimit
    }

    /// Whether `blockedReport` would return a limit.
    var isBlockedReportDue: Bool { credit == 0 && blockedLimit != peerLimit }

    /// Repeats a lost DATA_BLOCKED report if it is still true.
    mutating func handleBlockedLost(limit: UInt64) {
        if blockedLimit == limit { blockedLimit = nil }
    }

    /// Throws if growth of a stream's highest offset would break the advertised limit.
    func check(growth: UInt64) throws(StreamError) {
        let (sum, overflow) = received.addingReportingOverflow(growth)
        if overflow || sum > window.limit {
            throw .flowControl(offset: overflow ? .max : sum, limit: window.limit)
        }
    }

    /// Counts growth of a stream's highest offset, after `check`.
    mutating func handleReceived(_ growth: UInt64) { received &+= growth }

    /// Counts bytes that an application read or that will never be read.
    mutating func handleConsumed(_ bytes: UInt64) { consumed &+= min(bytes, received &- consumed) }

    /// A new limit for the peer, when half of what it may still send is used.
    mutating func windowUpdate(now: Instant, rtt: TimeDelta) -> UInt64? {
        guard isWindowUpdateDue else { return nil }
        return window.update(consumed: consumed, now: now, rtt: rtt)
    }

    /// Whether `windowUpdate` would return a limit.
    var isWindowUpdateDue: Bool { window.isUpdateDue(consumed: consumed, received: received) }
    /// Bytes to which the window of one stream may grow now.
    ///
    /// Streams whose readers stop keep what they hold. As each may take a quarter of what is left of
    /// half of the limit, they never take the other half.
    var streamMaximum: UInt64 {
        let unread = received &- consumed
        return (window.size / 2 &- min(unread, window.size / 2)) / 4
    }
    /// The last advertised limit (MAX_DATA).
    var maxData: UInt64 { window.limit }
    /// Current size of the window, bytes.
    var windowSize: UInt64 { window.size }
}
