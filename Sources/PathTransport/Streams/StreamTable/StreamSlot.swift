/// One stream in the table: both halves, and in which of the table's queues it stands.
///
/// The table is not copyable and reaches its slots in its own methods alone, one at a time, so
/// access is exclusive already, and checking it again at run time (a quarter of the cost of a
/// packet) is switched off where each packet passes.
final class StreamSlot {
    /// What a stream has to tell, to the peer or to the application.
    struct Notices: OptionSet {
        var rawValue: UInt8
        // To the peer.
        static let reset = Notices(rawValue: 1)
        static let stopSending = Notices(rawValue: 2)
        static let maxStreamData = Notices(rawValue: 4)
        static let blocked = Notices(rawValue: 8)
        // To the application.
        static let wasReset = Notices(rawValue: 1)
        static let wasStopped = Notices(rawValue: 2)
        static let readable = Notices(rawValue: 4)
        static let writable = Notices(rawValue: 8)
        static let delivered = Notices(rawValue: 16)
    }

    let id: StreamID
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
    /// A write was cut short, so the application wants to know when there is room.
    @exclusivity(unchecked) var wantsRoom = false
    /// The peer's code in STOP_SENDING, and the application's.
    var stoppedCode: UInt64 = 0
    var stopCode: UInt64 = 0
    /// The limit that the last STREAM_DATA_BLOCKED named.
    @exclusivity(unchecked) var blockedLimit: UInt64?
    /// The application has heard of the peer's reset.
    var isResetReported = false
    /// The application has read all and heard that this was the end.
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

    /// Nothing is left to send, and nothing to receive that anyone wants.
    var isDone: Bool { (!sends || send.isDone) && (!receives || isReceiveDone) }

    private var isReceiveDone: Bool {
        if receive.resetCode != nil { return receive.isStopped || isResetReported }
        return receive.isFinished && (receive.isStopped || isEndReported)
    }
}
