import PathTelemetry

/// A figure of a workload or of a run, with its unit and its good direction.
enum Metric: String, Sendable, Hashable, CaseIterable {
    /// Share of messages that did not arrive within their deadline.
    case late
    /// Mean time of messages, seconds; a late one counts as twice its deadline.
    case mean
    /// Times of messages, seconds; one that has not arrived counts as twice its deadline.
    case p50
    case p95
    case p99
    /// Bits per second of payload that arrived.
    case goodput
    /// Longest time without an arrival of a stream, seconds.
    case gap
    /// Transfers that have ended.
    case completed
    /// Times of transfers, seconds.
    case completion
    case completionP95 = "completion_p95"

    /// Whether more is better.
    var isMoreBetter: Bool { self == .goodput || self == .completed }
}

/// What one workload experienced in one run.
struct WorkloadFigures: Sendable {
    /// In the order of tables; the first is the one that policies are compared by.
    var values: [(metric: Metric, value: Double)]
    /// The first figure in consecutive blocks of the run, where that makes sense.
    var blocks: [Double]
    /// Times of messages or transfers in seconds at evenly spaced ranks, for plots.
    var ranks: [Double] = []

    /// The figure; NaN if the workload has none of that kind, or nothing was sent.
    subscript(metric: Metric) -> Double {
        values.first { $0.metric == metric }?.value ?? .nan
    }
}

/// The result of one policy in one world with one seed.
public struct RunFigures: Sendable {
    /// Places in the campaign.
    var world: Int
    var contender: Int
    var seed: UInt64
    /// In the order of the world's workloads.
    var workloads: [WorkloadFigures]
    /// IP bytes that each link was offered, in both directions.
    var linkBytes: [Int]
    /// Payload bytes that arrived, in both directions.
    var payloadBytes: Int
    /// Payload bytes that were sent as copies on further paths, by both ends.
    var copiedBytes = 0
    var decisions = 0
    /// Decisions that had one path only.
    var forcedDecisions = 0
    /// How often the client came to suspect a path.
    var failovers = 0
    /// How often the guard demoted the learned policy.
    var demotions = 0
    /// Decisions before it first did so; nil if it never did.
    var firstDemotion: UInt64?
    /// Why the connection ended before the run did; nil if it did not.
    ///
    /// What was offered later is lost.
    var endedBy: String?
    /// Hash of all datagrams that were delivered, with their times.
    var fingerprint: UInt64 = 0

    /// IP bytes sent for each byte of payload that arrived.
    var overhead: Double {
        payloadBytes > 0 ? Double(linkBytes.reduce(0, +)) / Double(payloadBytes) : .nan
    }
}
