/// One stream in the table: both halves, and the queues of the table that contain it.
///
/// The table is not copyable and accesses its slots only in its own methods, one at a time. Access
/// is exclusive already, so the run-time check (a quarter of the cost of a packet) is disabled for
/// properties that each packet uses.
final class StreamSlot {
    /// Pending notices of a stream, for the peer or for the application.
    struct Notices: OptionSet {
        var rawValue: UInt8
        // For the peer.
        static let reset = Notices(rawValue: 1)
        static let stopSending = Notices(rawValue: 2)
        static let maxStreamData = Notices(rawValue: 4)
        static let blocked = Notices(rawValue: 8)
        // For the application.
        static let wasReset = Notices(rawValue: 1)
        static let wasStopped = Notices(rawValue: 2)
        static let readable = Notices(rawValue: 4)
        static let writable = Notices(rawValue: 8)
        static let delivered = Notices(rawValue: 16)
    }

    let id: StreamID
    /// The class of its data.
    @exclusivity(unchecked) var priority = StreamPriority.bulk
    /// Which halves exist on this side.
    let sends: Bool
    let receives: Bool
    @exclusivity(unchecked) var send: SendStream
    @exclusivity(unchecked) var receive: ReceiveStream

    @exclusivity(unchecked) var isQueuedForRetransmission = false
    @exclusivity(unchecked) var isQueuedForNew = false
    @exclusivity(unchecked) var isQueuedForControl = false
    @exclusivity(unchecked) var isQueuedForEvents = false
    @exclusivity(unchecked) var controls: Notices = []
    @exclusivity(unchecked) var events: Notices = []
    /// Whether the table's list of streams with memory has it, and the bytes of both directions when
    /// the table last looked.
    @exclusivity(unchecked) var isHolding = false
    var movedBytes: UInt64 = 0
    /// Bytes of the sending half that the table has counted.
    @exclusivity(unchecked) var heldBytes = 0
    /// Whether a write was cut short, so that the application waits for room.
    @exclusivity(unchecked) var wantsRoom = false
    /// The codes in STOP_SENDING of the peer and of the application.
    var stoppedCode: UInt64 = 0
    var stopCode: UInt64 = 0
    /// The limit in the last STREAM_DATA_BLOCKED frame.
    @exclusivity(unchecked) var blockedLimit: UInt64?
    /// Whether the application was told of the peer's reset.
    var isResetReported = false
    /// Whether the application has read everything and was told of the end.
    var isEndReported = false
    @exclusivity(unchecked) var isRemoved = false

    init(
        id: StreamID, sends: Bool, receives: Bool, configuration: StreamConfiguration,
        peerMaxStreamData: UInt64
    ) {
        self.id = id
        self.sends = sends
        self.receives = receives
        send = SendStream(
            capacity: configuration.sendCapacity, maxData: sends ? peerMaxStreamData : 0)
        receive = ReceiveStream(
            window: configuration.streamWindow, maximumWindow: configuration.maximumStreamWindow)
    }

    /// Whether nothing is left to send, and nothing to receive that the application wants.
    var isDone: Bool { (!sends || send.isDone) && (!receives || isReceiveDone) }

    private var isReceiveDone: Bool {
        if receive.resetCode != nil { return receive.isStopped || isResetReported }
        return receive.isFinished && (receive.isStopped || isEndReported)
    }
}
