import PathEmulation
import PathLearning
public import PathReport
import PathSimulation
import PathTelemetry
import PathTransport
import PathWorlds
import Pathwise

/// A summary as one JSON object. Times are seconds, rates bytes per second.
extension DemoSummary {
    public var json: JSONValue {
        let fit = training.fit
        return [
            "seed": .string(String(scenario.seed)), "seconds": .number(scenario.seconds),
            "elapsed": .number(elapsed), "directory": .string(directory),
            "messages": [
                "count": .count(scenario.messageCount), "bytes": .count(scenario.messageBytes),
                "per_second": .count(scenario.messageRate),
                "deadline": .number(scenario.deadline.seconds),
            ],
            "file_bytes": .count(scenario.fileBytes),
            "links": .array(
                scenario.links.map { link in
                    [
                        "name": .string(link.specification.name ?? ""),
                        "link": .string(link.text), "summary": .string(link.summary),
                    ]
                }),
            "comparison": comparison.json,
            "run": json(of: run),
            "training": [
                "model": .string(training.path),
                "trained_on": .array(training.policies.map { .string($0) }),
                "decisions": .int(Int64(clamping: fit.rows)),
                "held_out_error": .number(fit.crossValidated),
                "heuristic_error": .number(fit.heuristic),
                "lambda": .number(fit.head.lambda),
            ],
            "evaluation": evaluation.json(),
        ]
    }

    private func json(of run: PolicyRun) -> JSONValue {
        [
            "policy": .string(run.policy),
            "file": [
                "seconds": .number(run.fileSeconds), "goodput": .number(run.goodput),
                "bytes": .count(run.fileBytes), "longest_gap": .number(run.fileGap),
                "sha256": .string(DemoSummary.hexadecimal(run.receivedDigest)),
            ],
            "stream": [
                "messages": .count(run.messages), "late": .count(run.late),
                "late_share": .number(run.lateShare),
                "p50": .number(run.delivery(percentile: 0.5)),
                "p95": .number(run.delivery(percentile: 0.95)),
                "p99": .number(run.delivery(percentile: 0.99)),
                "longest_gap": .number(run.longestGap),
            ],
            "bytes_sent": .int(Int64(clamping: run.wireBytes)),
            "extra_share": .number(run.extraShare),
            "failovers": .int(Int64(clamping: run.failovers)),
            "state_changes": .array(
                run.status.changes.map { change in
                    [
                        "path": .string(name(of: change.path, in: run)),
                        "from": .string(change.from.name), "to": .string(change.to.name),
                        "cause": .string(change.cause.name),
                        "after": .number(TimeDelta(change.after).seconds),
                    ]
                }),
            "decisions": .int(Int64(clamping: run.status.statistics.decisions)),
            "paths": .array(
                run.status.paths.enumerated().map { index, path in
                    let link = run.links.indices.contains(index) ? run.links[index] : nil
                    return [
                        "path": .string(path.name),
                        "bytes": .int(Int64(clamping: path.statistics.bytesSent)),
                        "packets": .int(Int64(clamping: path.statistics.packetsSent)),
                        "declared_lost": .int(Int64(clamping: path.statistics.packetsLost)),
                        "dropped_by_link": .optional(link?.forward.dropped.packets),
                        "decisions": .int(Int64(clamping: path.statistics.decisions)),
                        "rtt_ms": percentiles(path.rttPercentiles),
                        "one_way_ms": percentiles(path.oneWayPercentiles),
                    ]
                }),
            "trace": .string(run.trace),
            "records_dropped": .int(Int64(clamping: run.dropped)),
        ]
    }

    private func name(of path: PathID, in run: PolicyRun) -> String {
        run.status.paths.first { $0.path == path }?.name ?? "path \(path.rawValue)"
    }

    private func percentiles(_ delays: DelayPercentiles?) -> JSONValue {
        guard let delays else { return .null }
        return [
            "p50": .number(delays.p50), "p95": .number(delays.p95), "p99": .number(delays.p99),
        ]
    }

    static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
