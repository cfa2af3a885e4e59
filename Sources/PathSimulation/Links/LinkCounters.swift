/// What a link has done so far; sizes are IP bytes.
///
/// At all times `sent + duplicated = delivered + dropped + queued + in flight`, in packets and in
/// bytes. A packet that is lost behind the bottleneck counts as queued until it leaves there.
public struct LinkCounters: Sendable, Hashable {
    /// Packets, and their size together.
    public struct Volume: Sendable, Hashable {
        public var packets = 0
        public var bytes = 0

        public init(packets: Int = 0, bytes: Int = 0) {
            self.packets = packets
            self.bytes = bytes
        }

        mutating func add(_ size: Int) {
            packets &+= 1
            bytes &+= size
        }
        mutating func remove(_ size: Int) {
            packets &-= 1
            bytes &-= size
        }
        public static func + (left: Volume, right: Volume) -> Volume {
            Volume(packets: left.packets &+ right.packets, bytes: left.bytes &+ right.bytes)
        }
    }

    /// Handed to the link.
    public var sent = Volume()
    /// Copies that the link made.
    public var duplicated = Volume()
    public var delivered = Volume()
    /// Of the delivered ones, those with flipped bits.
    public var corrupted = Volume()
    /// Turned away by the full queue.
    public var droppedQueue = Volume()
    public var droppedLoss = Volume()
    public var droppedOutage = Volume()
    /// Larger than the MTU.
    public var droppedSize = Volume()
    /// Turned away because the link held `LinkBounds.heldPackets`.
    public var droppedOverflow = Volume()
    /// In the bottleneck, the one in service included.
    public var queued = Volume()
    /// Past the bottleneck and not yet delivered.
    public var inFlight = Volume()
    public var maximumQueueBytes = 0

    public init() {}

    /// Dropped for whatever reason.
    public var dropped: Volume {
        droppedQueue + droppedLoss + droppedOutage + droppedSize + droppedOverflow
    }
}
