import PathSimulation
import PathTelemetry
import PathTransport

/// Something that is sent through a world, in one direction.
public struct Workload: Sendable, Hashable {
    /// One word, for tables.
    public var name: String
    var direction: LinkDirection
    /// From the start of the run; the first half second is for handshake and validation of paths.
    var start = TimeDelta.milliseconds(500)
    /// Nil is the end of the run.
    var stop: TimeDelta?
    var kind: Kind
    /// The class of its streams or messages; nil is the transport's own choice for either.
    var priority: StreamPriority?

    /// The seed of the draws of a workload.
    ///
    /// - Parameters:
    ///   - index: its place in the world.
    ///   - seed: seed of the run.
    static func seed(of index: Int, in seed: UInt64) -> UInt64 {
        SplitMix64.mix(SplitMix64.mix(seed) &+ UInt64(index) &+ 0x776f_726b)
    }

    /// What is sent.
    enum Kind: Sendable, Hashable {
        case messages(MessageLoad)
        case bulk
        case transfers(TransferLoad)
    }

    /// The names of kinds in files.
    enum KindName: String, CaseIterable {
        case messages, video, interactive, bulk, transfers
    }
}

/// Messages with a deadline.
struct MessageLoad: Sendable, Hashable {
    /// How the times between messages are drawn.
    enum Arrivals: String, Sendable, Hashable, CaseIterable {
        /// All are the interval.
        case steady
        /// They are exponential with the interval as mean.
        case poisson
    }

    /// Bytes of a message, or the mean of frames.
    var size: Int
    var interval: TimeDelta
    /// Time from sending after which a message is useless.
    var deadline: TimeDelta
    var arrivals = Arrivals.steady
    /// Times of sending and of silence in turn; nil sends all the time.
    var pattern: OnOff?
    /// Nil for messages of one size.
    var frames: Frames?
    /// Whether lost parts are sent again.
    var isReliable = true
    /// The least share of its rate to which a sender goes down; nil for one that does not adapt.
    var leastShare: Double?

    struct OnOff: Sendable, Hashable {
        var on: TimeDelta
        var off: TimeDelta
    }

    /// The sizes of a video's frames: every `group` frames one is `factor` times as large as the
    /// others, and sizes vary log-normally.
    struct Frames: Sendable, Hashable {
        var group: Int
        var factor: Double
        /// Standard deviation of the logarithm of a size.
        var deviation: Double
    }
}

/// Transfers, each on a stream of its own, one after another.
struct TransferLoad: Sendable, Hashable {
    /// Bytes, taken in turn.
    var sizes: [Int]
    /// Mean time from the end of one to the start of the next, exponential; zero for none.
    var think: TimeDelta
}
