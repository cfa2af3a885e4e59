import PathReport
import PathTelemetry
import PathTransport
import Pathwise

extension SendJob {
    /// The result of a run, in text and in JSON.
    struct Outcome {
        let status: SessionStatus
        let results: SendResults
        /// Bytes of items that were passed to the connection, stored or not.
        let handedOver: UInt64
        /// The recording, if there is one.
        let trace: String?
        /// What ended the run early.
        let failure: CommandFailure?
        /// Whether the results contain every item.
        let namesAll: Bool

        private var seconds: Double { max(1e-9, TimeDelta(status.elapsed).seconds) }
        /// Sent bytes of stored items per second.
        private var goodput: Double { Double(results.bytes) / seconds }

        func printJSON() throws(CommandFailure) {
            try results.finish(
                failure, namesAll: namesAll,
                [
                    ("bytes_handed_over", .int(Int64(clamping: handedOver))),
                    ("goodput_bits_per_second", .number(goodput * 8)),
                    ("trace", trace.map { .string($0) } ?? .null),
                ] + SessionSummary.json(status))
        }

        func printText() throws(CommandFailure) {
            var lines = results.lines
            let stored = SessionSummary.bytes(results.bytes)
            let isComplete = failure == nil && !results.hasFailures
            lines.append(
                (isComplete
                    ? "sent \(stored)"
                    : "stored \(stored) of \(SessionSummary.bytes(handedOver)) passed on")
                    + " in \(NumberText.fixed(seconds, 2)) s: "
                    + "\(SessionSummary.rate(goodput)), policy \(status.policy), "
                    + NumberText.counted(Int(clamping: status.statistics.failovers), "failover"))
            lines.append(SessionSummary.table(status))
            lines += SessionSummary.copies(status).map { ["  " + $0] } ?? []
            lines += SessionSummary.changeLines(status)
            lines += SessionSummary.modelLines(status)
            if let judgement = JudgementOutput(status)?.text, !judgement.isEmpty {
                lines.append(String(judgement.dropLast()))
            }
            lines += results.notes
            if failure != nil, handedOver >= Blocks.length {
                lines.append(
                    "the receiver keeps what it has of large files; "
                        + "the same command again continues after it")
            }
            if let trace { lines.append("recorded to \(trace)") }
            try Console.standardOutput.write(lines.joined(separator: "\n") + "\n")
        }
    }
}
