public import PathEvaluation
internal import PathLearning
internal import PathNetwork
internal import PathTelemetry

/// What is known of the policies that do not decide in a session.
public struct JudgementReport: Sendable {
    /// Since when decisions are judged; a change of the policy, or of the one in the shadow, begins anew.
    public let age: Duration
    public let report: LiveReport
    /// Decisions that were left out, because nothing had time to add them.
    public let dropped: UInt64
}

/// Collects the judged decisions of a session: the driver's thread hands them over, and other threads
/// add them up.
final class LiveJudgement: Sendable {
    private struct Waiting {
        var rows: [JudgedDecision] = []
        /// Memory for the next rows.
        var spare: [JudgedDecision] = []
        var isBeingAdded = false
        var dropped: UInt64 = 0
    }

    /// Rows from which on they are added up, and the most that wait.
    private static let enough = 512
    private static let most = 16_384

    /// The number of the rows.
    let judge: UInt32
    private let began = MonotonicClock.now()
    private let waiting = Guarded(Waiting())
    private let evaluation = Guarded(LiveEvaluation())
    /// The latest estimates, and when they were made.
    private let latest = Guarded<(report: LiveReport, made: Instant)?>(nil)

    init(_ judge: UInt32) { self.judge = judge }

    /// Takes a row, quickly: it waits for nobody who adds up.
    func add(_ row: JudgedDecision) {
        let isEnough = waiting.withLock { state in
            guard state.rows.count < LiveJudgement.most else {
                state.dropped &+= 1
                return false
            }
            state.rows.append(row)
            guard state.rows.count >= LiveJudgement.enough, !state.isBeingAdded else {
                return false
            }
            state.isBeingAdded = true
            return true
        }
        guard isEnough else { return }
        Task.detached(priority: .utility) { self.addUp() }
    }

    /// Adds up what waits, in its order.
    private func addUp() {
        evaluation.withLock { evaluation in
            var rows = waiting.withLock { state in
                let rows = state.rows
                state.rows = state.spare
                state.spare = []
                state.isBeingAdded = false
                return rows
            }
            for index in rows.indices { evaluation.add(rows[index]) }
            rows.removeAll(keepingCapacity: true)
            waiting.withLock { $0.spare = rows }
        }
    }

    /// The estimates now.
    ///
    /// They take milliseconds, so they are made anew only if a twentieth more decisions are known, or some
    /// more after ten seconds.
    func report() -> JudgementReport {
        addUp()
        let now = MonotonicClock.now()
        let evaluation = evaluation.withLock { $0 }
        let known = latest.withLock { $0 }
        var report = known?.report
        if let known {
            let more = evaluation.count - known.report.decisions
            let isDue =
                now - known.made >= .seconds(10) ? more > 0 : more > known.report.decisions / 20
            if isDue { report = nil }
        }
        let current = report ?? evaluation.report()
        if report == nil { latest.withLock { $0 = (current, now) } }
        return JudgementReport(
            age: (now - began).duration, report: current,
            dropped: waiting.withLock { $0.dropped })
    }
}
