import PathTelemetry

/// The congestion control of one path: a value that takes events and returns limits.
///
/// It is deterministic and has no clock, no I/O and no allocation. Each path has its own value, and
/// all numbers concern that path.
///
/// Order of calls when a packet is sent:
///
///     if window allows (bytesInFlight + size <= congestionWindow) and pacer.budget(now:) > 0
///     let state = rate.handleSent(bytes:, bytesInFlight: before, now:)  // keep with the packet
///     controller.handleSent(now:, bytes:, packetNumber:, bytesInFlight: before)
///     pacer.handleSent(bytes:, now:)
///
/// and when one ACK frame for the path is processed:
///
///     rtt.update(...)                                     // if the frame gives a sample
///     rate.handleAcked(...)                               // per newly acknowledged packet
///     rate.handleLost(bytes:)                             // per packet now declared lost
///     let sample = rate.takeSample(now:, minimumRTT:)
///     controller.handleLoss(...)                          // once, if anything was lost
///     controller.handleAck(... sample ...)                // once, if anything was acknowledged
///     pacer.update(rate: controller.pacingRate, maximumPacketSize:, now:)
///
/// Losses that a timer finds go only to `rate.handleLost` and `handleLoss`. A packet that was called
/// lost and is acknowledged after all goes to `rate.handleSpuriousLoss` and `handleSpuriousLoss`
/// before the calls above. Probes of the path MTU
/// are never reported as lost (RFC 8899, section 3). When the sender runs out of data while the
/// window is open, it calls `rate.handleAppLimited(bytesInFlight:)`.
///
/// `handleOutage` is called once when the path is declared failed (or suspect, with its data moved
/// elsewhere), and `handleRestored` when it may carry data again. Losses of packets sent before the
/// outage are then no sign of congestion, whenever they are reported.
protocol CongestionController: ~Copyable, Sendable {
    // Handle: events in.

    /// A packet left; `bytesInFlight` is the value before it.
    mutating func handleSent(now: Instant, bytes: Int, packetNumber: UInt64, bytesInFlight: Int)
    /// An ACK frame acknowledged something for the first time.
    mutating func handleAck(_ event: AckEvent)
    /// Packets were declared lost.
    mutating func handleLoss(_ event: LossEvent)
    /// A packet that was declared lost arrived after all.
    mutating func handleSpuriousLoss(_ event: SpuriousLoss)
    /// The path was declared failed or suspect.
    mutating func handleOutage(now: Instant)
    /// The path is back.
    mutating func handleRestored(now: Instant)
    /// The largest packet size of the path changed.
    mutating func handleMaximumPacketSize(_ bytes: Int)
    /// Starts from what an earlier connection measured on the path; before the first packet.
    mutating func resume(from saved: SavedCapacity)

    // Read: limits and state.

    /// The most bytes that may be in flight, at least two packets.
    var congestionWindow: Int { get }
    /// Bytes per second; finite and above zero.
    var pacingRate: Double { get }
    /// Estimated bandwidth of the path, bytes per second; zero while unknown.
    var bandwidthEstimate: Double { get }
    /// Bytes per second that the path is known to deliver; zero while unknown.
    var provenRate: Double { get }
    /// What `resume` was given, until the path shows what it carries now.
    var earlierCapacity: SavedCapacity? { get }
    /// The phase of the algorithm, for traces.
    var phase: CongestionPhase { get }
    /// Whether the window still doubles each round trip, as the pipe is not full.
    var isDoubling: Bool { get }
    /// The algorithm's name, for traces.
    var name: String { get }
}

/// Settings that every algorithm shares.
struct CongestionConfiguration: Sendable {
    /// The largest UDP payload sent on the path, bytes.
    var maximumPacketSize: Int
    /// Initial window, in packets; RFC 9002, 7.2 recommends 10.
    var initialWindowPackets: Int
    /// Round-trip time assumed for pacing before the first sample.
    ///
    /// RFC 9002, 6.2.2 uses 333 ms for timers; pacing the first window over so long a time would
    /// waste it.
    var initialPacingRTT: TimeDelta

    init(
        maximumPacketSize: Int = 1200, initialWindowPackets: Int = 10,
        initialPacingRTT: TimeDelta = .milliseconds(20)
    ) {
        self.maximumPacketSize = max(maximumPacketSize, CongestionLimits.smallestPacket)
        self.initialWindowPackets = min(max(initialWindowPackets, 2), 256)
        self.initialPacingRTT = max(initialPacingRTT, .milliseconds(1))
    }

    /// Initial window, in bytes.
    var initialWindow: Int { maximumPacketSize * initialWindowPackets }
}

/// Bounds that keep every algorithm's output usable.
enum CongestionLimits {
    /// The smallest packet size that is supported, bytes.
    static let smallestPacket = 64
    /// The window is never below this many packets (RFC 9002, 7.2).
    static let minimumWindowPackets = 2
    /// The window is never above this, bytes: 1 s at 16 Gbit/s.
    static let maximumWindow = 1 << 31
    /// Pacing is never slower than this, bytes per second.
    static let minimumPacingRate = 1_000.0
    /// Pacing is never faster than this, bytes per second.
    static let maximumPacingRate = 1e11

    /// The pacing rate clamped to its bounds; NaN becomes the lower bound.
    static func pacingRate(_ rate: Double) -> Double {
        rate > minimumPacingRate ? Swift.min(rate, maximumPacingRate) : minimumPacingRate
    }

    /// The window clamped to its bounds; the computed size may be any number.
    static func window(_ bytes: Double, maximumPacketSize: Int) -> Int {
        let floor = minimumWindowPackets * maximumPacketSize
        guard bytes > Double(floor) else { return floor }
        return bytes < Double(maximumWindow) ? Int(bytes) : maximumWindow
    }
}
