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

/// Another model that the policy was offered, for reports.
public struct ModelChangeReport: Sendable {
    /// Hash of the model that the policy goes on with; nil when what was offered is not used.
    public var modelHash: UInt64?
    /// Why it is not used.
    public var refusal: String?
    /// Since the session began.
    public var after: TimeDelta
}

/// Everything a user may want to know of a session at one moment.
public struct SessionStatus: Sendable {
    public var paths: [PathStatusReport]
    public var statistics: ConnectionStatistics
    public var policy: String
    public var modelHash: UInt64
    /// Of every draw of the session.
    public var seed: UInt64
    /// Since the session began.
    public var elapsed: TimeDelta
    public var reason: CloseReason?
    public var changes: [PathChangeReport] = []
    public var modelChanges: [ModelChangeReport] = []

    init(of connection: borrowing Connection, now: Instant) {
        var paths: [PathStatusReport] = []
        for path in connection.pathIDs {
            guard let snapshot = connection.snapshot(of: path, now: now),
                let statistics = connection.statistics(of: path),
                let endpoint = connection.endpoint(of: path)
            else { continue }
            let delays = connection.delays(of: path)
            paths.append(
                PathStatusReport(
                    path: path, name: connection.name(of: path),
                    remote: endpoint.remote.description, snapshot: snapshot,
                    statistics: statistics, maximumDatagram: endpoint.maximumDatagram,
                    rttPercentiles: delays.flatMap { DelayPercentiles($0.rtt) },
                    oneWayPercentiles: delays.flatMap { DelayPercentiles($0.oneWay) }))
        }
        self.paths = paths
        statistics = connection.statistics
        policy = connection.policyName
        modelHash = connection.modelHash
        seed = connection.configuration.seed
        elapsed = now - connection.startedAt
        reason = connection.reason
    }

    /// A path's share of all decisions, 0...1.
    public func decisionShare(of report: PathStatusReport) -> Double {
        SessionStatus.share(report.statistics.decisions, of: statistics.decisions)
    }

    /// A path's share of the bytes that this side sent, 0...1.
    public func sentShare(of report: PathStatusReport) -> Double {
        SessionStatus.share(
            report.statistics.bytesSent, of: paths.reduce(0) { $0 &+ $1.statistics.bytesSent })
    }

    /// A path's share of the bytes that this side received, 0...1.
    public func receivedShare(of report: PathStatusReport) -> Double {
        SessionStatus.share(
            report.statistics.bytesReceived,
            of: paths.reduce(0) { $0 &+ $1.statistics.bytesReceived })
    }

    private static func share(_ part: UInt64, of all: UInt64) -> Double {
        all == 0 ? 0 : Double(part) / Double(all)
    }
}

/// Keeps the first changes of paths and models, from the driver's thread to whoever asks.
final class EventJournal: Sendable {
    private static let limit = 1000
    private struct State {
        var start: Instant?
        var changes: [PathChangeReport] = []
        var modelChanges: [ModelChangeReport] = []
    }
    private let state = Guarded(State())

    func note(_ event: ConnectionEvent) {
        switch event {
        case .pathChanged(let path, let from, let to, let cause, let time):
            state.withLock { state in
                let start = state.start ?? time
                state.start = start
                guard state.changes.count < EventJournal.limit else { return }
                state.changes.append(
                    PathChangeReport(
                        path: path, from: from, to: to, cause: cause, after: time - start))
            }
        case .modelReplaced(let hash, let time): note(hash, nil, time)
        case .modelRefused(let reason, let time): note(nil, reason, time)
        default: break
        }
    }

    private func note(_ hash: UInt64?, _ refusal: String?, _ time: Instant) {
        state.withLock { state in
            guard state.modelChanges.count < EventJournal.limit else { return }
            state.modelChanges.append(
                ModelChangeReport(
                    modelHash: hash, refusal: refusal, after: time - (state.start ?? time)))
        }
    }

    var changes: [PathChangeReport] { state.withLock { $0.changes } }
    var modelChanges: [ModelChangeReport] { state.withLock { $0.modelChanges } }
}
