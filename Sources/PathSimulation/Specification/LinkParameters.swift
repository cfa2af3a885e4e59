import PathTelemetry

/// Everything that describes one direction of one path: the exogenous part of a simulation.
///
/// Sizes are IP bytes, rates 10^6 bit/s of IP bytes, times count from the link's origin. The
/// defaults are a link without limits and faults: no rate, no delay, no loss.
public struct LinkParameters: Sendable, Hashable {
    /// Drop-tail limit of waiting packets; the one in service does not count.
    enum QueueLimit: Sendable, Hashable {
        case bytes(Int)
        case packets(Int)
    }

    /// A new rate from a time on; a packet in service keeps the old one.
    struct RateStep: Sendable, Hashable {
        var at: TimeDelta
        var megabits: Double

        init(at: TimeDelta, megabits: Double) {
            self.at = at
            self.megabits = megabits
        }
    }

    /// New delay and faults from a time on, for packets that meet them after it.
    struct Phase: Sendable, Hashable {
        var at: TimeDelta
        var delayMilliseconds: Double
        var faults: LinkFaults
    }

    /// What becomes of packets before they are served: their size, the policer, and the queue.
    struct Intake: Sendable, Hashable {
        var queue = QueueLimit.bytes(150_000)
        /// How the waiting packets are managed.
        var discipline = QueueDiscipline.dropTail
        /// What is dropped before the queue.
        var policer: Policer.Settings?
        /// Larger IP packets are discarded.
        var maximumPacket = 1500
    }

    /// A new intake from a time on, for packets that are offered after it.
    struct IntakeStep: Sendable, Hashable {
        var at: TimeDelta
        var intake: Intake
    }

    /// Rate of the bottleneck, Mbit/s; zero is unlimited, and a trace replaces it.
    var rateMegabits = 0.0
    /// In ascending order of time.
    var rateSteps: [RateStep] = []
    public var trace: CapacityTrace?
    /// Replaces the rate.
    var rateSeries: RateSeries?
    var intake = Intake()
    /// In ascending order of time.
    var intakeSteps: [IntakeStep] = []
    /// One-way propagation delay, milliseconds.
    var delayMilliseconds = 0.0
    /// The impairments; each has its own property in the file that defines it.
    var faults = LinkFaults()
    /// In ascending order of time.
    var phases: [Phase] = []
    /// Whether one Linux `netem` queue replaces bottleneck, loss and delay.
    var isNetem = false
    /// Whether the fate of a packet depends on the link and the time at which it leaves the queue
    /// alone, not on how many packets came before: every policy then meets the same world.
    var drawsByTime = false

    public init() {}

    /// Whether it has a rate, a series of rates, or a trace.
    package var isLimited: Bool { rateMegabits > 0 || trace != nil || rateSeries != nil }

    /// The largest IP packet that is not discarded at some time.
    var largestPacket: Int {
        intakeSteps.reduce(intake.maximumPacket) { max($0, $1.intake.maximumPacket) }
    }

    /// Whether the queue is managed at some time, so that packets are accepted before their fate is known.
    var settlesLater: Bool {
        intake.discipline != .dropTail || intakeSteps.contains { $0.intake.discipline != .dropTail }
    }
}

/// The two directions of a path.
public enum LinkDirection: UInt8, Sendable, Hashable, CaseIterable {
    /// From the client to the server.
    case forward = 0
    /// From the server to the client.
    case backward = 1

    public var reversed: LinkDirection { self == .forward ? .backward : .forward }
}

/// Bounds of the options' values.
enum LinkBounds {
    /// Mbit/s, if not unlimited.
    static let rate = 0.001...1_000_000
    /// Delay and jitter, milliseconds.
    static let delay = 0.0...600_000
    /// Outages and rate changes, seconds after the origin.
    static let time = 0.0...10_000_000
    static let queueBytes = 0...1_073_741_824
    static let queuePackets = 0...1_000_000
    static let packet = 68...65_535
    /// Outages, and rate changes, of one direction, in a text of options.
    static let steps = 4096
    /// Packets that one link holds at most, queued and in flight.
    static let heldPackets = 1_048_576
    static let traceBytes = 67_108_864
    static let traceOpportunities = 8_388_608
    static let optionText = 65_536
    static let scenarioBytes = 1_048_576
}
