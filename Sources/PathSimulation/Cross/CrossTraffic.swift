public import PathTelemetry

/// Traffic of others on one link: when it sends is given, how fast is up to the link.
public struct CrossTraffic: Sendable, Hashable {
    /// Who sends.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// A flow that always has data, as TCP with CUBIC (RFC 9438).
        case cubic
        /// The same with BBR, version 1.
        case bbr
        /// Datagrams at a fixed rate, whatever becomes of them.
        case udp
    }

    /// One word, for tables.
    public var name: String
    public var kind: Kind
    /// The link: those of the paths count from zero, bottlenecks after them.
    public var hop: Int
    public var direction: LinkDirection
    /// From the start of the run.
    public var start: TimeDelta
    /// Nil is never.
    public var stop: TimeDelta?
    /// The round trip of a flow that is acknowledged, besides the link's own delay; acknowledgements
    /// do not queue.
    public var roundTrip: TimeDelta
    /// IP bytes of a packet.
    public var packetBytes: Int
    /// Of `udp`, while it sends: bits of IP bytes per second.
    public var bitsPerSecond: Double
    /// Mean times, exponential, for which `udp` sends and is silent in turn; nil sends all the time.
    public var pattern: Pattern?

    /// Whether its packets may be marked instead of dropped (ECN); CUBIC takes a mark for a loss, BBR
    /// for nothing.
    public var isCapable = false

    /// Mean times of sending and of silence.
    public struct Pattern: Sendable, Hashable {
        public var on: TimeDelta
        public var off: TimeDelta

        public init(on: TimeDelta, off: TimeDelta) {
            self.on = on
            self.off = off
        }
    }

    public init(
        name: String, kind: Kind, hop: Int, direction: LinkDirection = .forward,
        start: TimeDelta = .zero, stop: TimeDelta? = nil,
        roundTrip: TimeDelta = .milliseconds(20), packetBytes: Int = 1500,
        bitsPerSecond: Double = 1e6, pattern: Pattern? = nil
    ) {
        self.name = name
        self.kind = kind
        self.hop = hop
        self.direction = direction
        self.start = start
        self.stop = stop
        self.roundTrip = roundTrip
        self.packetBytes = packetBytes
        self.bitsPerSecond = bitsPerSecond
        self.pattern = pattern
    }

    /// The most flows in a network.
    public static let limit = 64
}
