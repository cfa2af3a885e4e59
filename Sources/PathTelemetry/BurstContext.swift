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
    /// All bytes that wait to be sent, the burst included; those that an open stream may still be
    /// given are an estimate.
    public var bytesLeft: Int

    /// - Parameter bytesLeft: nil means the burst alone.
    public init(
        bytes: Int, deadline: TimeDelta, trafficClass: TrafficClass, currentPath: PathID? = nil,
        bytesLeft: Int? = nil
    ) {
        self.bytes = bytes
        self.bytesLeft = bytesLeft ?? bytes
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
