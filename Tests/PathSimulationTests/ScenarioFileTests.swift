import Foundation
import Testing

@testable import PathSimulation
@testable import PathTelemetry

@Suite struct ScenarioFileTests {
    @Test func lines() throws {
        let text = """
            # comment
            A | rate=5,rtt=20   rate=7,name=lte | 12 | two | paths

            veths|veth veth|0|none\r
            """
        let file = try ScenarioFile(parsing: text, file: "dir/file.conf")
        #expect(file.scenarios.map(\.name) == ["A", "veths"])
        let first = try file.scenario(named: "A")
        #expect(first.sumMegabits == 12)
        #expect(first.comment == "two | paths")
        #expect(first.line == 2)
        let paths = try first.paths()
        #expect(paths.map { $0?.name } == ["p1", "lte"])
        #expect(paths.map { $0?.forward.rateMegabits } == [5, 7])
        #expect(try file.scenario(named: "veths").paths() == [nil, nil])
        let error = try #require(throws: SimulationError.self) { try file.scenario(named: "B") }
        #expect(error.description.contains("it has A, veths"))
    }

    @Test(arguments: [
        ("A | rate=5", "line 1: use: name | path options"), ("| rate=5 | 5 |", "one word"),
        ("A B | rate=5 | 5 |", "one word"), ("A | | 5 |", "0 paths"),
        ("A | rate=5 | x |", "sum of rates"), ("A | rate=5 | nan |", "sum of rates"),
        ("\nA | rate=5 | 5 |\nA | rate=5 | 5", "line 3: the name 'A' is there already"),
        ("A | " + String(repeating: "veth ", count: 17) + "| 0 |", "17 paths"),
    ])
    func refusals(_ text: String, _ expected: String) throws {
        let error = try #require(throws: SimulationError.self) {
            try ScenarioFile(parsing: text, file: "x.conf")
        }
        #expect(error.description.contains(expected), "\(error)")
    }

    /// Trace names start at the file's folder.
    @Test func traceNamesAreRelativeToTheFile() throws {
        let file = try ScenarioFile(
            parsing: "A | trace=t.down | 1 | -", file: "/no/such/folder/x.conf")
        let error = try #require(throws: SimulationError.self) {
            try file.scenario(named: "A").paths()
        }
        #expect(error.description.contains("cannot read '/no/such/folder/t.down'"))
    }

    @Test func mutatedFiles() throws {
        let text = Array(
            "# c\nS1 | rate=20,rtt=20 rate=20,rtt=20 | 40 | symmetric\nS5 | veth | 0 | none\n".utf8)
        var random = SeededGenerator(seed: 3)
        var parsed = 0
        for _ in 0..<(1500 * fuzzScale) {
            var bytes = text
            for _ in 0..<(1 + random.next() % 5) {
                bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(
                    truncatingIfNeeded: random.next())
            }
            guard
                let file = try? ScenarioFile(
                    parsing: String(decoding: bytes, as: UTF8.self), file: "f")
            else { continue }
            for scenario in file.scenarios where (try? scenario.paths()) != nil { parsed += 1 }
        }
        #expect(parsed > 150 * fuzzScale)
    }

    @Suite(.enabled(if: sharedFolder != nil, "\(isSharedAbsent)"))
    struct Testbed {
        let file: ScenarioFile

        init() throws {
            file = try ScenarioFile(
                file: try #require(sharedFolder) + "/testbed/scenarios.conf")
        }

        private func paths(_ name: String) throws -> [LinkSpecification] {
            try file.scenario(named: name).paths().map { try #require($0) }
        }

        /// Every line parses, and the sums in the file are those of the rates.
        @Test func everyScenario() throws {
            let text = try String(
                contentsOfFile: try #require(sharedFolder) + "/testbed/scenarios.conf",
                encoding: .utf8)
            let lines = text.split(separator: "\n").filter {
                !$0.hasPrefix("#") && $0.contains("|")
            }
            #expect(file.scenarios.count == lines.count)
            #expect(lines.count >= 31)
            for scenario in file.scenarios {
                let paths = try scenario.paths()
                #expect(!paths.isEmpty)
                guard scenario.name != "S6" else { continue }
                let sum = paths.reduce(0) { $0 + ($1?.forward.rateMegabits ?? 0) }
                #expect(sum == scenario.sumMegabits, "\(scenario.name)")
            }
        }

        @Test func values() throws {
            let s1 = try paths("S1")
            #expect(s1.count == 2)
            for path in s1 {
                #expect(path.forward == path.backward)
                #expect(path.forward.rateMegabits == 20)
                #expect(path.forward.delayMilliseconds == 10)
                #expect(path.forward.intake.queue == .bytes(150_000))
                #expect(path.forward.outages.isEmpty && path.forward.burstLoss == nil)
            }
            let s2 = try paths("S2")
            #expect(s2.map(\.forward.rateMegabits) == [50, 10])
            #expect(s2.map(\.backward.delayMilliseconds) == [10, 50])
            let s3 = try paths("S3")
            #expect(s3.map(\.forward.rateMegabits) == [30, 15])
            #expect(s3.map(\.forward.delayMilliseconds) == [20, 7.5])
            #expect(s3[0].forward.burstLoss == .init(toBad: 0.0051, toGood: 0.25))
            #expect(s3[1].forward.burstLoss == nil)
            let s4 = try paths("S4")
            #expect(s4[0].backward.outages == [.init(start: .seconds(10), end: .seconds(15))])
            #expect(s4[1].forward.outages.isEmpty)
            #expect(try file.scenario(named: "S5").paths() == [nil, nil])
        }

        @Test func traces() throws {
            let s6 = try paths("S6")
            #expect(s6.map(\.forward.trace?.milliseconds.count) == [194_846, 45_604])
            #expect(s6.map(\.backward.rateMegabits) == [20, 10])
            // The mean of the first 40 s of a saturated link: 16.2 and 4.6 Mbit/s.
            for (path, expected) in zip(s6, [16.2, 4.6]) {
                let link = Link(path.forward, seed: 1, path: 0, direction: .forward)
                let run = Run(link, interval: 0.00025, until: 40)
                #expect(abs(run.megabits(from: 0.02, to: 40.02) - expected) < 0.1)
                #expect(run.link.counters.droppedQueue.packets > 0)
            }
        }
    }
}
