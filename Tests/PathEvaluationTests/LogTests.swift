import Foundation
import Testing

@testable import PathEvaluation
@testable import PathTelemetry

@Suite struct LogTests {
    private let folder: String = {
        let path = FileManager.default.temporaryDirectory
            .appending(path: "pathwise-log-\(UUID().uuidString)").path
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }()

    private func write(_ text: String) throws -> String {
        let path = folder + "/\(UUID().uuidString).csv"
        try Data(text.utf8).write(to: URL(filePath: path))
        return path
    }

    private func problem(_ text: String) throws -> String {
        let path = try write(text)
        do throws(EvaluationError) {
            _ = try LogReader.read(path)
            return ""
        } catch {
            return error.description.replacingOccurrences(of: path, with: "F")
        }
    }

    private let header = "action,reward,pscore,pi_e_0,pi_e_1\n"

    @Test func everyRefusalNamesRowAndColumn() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let good = "0,1,0.5,0.25,0.75\n"
        let cases = [
            ("", "'F': is empty"),
            (header, "'F': has no usable rows"),
            (
                "reward,pscore,pi_e_0\n1,1,1\n",
                "'F', column action: is missing; required are "
                    + "action, reward, pscore and pi_e_0.. (--columns names other columns, "
                    + "--policy a policy instead of pi_e)"
            ),
            (
                "action,reward,pscore,pi_e_0,pi_e_2\n",
                "'F', column pi_e_1: is missing; required are "
                    + "action, reward, pscore and pi_e_0.. (--columns names other columns, "
                    + "--policy a policy instead of pi_e)"
            ),
            ("action,reward,pscore,pi_e_0,pi_e_0\n", "'F', column pi_e_0: occurs twice"),
            (
                header + good + "0,nan,0.5,0.25,0.75\n",
                "'F', row 2, column reward: 'nan' is not a finite number"
            ),
            (header + good + "0,,0.5,0.25,0.75\n", "'F', row 2, column reward: is empty"),
            (
                header + good + "0,inf,0.5,0.25,0.75\n",
                "'F', row 2, column reward: 'inf' is not a finite number"
            ),
            (
                header + "0,1,0,0.25,0.75\n",
                "'F', row 1, column pscore: is 0: the logged action had no probability"
            ),
            (
                header + "0,1,1.5,0.25,0.75\n",
                "'F', row 1, column pscore: 1.5 is not a probability above 0 and up to 1"
            ),
            (
                header + "2,1,0.5,0.25,0.75\n",
                "'F', row 1, column action: 2.0 is not one of the actions 0 to 1"
            ),
            (
                header + "0.5,1,0.5,0.25,0.75\n",
                "'F', row 1, column action: 0.5 is not one of the actions 0 to 1"
            ),
            (
                header + "0,1,0.5,0.25,0.5\n",
                "'F', row 1, column pi_e_0: and on sum to 0.75, not to 1"
            ),
            (
                header + "0,1,0.5,-0.25,1.25\n",
                "'F', row 1, column pi_e_0: -0.25 is not a probability"
            ),
            (
                header + good + "0,1,0.5\n",
                "'F', row 2, column pi_e_0: is missing: the row has 3 of 5 fields"
            ),
            (header + "0,1,0.5,0.25,0.75,9\n", "'F', row 1: has more than its 5 fields"),
            (
                "\u{1}\u{2}\n",
                "'F': its first line is not text; give a CSV file with a line of "
                    + "column names"
            ),
        ]
        for (text, wanted) in cases { #expect(try problem(text) == wanted) }
        #expect(throws: EvaluationError.self) { try LogReader.read(folder + "/none.csv") }
    }

    /// Probabilities with as few as six digits, rounded or truncated, are divided by their sum.
    @Test(arguments: [2, 3, 7, 11]) func roundedProbabilitiesAreTaken(arms: Int) throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        for cutsOff in [false, true] {
            let share = (1 / Double(arms) * 1e6).rounded(cutsOff ? .down : .toNearestOrEven) / 1e6
            let names = (0..<arms).map { "pi_b_\($0),pi_e_\($0)" }.joined(separator: ",")
            var text = "action,reward,pscore,\(names)\n"
            for row in 0..<40 {
                text += "\(row % arms),\(row % 2),\(share),"
                text +=
                    [String](repeating: "\(share),\(share)", count: arms)
                    .joined(separator: ",") + "\n"
            }
            let path = try write(text)
            let log = try LogReader.read(path)
            #expect(log.count == 40)
            let isExact = (share * Double(arms) - 1).magnitude < 1e-9
            #expect(log.renormalised == (isExact ? 0 : 40))
            for value in log.evaluated + log.logging + log.propensities {
                #expect((value - 1 / Double(arms)).magnitude < 1e-15)
            }
            let report = try LogEvaluation().evaluate(log)
            #expect(report.renormalised == log.renormalised)
            #expect(report.policies[0].rows.largestWeight == 1)
            #expect(
                !report.policies[0].verdict.reasons.contains { $0.contains("propensities") })
        }
    }

    /// Weights that differ from one only by the rounding of propensities prove nothing.
    @Test func roundingIsNoWrongPropensity() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var text = "action,reward,pscore,pi_e_0,pi_e_1,pi_e_2\n"
        for row in 0..<300 {
            text += "\(row % 3),\(row % 2),0.333333,0.333333,0.333333,0.333333\n"
        }
        let report = try LogEvaluation().evaluate(try LogReader.read(try write(text)))
        #expect(report.renormalised == 300)
        #expect(report.verdict == .trust, "\(report.policies[0].verdict.reasons)")
    }

    /// One part in a hundred thousand is more than the sixth digit.
    @Test func otherSumsAreRefused() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        #expect(try problem(header + "0,1,0.5,0.25,0.74999\n").contains("not to 1"))
        #expect(try problem(header + "0,1,0.5,0.25,0.7500021\n").contains("not to 1"))
        #expect(try problem(header + "0,1,0.5,0.25,0.7500019\n").isEmpty)
        #expect(try problem(header + "0,1,1.000001,0.25,0.75\n").isEmpty)
    }

    /// Numbers whose squares overflow are refused by name; smaller ones are evaluated.
    @Test func numbersNearOverflowAreRefused() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let names = "action,reward,pscore,pi_e_0,pi_e_1,q_hat_0,q_hat_1,x0\n"
        for (row, column, number) in [
            ("0,5e307,0.5,0.3,0.7,0,0,0", "reward", "5e+307"),
            ("0,-1e101,0.5,0.3,0.7,0,0,0", "reward", "-1e+101"),
            ("0,1,0.5,0.3,0.7,0,1e200,0", "q_hat_1", "1e+200"),
            ("0,1,0.5,0.3,0.7,0,0,-1e308", "x0", "-1e+308"),
        ] {
            #expect(
                try problem(names + row + "\n")
                    == "'F', row 1, column \(column): \(number) is too large: squares are added up, "
                    + "so give at most 1e+100, in a larger unit")
        }
        #expect(
            try problem(names + "0,1,1e-60,0.3,0.7,0,0,0\n")
                == "'F', row 1, column pscore: 1e-60 is too small: squares of weights are added "
                + "up, so give at least 1e-50")
        var text = "action,reward,pscore,pi_e_0,pi_e_1\n"
        for row in 0..<400 {
            text += "\(row % 2),\(row % 4 < 2 ? "-" : "")\(row % 3)e99,1e-49,0.3,0.7\n"
        }
        let report = try LogEvaluation().evaluate(try LogReader.read(try write(text)))
        for (estimate, interval) in report.policies[0].estimates {
            #expect(estimate.value.isFinite && estimate.standardError.isFinite)
            #expect(interval.low.isFinite && interval.high.isFinite, "\(estimate.estimator)")
        }
    }

    /// A policy that never takes logged actions cannot be evaluated, and the propensities are not
    /// called wrong.
    @Test func noOverlapIsNamed() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var text = header
        for row in 0..<60 { text += "0,\(row % 3 == 0 ? 1 : 0),0.9,0,1\n" }
        let policy = try LogEvaluation().evaluate(try LogReader.read(try write(text))).policies[0]
        #expect(policy.verdict.level == .doNotTrust)
        #expect(policy.verdict.reasons.contains { $0.hasPrefix("the policy never chooses") })
        #expect(!policy.verdict.reasons.contains { $0.contains("wrong") })
        for (estimate, interval) in policy.estimates {
            #expect(interval.low <= 0 && interval.high >= 1, "\(estimate.estimator)")
        }
    }

    /// Replay is only for deterministic policies.
    @Test func replayLeavesPoliciesThatDrawAlone() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var options = AnalysisOptions()
        options.estimators = [Estimator(.replay), .snips]
        for (shares, isLeftOut) in [("0,1", false), ("0.4,0.6", true), ("1e-9,0.999999999", false)]
        {
            var text = header
            for row in 0..<100 { text += "\(row % 2),\(row % 3 == 0 ? 1 : 0),0.5,\(shares)\n" }
            let policy = try LogEvaluation(options: options).evaluate(
                try LogReader.read(try write(text))
            ).policies[0]
            #expect(
                policy.estimates.contains { $0.estimate.estimator.kind == .replay } != isLeftOut)
            #expect(policy.notes.contains { $0.contains("60 %") } == isLeftOut)
        }
    }

    @Test func rowsMayBeSkippedAndAreCounted() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = try write(header + "0,1,0.5,0.25,0.75\n0,nan,1,1,0\r\n\n1,0,0.5,0.25,0.75\n9")
        let log = try LogReader.read(path, skipsRefused: true)
        #expect(log.count == 2)
        #expect(log.refused == 2)
        #expect(log.refusals.count == 2)
    }

    @Test func spacesQuotesOrderAndOtherColumns() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = try write(
            "\u{feff}note,pi_e_1, reward ,\"action\",x0,pscore,pi_e_0\r\n"
                + "\"a,b\",0.75, 2.5e-1 ,\"1\",-3,5E-1,.25\r\n")
        let log = try LogReader.read(path)
        #expect(log.count == 1)
        #expect(log.actions == [1])
        #expect(log.rewards == [0.25])
        #expect(log.propensities == [0.5])
        #expect(log.evaluated == [0.25, 0.75])
        #expect(log.contexts == [-3])
    }

    /// Numbers are parsed to the same bits as by the C library.
    @Test(arguments: 1...4 as ClosedRange<UInt64>) func numbersAreRoundedRight(seed: UInt64) throws
    {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var generator = SeededGenerator(seed: seed)
        var texts = [
            "0", "-0", "1e-5", "123456789012345678901234567890", "1e99", "4.9e-324", "1.",
            ".5", "9007199254740993", "0.1", "8.5e-1", "18446744073709551615.5",
        ]
        for _ in 0..<3000 {
            let value = Double(bitPattern: generator.next())
            if value.isFinite, value.magnitude < 1e100 { texts.append("\(value)") }
            texts.append("\(generator.uniform())")
            texts.append("\(generator.uniform() * 1e-7)")
            texts.append("\(generator.next() % 1000).\(generator.next())")
            texts.append("0.\(generator.next())\(generator.next() % 100)")
        }
        let path = try write(
            header + texts.map { "0,\($0),0.5,0.25,0.75\n" }.joined())
        let log = try LogReader.read(path)
        #expect(log.count == texts.count)
        for (index, text) in texts.enumerated() {
            #expect(log.rewards[index] == strtod(text, nil), "\(text)")
        }
    }

    /// Damaged files are refused or read, without a crash.
    @Test(arguments: 1...6 as ClosedRange<UInt64>) func damageIsSurvived(seed: UInt64) throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var generator = SeededGenerator(seed: seed)
        let whole = Array(
            (header + (0..<40).map { "\($0 % 2),0.\($0),0.5,0.25,0.75\n" }.joined()).utf8)
        let path = folder + "/fuzz.csv"
        for round in 0..<300 {
            var bytes = whole
            if round % 5 == 0 {
                bytes = (0..<Int(generator.next() % 3000)).map { _ in
                    UInt8(truncatingIfNeeded: generator.next())
                }
                if round % 10 == 0 { bytes = Array(header.utf8) + bytes }
            } else {
                for _ in 0...Int(generator.next() % 4) {
                    let place = Int(generator.next() % UInt64(bytes.count))
                    switch generator.next() % 4 {
                    case 0: bytes[place] = UInt8(truncatingIfNeeded: generator.next())
                    case 1: bytes.remove(at: place)
                    case 2: bytes.insert(0x2c, at: place)
                    default: bytes.removeLast(bytes.count - place)
                    }
                    if bytes.isEmpty { break }
                }
            }
            try Data(bytes).write(to: URL(filePath: path))
            var read: BanditLog?
            var report: EvaluationReport?
            do throws(EvaluationError) {
                read = try LogReader.read(path, skipsRefused: round % 2 == 0)
                report = try read.map { log throws(EvaluationError) in
                    try LogEvaluation().evaluate(log)
                }
            } catch {
                #expect(error.description.contains(path))
            }
            guard let read else { continue }
            let isSound =
                read.rewards.allSatisfy(\.isFinite)
                && read.propensities.allSatisfy { $0 > 0 && $0 <= 1 }
            #expect(isSound)
            #expect(report?.evaluated == read.count)
        }
    }
}

/// The whole way from a file to estimates.
@Suite(.enabled(if: Reference.isPresent, Reference.absence))
struct LogReferenceTests {
    private func report(_ name: String, _ options: AnalysisOptions) throws -> EvaluationReport {
        let path = Reference.folder + "/reference/ope/\(name).csv"
        return try LogEvaluation(options: options).evaluate(try LogReader.read(path))
    }

    @Test(arguments: ReferenceTests.logs) func estimatesFromTheFile(name: String) throws {
        let prefix = "/\(name)/estimates/"
        let keys = try #require(ReferenceTests.expected).filter { $0.key.hasPrefix(prefix) }
        var options = AnalysisOptions()
        var wanted: [Double] = []
        // The policy of the file is random, so replay does not apply.
        for (key, value) in keys where !key.contains("Replay") {
            options.estimators.append(
                try #require(ReferenceTests.estimator(String(key.dropFirst(prefix.count)))))
            wanted.append(value)
        }
        options.estimators.removeFirst(AnalysisOptions.usual.count)
        let policy = try report(name, options).policies[0]
        #expect(policy.estimates.count == wanted.count)
        for (item, value) in zip(policy.estimates, wanted) {
            #expect(agree(item.estimate.value, value), "\(item.estimate.estimator)")
        }
        #expect(policy.verdict.level == (name == "poor_overlap" ? .doNotTrust : .trust))
        let facts = policy.diagnostics
        for (key, value) in [
            ("ess", facts.effectiveSampleSize), ("entropy_ess", facts.entropySampleSize),
            ("ess_ratio", facts.effectiveShare), ("max", facts.largestWeight),
            ("mean", facts.meanWeight), ("mean_se", facts.meanWeightError),
            ("z_mean_eq_1", facts.meanWeightDeviation), ("q50", facts.weightQuantiles[0]),
            ("q95", facts.weightQuantiles[1]), ("q99", facts.weightQuantiles[2]),
            ("frac_w_gt_10", facts.shareAboveTen),
            ("top1pct_weight_share", facts.topHundredthShare),
            ("min_pi_b", facts.smallestProbability ?? .nan),
            ("frac_pi_b_lt_0_01", facts.shareOfSmallProbabilities ?? .nan),
        ] {
            let number = try #require(
                ReferenceTests.intervals?["/\(name)/weight_diagnostics/\(key)"])
            #expect(agree(value, number), "\(key): \(value), not \(number)")
        }
        for (index, action) in policy.analysis.byAction.enumerated() {
            let number = Int(action.name.dropFirst(7)) ?? index
            #expect(
                Double(action.sums.count)
                    == ReferenceTests.intervals?[
                        "/\(name)/weight_diagnostics/per_action_count/\(number)"])
        }
    }

    /// Resampling agrees with the delta method where that is valid, and is reproducible.
    @Test func bootstrapsAgreeWithTheDeltaMethod() throws {
        var options = AnalysisOptions()
        options.interval = .bootstrap
        let policy = try report("binary", options).policies[0]
        for (estimate, interval) in policy.estimates {
            #expect(interval.method == "Poisson bootstrap, percentile")
            let normal = estimate.normal(confidence: 0.95)
            let width = normal.high - normal.low
            #expect(((interval.high - interval.low) / width - 1).magnitude < 0.12)
            #expect((interval.low - normal.low).magnitude < 0.12 * width)
        }
        let again = try report("binary", options).policies[0]
        #expect(again.estimates.map(\.interval) == policy.estimates.map(\.interval))
        for method in [IntervalMethod.blockBootstrap, .batchMeans] {
            options.interval = method
            for (estimate, interval) in try report("binary", options).policies[0].estimates {
                let normal = estimate.normal(confidence: 0.95)
                let ratio = (interval.high - interval.low) / (normal.high - normal.low)
                #expect((0.6...1.5).contains(ratio), "\(method) \(estimate.estimator): \(ratio)")
            }
        }
    }

    @Test func everyMethodGivesAnInterval() throws {
        var options = AnalysisOptions()
        options.estimators = Estimator.all
        for method in IntervalMethod.allCases {
            options.interval = method
            options.resamples = 100
            let policy = try report("continuous", options).policies[0]
            // All estimators except replay, because the policy is random.
            #expect(policy.estimates.count == EstimatorDescriptor.catalogue.count - 1)
            for (estimate, interval) in policy.estimates {
                #expect(interval.low <= interval.high, "\(method) \(estimate.estimator)")
                #expect(!interval.method.isEmpty)
            }
        }
    }

    @Test func theGateNeedsTrust() throws {
        var options = AnalysisOptions()
        options.hasGate = true
        #expect(try report("binary", options).policies[0].gate?.decision == .deploy)
        #expect(try report("poor_overlap", options).policies[0].gate?.decision == .hold)
        options.interval = .betting
        #expect(try report("binary", options).policies[0].gate?.decision == .deploy)
    }
}
