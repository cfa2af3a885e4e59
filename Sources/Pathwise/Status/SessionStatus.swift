internal import Histogram
public import PathTelemetry
public import PathTransport

/// What one path does, for tables and JSON.
public struct PathStatusReport: Sendable {
    public var path: PathID
    public var name: String
    public var remote: String
    public var snapshot: PathSnapshot
    public var statistics: PathStatistics
    /// Largest UDP payload in use.
    public var maximumDatagram: Int
    /// RTT and one-way delay, milliseconds: 50th, 95th and 99th percentile.
    public var rttPercentiles: DelayPercentiles?
    public var oneWayPercentiles: DelayPercentiles?
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
    /// Since the session began.
    public var after: TimeDelta
}

/// Everything a user may want to know of a session at one moment.
public struct SessionStatus: Sendable {
    public var paths: [PathStatusReport]
    public var statistics: ConnectionStatistics
    public var policy: String
    public var modelHash: UInt64
    /// Since the session began.
    public var elapsed: TimeDelta
    public var reason: CloseReason?
    public var changes: [PathChangeReport] = []

    init(of connection: borrowing Connection, names: [PathID: String], now: Instant) {
        var paths: [PathStatusReport] = []
        for path in connection.pathIDs {
            guard let snapshot = connection.snapshot(of: path, now: now),
                let statistics = connection.statistics(of: path),
                let endpoint = connection.endpoint(of: path)
            else { continue }
            let delays = connection.delays(of: path)
            paths.append(
                PathStatusReport(
                    path: path, name: names[path] ?? "path \(path.rawValue)",
                    remote: endpoint.remote.description, snapshot: snapshot,
                    statistics: statistics, maximumDatagram: endpoint.maximumDatagram,
                    rttPercentiles: delays.flatMap { DelayPercentiles($0.rtt) },
                    oneWayPercentiles: delays.flatMap { DelayPercentiles($0.oneWay) }))
        }
        self.paths = paths
        statistics = connection.statistics
        policy = connection.policyName
        modelHash = connection.modelHash
        elapsed = now - connection.startedAt
        reason = connection.reason
    }

    /// A path's share of all decisions, 0...1.
    public func decisionShare(of report: PathStatusReport) -> Double {
        statistics.decisions == 0
            ? 0 : Double(report.statistics.decisions) / Double(statistics.decisions)
    }
}

/// Keeps the latest changes of paths, from the driver's thread to whoever asks.
final class EventJournal: Sendable {
    private static let limit = 1000
    private struct State {
        var start: Instant?
        var changes: [PathChangeReport] = []
    }
    private let state = Guarded(State())

    func note(_ event: ConnectionEvent) {
        guard case .pathChanged(let path, let from, let to, let cause, let time) = event else {
            return
        }
        state.withLock { state in
            let start = state.start ?? time
            state.start = start
            guard state.changes.count < EventJournal.limit else { return }
            state.changes.append(
                PathChangeReport(path: path, from: from, to: to, cause: cause, after: time - start))
        }
    }

    var changes: [PathChangeReport] { state.withLock { $0.changes } }
}
