public import PathTelemetry

/// Everything that describes one direction of one path; the exogenous side of a simulation.
///
/// Sizes are IP bytes, rates 10^6 bit/s of IP bytes, times count from the link's origin. The
/// defaults are a link without limits: no rate, no delay, no loss.
public struct LinkParameters: Sendable, Hashable {
    /// Drop-tail limit of the packets that wait; the one in service does not count.
    public enum QueueLimit: Sendable, Hashable {
        case bytes(Int)
        case packets(Int)
    }

    /// What is added to the delay of each packet, milliseconds.
    public enum Jitter: Sendable, Hashable {
        case none
        /// Uniform in `[0, width)`.
        case uniform(width: Double)
        /// Normal with mean zero, cut at four deviations and at a total delay of zero.
        case normal(deviation: Double)
    }

    /// Two-state Markov loss, one step a packet (Gilbert 1960, Elliott 1963).
    public struct GilbertElliott: Sendable, Hashable {
        /// Probability of good to bad, and of bad to good, before each packet.
        var toBad: Double
        var toGood: Double
        /// Probability of loss in each state.
        var lossGood: Double
        var lossBad: Double

        public init(toBad: Double, toGood: Double, lossGood: Double = 0, lossBad: Double = 1) {
            self.toBad = toBad
            self.toGood = toGood
            self.lossGood = lossGood
            self.lossBad = lossBad
        }

        /// Long-run share of packets lost.
        var meanLoss: Double {
            let sum = toBad + toGood
            return sum > 0 ? (toGood * lossGood + toBad * lossBad) / sum : lossGood
        }
        /// Mean packets in one visit to the bad state.
        var meanBurst: Double { toGood > 0 ? 1 / toGood : .infinity }
    }

    /// A span in which nothing enters or leaves the bottleneck.
    public struct Outage: Sendable, Hashable {
        public var start: TimeDelta
        /// The first moment that works again.
        public var end: TimeDelta
        /// Repeats every so often when above zero.
        public var period: TimeDelta

        public init(start: TimeDelta, end: TimeDelta, period: TimeDelta = .zero) {
            self.start = start
            self.end = end
            self.period = period
        }
    }

    /// A new rate from a time on; a packet in service keeps its old one.
    public struct RateStep: Sendable, Hashable {
        public var at: TimeDelta
        var megabits: Double

        public init(at: TimeDelta, megabits: Double) {
            self.at = at
            self.megabits = megabits
        }
    }

    /// Rate of the bottleneck, Mbit/s; zero is unlimited, and a trace takes its place.
    var rateMegabits = 0.0
    /// In rising order of time.
    var rateSteps: [RateStep] = []
    public var trace: CapacityTrace?
    var queue = QueueLimit.bytes(150_000)
    /// One-way propagation delay, milliseconds.
    var delayMilliseconds = 0.0
    public var jitter = Jitter.none
    /// True when jitter may let a packet overtake; otherwise it waits for those before it.
    var reorders = false
    /// Independent loss of each packet, after the bottleneck.
    public var loss = 0.0
    var burstLoss: GilbertElliott?
    var outages: [Outage] = []
    /// Probability that a packet arrives twice; the copy has its own jitter and costs no rate.
    var duplication = 0.0
    /// Probability that one to three bits of a packet arrive flipped.
    var corruption = 0.0
    /// The discipline of one Linux `netem` queue in place of bottleneck, loss, delay.
    var isNetem = false
    /// Larger IP packets are discarded.
    var maximumPacket = 1500

    public init() {}
}

/// The two directions of a path.
public enum LinkDirection: UInt8, Sendable, Hashable, CaseIterable {
    /// From the client to the server.
    case forward = 0
    /// From the server to the client.
    case backward = 1

    public var reversed: LinkDirection { self == .forward ? .backward : .forward }
}

/// Bounds of what options may ask for.
enum LinkBounds {
    /// Mbit/s, when not unlimited.
    static let rate = 0.001...1_000_000
    /// Delay and jitter, milliseconds.
    static let delay = 0.0...600_000
    /// Outages and rate changes, seconds after the origin.
    static let time = 0.0...10_000_000
    static let queueBytes = 0...1_073_741_824
    static let queuePackets = 0...1_000_000
    static let packet = 68...65_535
    /// Outages, and rate changes, of one direction.
    static let steps = 64
    /// Packets that one link holds at most, queued and in flight.
    static let heldPackets = 1_048_576
    static let traceBytes = 67_108_864
    static let traceOpportunities = 8_388_608
    static let optionText = 65_536
    static let scenarioBytes = 1_048_576
}
