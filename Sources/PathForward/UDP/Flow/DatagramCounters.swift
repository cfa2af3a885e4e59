import PathTelemetry

/// What became of the datagrams of a flow, or of several.
package struct DatagramCounters: Hashable, Sendable {
    /// Datagrams of local programs that the session took.
    package var datagramsSent: UInt64 = 0
    /// Their bytes of UDP payload; in flows to any target with the address at the front.
    package var bytesSent: UInt64 = 0
    /// Datagrams of the peer that were handed to a local program.
    package var datagramsReceived: UInt64 = 0
    /// Their bytes, as above.
    package var bytesReceived: UInt64 = 0
    /// Datagrams that a full queue, a limit, a refusal or a local fault stopped.
    package var dropped: UInt64 = 0
    /// Datagrams of this side whose deadline passed before the peer had acknowledged all of them.
    package var expired: UInt64 = 0
    /// Datagrams of the peer that came after their successors in an ordered flow.
    package var late: UInt64 = 0
    /// Reports of the local network that a target or a source does not take datagrams.
    package var refused: UInt64 = 0

    package init() {}

    static func += (sum: inout DatagramCounters, other: DatagramCounters) {
        sum.datagramsSent += other.datagramsSent
        sum.bytesSent += other.bytesSent
        sum.datagramsReceived += other.datagramsReceived
        sum.bytesReceived += other.bytesReceived
        sum.dropped += other.dropped
        sum.expired += other.expired
        sum.late += other.late
        sum.refused += other.refused
    }
}

/// Bounds on flows of datagrams.
struct DatagramLimits: Hashable, Sendable {
    /// A flow without datagrams in both directions for this long ends.
    var idle: TimeDelta
    /// Most flows of one listener; a new one takes the place of the one that is idle the longest.
    var flowsOfListener: Int
    /// Most flows that the peer of one session may open.
    var flowsOfSession: Int

    init(
        idle: TimeDelta = .seconds(60), flowsOfListener: Int = 1024, flowsOfSession: Int = 4096
    ) {
        self.idle = max(.milliseconds(1), idle)
        self.flowsOfListener = max(1, flowsOfListener)
        self.flowsOfSession = max(1, flowsOfSession)
    }
}
