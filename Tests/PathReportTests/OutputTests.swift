import Foundation
@testable import PathEvaluation
import PathLearning
import PathTelemetry
import PathTrace
import Testing

@testable import PathReport

@Suite struct OutputTests {
    private var report: EvaluationReport {
        var report = EvaluationReport(target: .cost)
        report.decisions = 1200
        report.forced = 150
        report.withoutOutcome = 50
        report.model = RewardModelFit(rows: 1000, squaredError: 25, scatter: 100)
        let weights = (0..<1000).map { $0 % 2 == 0 ? 0.5 : 1.5 }
        let rewards = (0..<1000).map { -1 - Double($0 % 4) * 0.25 }
        let rows = OffPolicySums(
            weights: weights, rewards: rewards, modelled: rewards, direct: rewards)
        report.policies = [
            PolicyEvaluation(
                label: "steady", rows: rows, unsupportedShare: 0.25, agreement: 0.5,
                verdict: Verdict(rows, unsupportedShare: 0.25))
        ]
        return report
    }

    @Test func tableAndRemarks() {
        #expect(
            report.table(confidence: 0.95).text() == """
                policy      estimator    value  std. error        95 % interval  verdict
                ----------  ---------  -------  ----------  -------------------  ------------
                (recorded)  mean       -1.3750      0.0088  -1.3923 ... -1.3577
                steady      ips        -1.4375      0.0272  -1.4908 ... -1.3842  do not trust
                            snips      -1.4375      0.0093  -1.4558 ... -1.4192
                            dm         -1.3750      0.0088  -1.3923 ... -1.3577
                            dr         -1.3750      0.0088  -1.3923 ... -1.3577
                            sndr       -1.3750      0.0088  -1.3923 ... -1.3577

                """)
        #expect(
            report.remarks == [
                "1 000 of 1 200 decisions evaluated (150 forced, 50 without an outcome, 0 refused).",
                "The reward model explains 75.0 % of the variance of decisions it was not fitted "
                    + "on.",
                "steady: 25 % of what the policy does was never possible in the log.",
            ])
    }

    @Test func jsonHasEstimatesAndDiagnostics() throws {
        let data = Data(report.json(confidence: 0.95).text(pretty: true).utf8)
        let object = try #require(
            try JSONSerialization.jsonObject(with: data) as? [String: Any])
        #expect(object["evaluated"] as? Int == 1000)
        let policy = try #require((object["policies"] as? [[String: Any]])?.first)
        #expect(policy["verdict"] as? String == "do not trust")
        let estimates = try #require(policy["estimates"] as? [[String: Any]])
        #expect(
            estimates.compactMap { $0["estimator"] as? String } == ["ips", "snips", "dm", "dr", "sndr"])
        #expect(estimates.allSatisfy { ($0["interval"] as? [Double])?.count == 2 })
        let diagnostics = try #require(policy["diagnostics"] as? [String: Any])
        #expect(diagnostics["effective_sample_size"] as? Double == 800)
        #expect(diagnostics["largest_weight"] as? Double == 1.5)
    }

    @Test func figuresOfATrace() throws {
        let path = FileManager.default.temporaryDirectory
            .appending(path: "pathwise-report-\(UUID().uuidString).trace").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let writer = try TraceWriter(path: path, schema: .current, programVersion: "1")
        let ring = writer.makeRing(whenFull: .wait)
        let session = writer.beginSession(
            SessionInfo(startedWallClock: 0, started: .zero, role: "send", policy: "steady"))
        for index in 0..<2 {
            ring.record(
                added: PathInfo(
                    path: PathID(index), name: ["dsl", "lte"][index], local: "", remote: "",
                    traits: PathTraits(), added: .zero), session: session)
        }
        for number in 0..<200 {
            let time = Instant.zero + .milliseconds(Int64(number) * 100)
            var candidates = CandidateSet()
            var distribution = ActionDistribution()
            for index in 0..<2 {
                candidates.append(Candidate(path: PathID(index)))
                distribution.append(PathSet(PathID(index)), 0.5)
            }
            ring.record(
                DecisionRecord(
                    number: UInt64(number), time: time,
                    burst: BurstContext(
                        bytes: 1000, deadline: .milliseconds(150), trafficClass: .message),
                    candidates: candidates,
                    decision: Decision(
                        distribution: distribution, chosen: number < 100 ? 0 : 1), draw: 0),
                session: session)
            ring.record(
                Outcome(
                    decision: UInt64(number), delivery: number == 7 ? nil : 0.02,
                    isLate: number == 7, deadline: 0.15, packets: 1, lostPackets: 0,
                    closedAt: time + .milliseconds(20)), session: session)
            var snapshot = PathSnapshot(
                path: PathID(number % 2), state: .active, traits: PathTraits())
            snapshot.smoothedRTT = .milliseconds(30 + Int64(number % 5))
            ring.record(PathSample(time: time, snapshot: snapshot), session: session)
        }
        writer.endSession(session, at: Instant.zero + .milliseconds(20_000))
        try writer.close()

        let reader = try TraceReader(path: path)
        let info = try reader.info()
        var figures = TraceFigures()
        try figures.add(reader, session: info.sessions[0], label: "steady")
        #expect(figures.deliveries.map(\.name) == ["steady"])
        #expect(figures.deliveries[0].values.count == 200)
        #expect(figures.deliveries[0].values.filter { $0 == .infinity }.count == 1)
        let palette = Palette(["dsl", "lte", "steady"])
        let plots =
            [
                figures.deliveryPlot(palette: palette),
                try TraceFigures.rttPlot(reader, session: info.sessions[0], palette: palette),
            ] + figures.sharePlots(palette: palette).map(\.svg)
        #expect(plots.count == 3)
        for plot in plots { #expect(XMLCheck.isWellFormed(plot)) }
        // The first half of the time is all dsl, the second all lte.
        #expect(plots[2].contains(">dsl</text>") && plots[2].contains(">lte</text>"))
    }
}
