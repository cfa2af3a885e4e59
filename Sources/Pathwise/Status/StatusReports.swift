internal import Histogram
internal import PathLearning
public import PathTelemetry
public import PathTransport

/// The status of one path, for tables and JSON.
public struct PathStatusReport: Sendable {
    public var path: PathID
    public var name: String
    /// The address of this side with its port; nil if it is not known.
    public var local: String?
    public var remote: String
    public var snapshot: PathSnapshot
    public var statistics: PathStatistics
    /// Largest UDP payload in use.
    public var maximumDatagram: Int
    /// RTT and one-way delay, milliseconds: 50th, 95th and 99th percentile.
    public var rttPercentiles: DelayPercentiles?
    public var oneWayPercentiles: DelayPercentiles?

    /// Nil if there is no such path.
    init?(of path: PathID, _ connection: borrowing Connection, now: Instant) {
        guard let snapshot = connection.snapshot(of: path, now: now),
            let statistics = connection.statistics(of: path),
            let endpoint = connection.endpoint(of: path)
        else { return nil }
        self.path = path
        name = connection.name(of: path)
        remote = endpoint.remote.description
        self.snapshot = snapshot
        self.statistics = statistics
        maximumDatagram = endpoint.maximumDatagram
        let delays = connection.delays(of: path)
        rttPercentiles = delays.flatMap { DelayPercentiles($0.rtt) }
        oneWayPercentiles = delays.flatMap { DelayPercentiles($0.oneWay) }
    }
}

/// A path that a client wants and does not have now.
public struct AbsentPathReport: Sendable {
    public var name: String
    /// Why, for people: `wwan0 has no carrier`.
    public var reason: String
    /// Whether it was removed because its cap is used up.
    public var isCapped: Bool
    /// Its counters while it existed; nil if it never did.
    public var counters: PathCounters?
}

/// 50th, 95th and 99th percentile, milliseconds.
public struct DelayPercentiles: Sendable {
    public var p50: Double
    public var p95: Double
    public var p99: Double

    /// Nil without samples.
    init?(_ histogram: Histogram<UInt32>) {
        guard let p50 = PathDelays.milliseconds(histogram, 50),
            let p95 = PathDelays.milliseconds(histogram, 95),
            let p99 = PathDelays.milliseconds(histogram, 99)
        else { return nil }
        self.p50 = p50
        self.p95 = p95
        self.p99 = p99
    }
}

/// A change of a path's state, for reports.
public struct PathChangeReport: Sendable {
    public var path: PathID
    public var from: PathState
    public var to: PathState
    public var cause: PathChange
    /// Time since the session began.
    public var after: Duration
}

/// A new model that was offered to the policy, or another policy, for reports.
public struct ModelChangeReport: Sendable {
    /// Hash of the model that the policy continues with, zero without one; nil if the offered one is not
    /// used.
    public var modelHash: UInt64?
    /// The policy with which the session continues, if it is another one.
    public var policy: String?
    /// Why the offered model is not used.
    public var refusal: String?
    /// Time since the session began.
    public var after = Duration.zero
}

/// What the guard of the policy has done, for reports.
public struct GuardReport: Hashable, Sendable {
    /// Whether the steady rule decides now instead of the models.
    public var isDemoted = false
    /// How often it took the decisions from the models, and gave them back.
    public var demotions: UInt64 = 0
    public var restorations: UInt64 = 0
    /// How often the models dropped what they had learned.
    public var relearnings: UInt64 = 0

    mutating func note(_ event: GuardEvent) {
        switch event {
        case .demoted:
            isDemoted = true
            demotions += 1
        case .restored:
            isDemoted = false
            restorations += 1
        case .relearning: relearnings += 1
        }
    }
}
