/// What is to be sent: one message, or a run of stream packets up to one GSO batch.
public struct BurstContext: Sendable {
    /// Bytes of payload that the decision is about.
    public var bytes: Int
    /// Time from now within which delivery is useful.
    ///
    /// An unanswered burst is late at its end.
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

/// What kind of data a burst carries.
public enum TrafficClass: UInt8, Sendable, CaseIterable {
    /// Reliable stream data: wants all the capacity there is.
    case stream
    /// A message with a deadline: wants the earliest arrival.
    case message

    /// The word used in tables, JSON and traces.
    public var name: String { self == .stream ? "stream" : "message" }
}
