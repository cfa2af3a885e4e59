import PathTelemetry

/// The first train of packets of a path, sent without an acknowledgement between them: how far apart
/// they were sent and received.
///
/// The receiver's stamps show the rate of the bottleneck after one round trip, long before the window
/// is as large as the pipe. A burst that a link releases together looks too fast, so the rate is
/// never above that of sending. What a request sent before is too short to show anything, and the
/// next packets are tried. Source: Jain and Dovrolis 2004, section 2 (packet trains).
struct PacketTrain: Sendable {
    /// Packets below which it measures nothing.
    private static let leastPackets = 16
    /// Times as long on the way out of a link as into it, above which the link is full.
    static let fullRatio = 1.25

    /// Bytes that were delivered on the path before each packet of the train was sent.
    private var delivered = 0
    private var packets = 0
    private var bytes = 0
    private var sent: (first: Instant, last: Instant) = (.distantFuture, .zero)
    private var received: (first: Instant, last: Instant) = (.distantFuture, .zero)

    /// Whether a packet belongs to the train.
    ///
    /// - Parameter before: bytes that were delivered on the path before it was sent.
    func contains(_ before: Int) -> Bool { before == delivered }

    /// Takes a packet that arrived, if it belongs to the train; one that was sent after it replaces a
    /// train that is too short.
    ///
    /// - Parameter before: bytes that were delivered on the path before it was sent.
    mutating func handle(before: Int, sentTime: Instant, receivedTime: Instant, bytes: Int) {
        if before > delivered, packets < PacketTrain.leastPackets {
            self = PacketTrain()
            delivered = before
        }
        guard contains(before) else { return }
        // The first one only begins the interval.
        if packets > 0 { self.bytes &+= bytes }
        packets &+= 1
        sent = (min(sent.first, sentTime), max(sent.last, sentTime))
        received = (min(received.first, receivedTime), max(received.last, receivedTime))
    }

    /// Bytes per second; zero while there are too few packets.
    var rate: Double {
        let interval = max(sent.last - sent.first, received.last - received.first)
        guard packets >= PacketTrain.leastPackets, interval > .zero else { return 0 }
        return Double(bytes) / interval.seconds
    }

    /// Whether the link let the packets out more slowly than they came in.
    var isSpread: Bool {
        packets >= PacketTrain.leastPackets
            && (received.last - received.first).seconds
                > (sent.last - sent.first).seconds * PacketTrain.fullRatio
    }
}
