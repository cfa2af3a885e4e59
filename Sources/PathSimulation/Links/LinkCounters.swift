/// Counters of a link; sizes are IP bytes.
///
/// At all times `sent + duplicated = delivered + dropped + queued + in flight`, in packets and in
/// bytes. A packet that is lost after the bottleneck counts as queued until it leaves that.
public struct LinkCounters: Sendable, Hashable {
    /// Packets, and their total size.
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
    var duplicated = Volume()
    public var delivered = Volume()
    /// Delivered packets with flipped bits.
    var corrupted = Volume()
    /// Dropped by the full queue.
    var droppedQueue = Volume()
    var droppedLoss = Volume()
    var droppedOutage = Volume()
    /// Larger than the MTU.
    var droppedSize = Volume()
    /// Dropped because the link held `LinkBounds.heldPackets`.
    var droppedOverflow = Volume()
    /// Dropped by the management of the queue.
    var droppedManaged = Volume()
    /// Dropped by the policer.
    var droppedPolicer = Volume()
    /// Marked instead of dropped.
    var marked = Volume()
    /// In the bottleneck, including the one in service.
    public var queued = Volume()
    /// Past the bottleneck and not yet delivered.
    public var inFlight = Volume()
    public var maximumQueueBytes = 0

    public init() {}

    /// A count in tables and JSON.
    public struct Shown: Sendable {
        /// The heading of its column; nil for a count that is only in JSON.
        public let title: String?
        /// The member of the object; nil for a count that is only in tables.
        public let key: String?
        /// Whether the column shows bytes instead of packets.
        public var isBytes = false
        public let volume: @Sendable (LinkCounters) -> Volume
    }

    /// The fates of packets, in the order of the columns.
    public static let shown = [
        Shown(title: "packets", key: "sent") { $0.sent },
        Shown(title: "delivered", key: "delivered") { $0.delivered },
        Shown(title: "bytes", key: nil, isBytes: true) { $0.delivered },
        Shown(title: "queue full", key: "dropped_queue") { $0.droppedQueue },
        Shown(title: "lost", key: "dropped_loss") { $0.droppedLoss },
        Shown(title: "outage", key: "dropped_outage") { $0.droppedOutage },
        Shown(title: "too big", key: "dropped_size") { $0.droppedSize },
        Shown(title: nil, key: "dropped_overflow") { $0.droppedOverflow },
        Shown(title: nil, key: "dropped_aqm") { $0.droppedManaged },
        Shown(title: nil, key: "dropped_policer") { $0.droppedPolicer },
        Shown(title: nil, key: "marked") { $0.marked },
        Shown(title: "corrupt", key: "corrupted") { $0.corrupted },
        Shown(title: "twice", key: "duplicated") { $0.duplicated },
    ]

    /// Dropped for any reason.
    public var dropped: Volume {
        droppedQueue + droppedLoss + droppedOutage + droppedSize + droppedOverflow
            + droppedManaged + droppedPolicer
    }
}
