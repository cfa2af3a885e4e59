/// The data to send: one message, or stream packets up to one GSO batch.
public struct BurstContext: Sendable {
    /// Bytes of payload in the burst.
    public var bytes: Int
    /// Time from now within which delivery is useful.
    ///
    /// An unacknowledged burst counts as late at its end.
    public var deadline: TimeDelta
    public var trafficClass: TrafficClass
    /// The path of the previous decision of the same class, if it is still usable.
    public var currentPath: PathID?

    public init(
        bytes: Int, deadline: TimeDelta, trafficClass: TrafficClass, currentPath: PathID? = nil
    ) {
        self.bytes = bytes
        self.deadline = deadline
        self.trafficClass = trafficClass
        self.currentPath = currentPath
    }
}

/// The kind of data in a burst.
public enum TrafficClass: UInt8, Sendable, CaseIterable {
    /// Reliable stream data, which needs all available capacity.
    case stream
    /// A message with a deadline, which needs the earliest arrival.
    case message

    /// The word used in tables, JSON and traces.
    public var name: String { self == .stream ? "stream" : "message" }
}
