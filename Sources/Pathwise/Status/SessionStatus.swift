internal import PathTelemetry
public import PathTrace
public import PathTransport

/// The status of a session at one moment, for users.
public struct SessionStatus: Sendable {
    public var paths: [PathStatusReport]
    /// Paths of this client that are wanted and do not exist now; a server knows of none.
    public var absentPaths: [AbsentPathReport] = []
    public var statistics: ConnectionStatistics
    public var policy: String
    public var modelHash: UInt64
    /// Seed of every draw of the session.
    public var seed: UInt64
    /// Time since the session began.
    public var elapsed: Duration
    /// The session ends when nothing has arrived for this long: the lower value of both sides.
    public var idleTimeout: Duration
    /// Time since the latest packet of the peer.
    public var silence: Duration
    public var reason: CloseReason?
    public var changes: [PathChangeReport] = []
    public var modelChanges: [ModelChangeReport] = []
    public var guardReport = GuardReport()
    /// How it explores; nil unless it is recorded.
    public var learning: LearningFigures?
    /// The policy in the shadow and the hash of its model; nil without one.
    public var shadow: (policy: String, modelHash: UInt64)?
    /// What other policies would have done; nil unless decisions are judged.
    public var judgement: JudgementReport?
    let isJudged: Bool

    init(of connection: borrowing Connection, now: Instant) {
        var paths: [PathStatusReport] = []
        for path in connection.pathIDs {
            if let report = PathStatusReport(of: path, connection, now: now) {
                paths.append(report)
            }
        }
        self.paths = paths
        statistics = connection.statistics
        policy = connection.policyName
        modelHash = connection.modelHash
        shadow = connection.shadow.map { ($0.policy.name, $0.modelHash) }
        isJudged = connection.isJudged
        seed = connection.configuration.seed
        elapsed = (now - connection.startedAt).duration
        idleTimeout = connection.idleTimeout.duration
        silence = (now - connection.lastReceivedAt).duration
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
