import Foundation
import PathTelemetry
import Testing

@testable import PathEvaluation

/// Logs of other tools: names of columns, decision service JSON, and policies by name.
@Suite struct LogColumnsTests {
    private static func file(_ text: String) throws -> String {
        let path = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
        try Data(text.utf8).write(to: URL(filePath: path))
        return path
    }

    private static func problem(_ body: () throws -> Void) -> String {
        do { try body() } catch { return "\(error)" }
        return ""
    }

    /// A log of three actions whose mean rewards are 0.2, 0.5 and 0.8, taken with known chances.
    private static func decisions(_ count: Int) -> [(action: Int, reward: Int, chances: [Double])] {
        var generator = SeededGenerator(seed: 9)
        return (0..<count).map { index in
            let chances = index % 2 == 0 ? [0.5, 0.25, 0.25] : [0.25, 0.125, 0.625]
            let draw = generator.uniform()
            let action = draw < chances[0] ? 0 : draw < chances[0] + chances[1] ? 1 : 2
            let reward = generator.uniform() < [0.2, 0.5, 0.8][action] ? 1 : 0
            return (action, reward, chances)
        }
    }

    @Test func openBanditColumnsAreRead() throws {
        var text = ",timestamp,item_id,position,click,propensity_score,user_feature_0,"
        text += "user-item_affinity_0,user-item_affinity_1\n"
        for (index, row) in Self.decisions(6000).enumerated() {
            text += "\(index),2019-11-24 00:00:09.000000+00:00,\(row.action),1,\(row.reward),"
            text += "\(row.chances[row.action]),81ce123cbb5bd8ce818f60fb3586bba5,0.0,1.5\n"
        }
        let path = try Self.file(text)
        let columns = try #require(LogColumns(parsing: "open-bandit"))
        let log = try LogReader.read(path, columns: columns, needsPolicy: false)
        #expect(log.count == 6000 && log.actionCount == 3 && log.contextCount == 2)
        let report = try LogEvaluation().evaluate(
            log, policies: [.uniform, .constant(2), .constant(0)])
        #expect(report.policies.map(\.label) == ["uniform", "constant:2", "constant:0"])
        for (policy, truth) in zip(report.policies, [0.5, 0.8, 0.2]) {
            let estimate = try #require(policy.rows.estimate(.dr))
            #expect((estimate.value - truth).magnitude < 4 * estimate.standardError)
            #expect(estimate.standardError < 0.02)
            #expect(policy.verdict.level == .trust)
        }
        // Without names the columns of the documentation are required.
        #expect(
            Self.problem { _ = try LogReader.read(path) }.contains("column action: is missing"))
        #expect(
            Self.problem {
                _ = try LogReader.read(
                    path, columns: try #require(LogColumns(parsing: "action=item,reward=click")))
            }.contains("column item: is missing"))
        #expect(
            Self.problem { _ = try LogEvaluation().evaluate(log, policies: [.constant(3)]) }
                == "--policy constant:3: the log has the actions 0 to 2")
        #expect(
            Self.problem { _ = try LogEvaluation().evaluate(log) }.contains("no columns pi_e_0.."))
        #expect(
            Self.problem { _ = try LogEvaluation().evaluate(log, policies: [.logged]) }
                .contains("no columns pi_b_0.."))
    }

    @Test func pairsNameColumns() throws {
        let columns = try #require(LogColumns(parsing: "action=arm,reward=won,x0=age,pscore=p"))
        let text = "arm,won,p,age,action,reward\n1,1,0.5,30,x,y\n0,0,0.5,40,x,y\n1,0,0.25,50,x,y\n"
        let log = try LogReader.read(
            try Self.file(text), columns: columns, needsPolicy: false)
        #expect(log.actions == [1, 0, 1] && log.rewards == [1, 0, 0])
        #expect(log.propensities == [0.5, 0.5, 0.25] && log.contexts == [30, 40, 50])
        for wrong in ["", "arm", "arm=action", "action=", "action=a,action=b", "action=a,reward=a"]
        {
            #expect(LogColumns(parsing: wrong) == nil, "\(wrong)")
        }
        let refused = Self.problem {
            _ = try LogReader.read(
                try Self.file("arm,won,p,age\n1,1,0,30\n"), columns: columns, needsPolicy: false)
        }
        #expect(refused.contains("row 1, column p: is 0"), "\(refused)")
        #expect(LogPolicy(parsing: "constant:7") == .constant(7))
        for wrong in ["constant", "constant:", "constant:-1", "constant:1:2", "Uniform"] {
            #expect(LogPolicy(parsing: wrong) == nil, "\(wrong)")
        }
    }

    /// Lines as Vowpal Wabbit writes them: the chosen action first, costs, single precision.
    private static func line(
        _ row: (action: Int, reward: Int, chances: [Double]), label: Bool = true,
        more: String = ""
    ) -> String {
        let order = [row.action] + (0..<row.chances.count).filter { $0 != row.action }
        let numbers = order.map { String($0 + 1) }.joined(separator: ",")
        let chances = order.map { "\(Float(row.chances[$0]))" }.joined(separator: ",")
        let cost = label ? "\"_label_cost\":\(-row.reward)," : ""
        return "{\(cost)\"_label_probability\":\(row.chances[row.action]),"
            + "\"_label_Action\":\(row.action + 1),\"_labelIndex\":\(row.action),\(more)"
            + "\"Version\":\"1\",\"a\":[\(numbers)],\"c\":{\"u\":{\"f\\\"}\":[1,{\"g\":null}]},"
            + "\"_multi\":[{\"x\":1},{},{}]},\"p\":[\(chances)]}\n"
    }

    @Test func decisionServiceLinesAreRead() throws {
        var text = ""
        let rows = Self.decisions(4000)
        for (index, row) in rows.enumerated() {
            text += Self.line(
                row, label: index % 100 != 7,
                more: index % 100 == 8 ? "\"_skipLearn\":true," : "")
        }
        let columns = try #require(LogColumns(parsing: "dsjson"))
        let log = try LogReader.read(try Self.file(text), columns: columns)
        #expect(log.count == 3920 && log.withoutOutcome == 40 && log.forced == 40)
        let report = try LogEvaluation().evaluate(
            log, policies: [.uniform, .logged, .constant(1)])
        #expect(report.decisions == 4000 && report.evaluated == 3920)
        for (policy, truth) in zip(report.policies, [0.5, 0.6, 0.5]) where truth == 0.5 {
            let estimate = try #require(policy.rows.estimate(.dr))
            #expect((estimate.value - truth).magnitude < 4 * estimate.standardError)
        }
        // The logging policy's weights are all one.
        let logged = report.policies[1]
        #expect((logged.diagnostics.effectiveSampleSize - 3920).magnitude < 1e-6)
        #expect(logged.diagnostics.isSupportKnown)
    }

    /// A decision may offer fewer actions than others; uniform is over those it offers.
    @Test func offeredActionsDiffer() throws {
        let text =
            Self.line((action: 0, reward: 1, chances: [0.5, 0.5]))
            + Self.line((action: 2, reward: 0, chances: [0.25, 0.25, 0.5]))
        let log = try LogReader.read(
            try Self.file(text), columns: try #require(LogColumns(parsing: "dsjson")))
        #expect(log.actionCount == 3 && log.offered(0) == 2 && log.offered(1) == 3)
        #expect(log.share(.uniform, 0, 1) == 0.5 && log.share(.uniform, 0, 2) == 0)
        #expect(log.share(.uniform, 1, 2) == 1.0 / 3)
    }

    @Test func wrongLinesAreRefusedByName() throws {
        let sound = Self.line((action: 1, reward: 1, chances: [0.25, 0.5, 0.25]))
        let columns = try #require(LogColumns(parsing: "dsjson"))
        for (from, to, found) in [
            ("[2,1,3]", "[2,1,2]", "column a: has to list each of the actions"),
            ("[2,1,3]", "[]", "column a: has to list the actions"),
            ("[0.5,0.25,0.25]", "[0.5,0.25]", "column p: has 2 numbers for 3 actions"),
            ("[0.5,0.25,0.25]", "[0.6,0.25,0.25]", "column p: sums to 1.1"),
            ("\"_label_probability\":0.5", "\"_label_probability\":0.4", "is not that of p"),
            ("\"Version\"", "\"pdrop\":0.5,\"Version\"", "column pdrop: is 0.5"),
            ("\"_label_cost\":-1", "\"_label_cost\":1e200", "is too large"),
            ("\"_label_cost\":-1", "\"_label_cost\":x", "is not a line of decision service JSON"),
            ("\"p\":", "\"p\"", "is not a line of decision service JSON"),
        ] {
            let changed = sound.replacingOccurrences(of: from, with: to)
            #expect(changed != sound)
            let problem = Self.problem {
                _ = try LogReader.read(try Self.file(sound + changed), columns: columns)
            }
            #expect(problem.contains("row 2") && problem.contains(found), "\(to): \(problem)")
            let log = try LogReader.read(
                try Self.file(sound + changed), columns: columns, skipsRefused: true)
            #expect(log.count == 1 && log.refused == 1)
        }
    }

    /// Changed bytes are refused or read; nothing traps.
    @Test func changedLinesAreRefusedOrRead() throws {
        let text = Self.line((action: 1, reward: 1, chances: [0.25, 0.5, 0.25]))
        let sound = Array(text.utf8.dropLast())
        var generator = SeededGenerator(seed: 31)
        let asked = ProcessInfo.processInfo.environment["PATHWISE_FUZZ"].flatMap { Int($0) }
        var read = 0
        for _ in 0..<(asked ?? 20_000) {
            var bytes = sound
            for _ in 0...(generator.next() % 3) {
                let place = Int(generator.next() % UInt64(bytes.count))
                switch generator.next() % 3 {
                case 0: bytes[place] = UInt8(truncatingIfNeeded: generator.next())
                case 1: bytes.remove(at: place)
                default:
                    bytes.insert(Array("{}[],:\"\\".utf8)[Int(generator.next() % 8)], at: place)
                }
            }
            if bytes.withUnsafeBufferPointer({ DecisionServiceScanner.read($0) }) != nil {
                read += 1
            }
        }
        #expect(read > 1000)
        let deep = Array((#"{"c":"# + String(repeating: "[", count: 100_000)).utf8)
        #expect(deep.withUnsafeBufferPointer { DecisionServiceScanner.read($0) } == nil)
    }
}
