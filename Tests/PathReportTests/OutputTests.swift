import Foundation
import PathTrace
import Testing

@testable import PathEvaluation
@testable import PathLearning
@testable import PathReport
@testable import PathTelemetry

@Suite struct OutputTests {
    private var report: EvaluationReport {
        var options = AnalysisOptions()
        options.estimators = [.ips, .snips, Estimator(.dm), .dr]
        options.hasGate = true
        var report = EvaluationReport(source: .traces(.cost), options: options)
        report.decisions = 1200
        report.forced = 150
        report.withoutOutcome = 50
        report.model = RewardModelFit(rows: 1000, squaredError: 25, scatter: 100)
        var analysis = PolicyAnalysis(options: options, hasModel: true)
        for index in 0..<1000 {
            let reward = -1 - Double(index % 4) * 0.25
            analysis.add(
                OffPolicyRow(
                    weight: index % 2 == 0 ? 0.5 : 1.0, reward: reward, modelled: reward,
                    direct: reward),
                RowFacts(
                    row: index + 1, propensity: 0.5, agreement: 0.5, unsupported: 0.25,
                    outcome: -reward, action: index % 2, trafficClass: 0, paths: 1 << (index % 2)),
                actionName: { "path \(index % 2)" }, className: { "message" })
        }
        analysis.finish()
        report.policies = [
            PolicyEvaluation(
                label: "steady", analysis: analysis, diagnostics: analysis.diagnostics)
        ]
        return report
    }

    @Test func tableAndRemarks() {
        #expect(
            report.table().text() == """
                policy      estimator    value  std. error        95 % interval  verdict
                ----------  ---------  -------  ----------  -------------------  ------------
                (recorded)  mean       -1.3750      0.0088  -1.3923 ... -1.3577
                steady      ips        -1.0625      0.0152  -1.0923 ... -1.0327  do not trust
                            snips      -1.4167      0.0090  -1.4344 ... -1.3989
                            dm         -1.3750      0.0088  -1.3923 ... -1.3577
                            dr         -1.3750      0.0088  -1.3923 ... -1.3577

                """)
        #expect(report.gains().text().contains("hold (0.0000 ... 0.0000)"))
        #expect(
            report.remarks == [
                "1 000 of 1 200 decisions evaluated (150 forced, 50 without an outcome, 0 refused).",
                "The reward model explains 75.0 % of the variance of decisions it was not fitted "
                    + "on.",
                "The value is minus the logarithm of the delivery time in seconds, minus 1 for a "
                    + "late burst, minus 1000 times the price of its bytes.",
            ])
        #expect(report.verdicts.count == 1)
        #expect(
            report.verdicts[0].contains(
                "25 % of the policy's choices were never possible in the log"))
        #expect(report.outcomes(of: report.policies[0]).contains("p95 1.75"))
    }

    @Test func jsonHasVerdictDiagnosticsAndEstimates() throws {
        let data = Data(report.json().text(pretty: true).utf8)
        let object = try #require(
            try JSONSerialization.jsonObject(with: data) as? [String: Any])
        #expect(object["verdict"] as? String == "do not trust")
        #expect(object["evaluated"] as? Int == 1000)
        let estimates = try #require(object["estimates"] as? [[String: Any]])
        #expect(
            estimates.compactMap { $0["estimator"] as? String } == ["ips", "snips", "dm", "dr"])
        #expect(estimates.allSatisfy { ($0["interval"] as? [Double])?.count == 2 })
        #expect(estimates.allSatisfy { $0["standard_error"] is Double })
        #expect(
            estimates.compactMap { $0["interval_method"] as? String }
                == ["normal", "normal, delta method", "normal", "normal"])
        let diagnostics = try #require(object["diagnostics"] as? [String: Any])
        #expect(diagnostics["effective_sample_size"] as? Double == 900)
        #expect(diagnostics["largest_weight"] as? Double == 1)
        let policy = try #require((object["policies"] as? [[String: Any]])?.first)
        #expect((policy["by_action"] as? [Any])?.count == 2)
        #expect((policy["by_class"] as? [Any])?.count == 1)
        #expect((policy["by_path"] as? [Any])?.count == 2)
        #expect((policy["gate"] as? [String: Any])?["decision"] as? String == "hold")
    }

    @Test func thePageHasAllParts() {
        let page = HTMLPage(title: "t", blocks: report.blocks(palette: Palette(["steady"]))).html()
        for part in [
            "do not trust", "Estimated reward by policy", "Values over time", "Weights",
            "path 1", "rows that change the estimate",
        ] {
            #expect(page.contains(part), "\(part)")
        }
        #expect(!page.contains("http://") || page.contains("http://www.w3.org"))
        #expect(!page.contains("<script"))
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
            var bytes = PathBytes()
            bytes.add(1100, to: PathID(number < 100 ? 0 : 1))
            ring.record(
                Outcome(
                    decision: UInt64(number), delivery: number == 7 ? nil : 0.02,
                    isLate: number == 7, deadline: 0.15, packets: 1, lostPackets: 0,
                    bytes: bytes, closedAt: time + .milliseconds(20)), session: session)
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
