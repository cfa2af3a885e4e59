import Glibc
import PathReport
import Pathwise
import Testing

@testable import PathEvaluation
@testable import PathLearning
@testable import PathSimulation
@testable import PathTelemetry
@testable import PathTransport
@testable import PathwiseCommand

/// Mutants of all other files and arguments: each ends with an error of the right kind in a short
/// sentence, or with values that the documents allow.
///
/// PATHWISE_FUZZ sets the number of mutants of each kind, PATHWISE_FUZZ_FIRST the number of the
/// first.
@Suite(.serialized) struct ReaderFuzzTests {
    private let scratch = Scratch(inMemory: true)

    private static func number(_ name: String) -> Int? {
        getenv(name).flatMap { Int(String(cString: $0)) }
    }

    private static func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    private static func peakMemory() -> Int {
        var usage = rusage()
        getrusage(0, &usage)
        return usage.ru_maxrss * 1024
    }

    /// Runs mutants of some originals; `read` throws for those that are refused.
    func fuzz(
        _ name: String, _ originals: [String], words: [String], usually count: Int,
        allowing statuses: Set<Int32>, seconds limit: Double = 1,
        read: ([UInt8], Int) throws -> Void
    ) {
        let count = Self.number("PATHWISE_FUZZ") ?? count
        let first = Self.number("PATHWISE_FUZZ_FIRST") ?? 0
        var accepted = 0
        var worst = (seconds: 0.0, index: 0)
        let memory = Self.peakMemory()
        for index in first..<(first + count) {
            var mutator = TextMutator(
                words: words, seed: UInt64(index) &* 0x9e37_79b9_7f4a_7c15 &+ 7)
            let mutant = mutator.mutant(of: originals[index % originals.count])
            let start = Self.processorSeconds()
            do {
                try read(mutant, index)
                accepted += 1
            } catch {
                let failure = CommandFailure(error)
                #expect(
                    statuses.contains(failure.status.rawValue),
                    "\(name), mutant \(index): \(failure.status) \(failure.message.prefix(200))")
                #expect(!failure.message.isEmpty, "\(name), mutant \(index)")
                #expect(
                    failure.line.utf8.count < 20_000,
                    "\(name), mutant \(index): \(failure.line.utf8.count) bytes")
            }
            let seconds = Self.processorSeconds() - start
            if seconds > worst.seconds { worst = (seconds, index) }
        }
        #expect(worst.seconds < limit, "\(name), mutant \(worst.index) took \(worst.seconds) s")
        #expect(Self.peakMemory() - memory < 300 << 20, "\(name)")
        if count >= 100 {
            #expect(accepted > count / 200, "\(name): \(accepted) of \(count)")
            #expect(accepted < count, "\(name)")
        }
        if Self.number("PATHWISE_FUZZ") != nil {
            let line = Array(
                ("\(name): \(count) mutants from \(first), \(accepted) accepted, slowest "
                    + "\(worst.seconds * 1000) ms (\(worst.index)), peak "
                    + "\(Self.peakMemory() >> 20) MB\n").utf8)
            _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
        }
    }

    // MARK: Files

    @Test func scenarioFiles() throws {
        let original = """
            # name | paths | sum | comment
            S1 | rate=40,delay=10,queue=100p rate=20,delay=40,loss=0.01,jitter=normal:5 | 0 | two
            S2 | name=a,frate=40,rrate=5,delay=10,down=3-5,mtu=1400 veth | 50.5 | b
            S3 | rate=10,rate@2=5,ge=0.01:0.3,duplicate=0.001,corrupt=0.0001 | 0 |
            S4 | netem=1,delay=20,jitter=normal:5,rate=50 rtt=40,reorder=1 | 10 | c
            """
        let words = [
            "|", "rate=", "delay=", "queue=", "loss=", "jitter=", "outage=", "steps=", "ge=",
            "veth",
            ",", " ", "#", "\n", "name=", "mtu=", "frate=", "p", "ms", "netem", "reorder", "/", "-",
            "trace=", "normal:", "S1",
        ]
        fuzz(
            "scenarios", [original], words: words, usually: 2_000,
            allowing: [65, 66, 64]
        ) { bytes, index in
            let file = try ScenarioFile(
                parsing: String(decoding: bytes, as: UTF8.self), file: "scenarios.conf")
            do {
                _ = try file.scenario(named: "not there")
            } catch {
                #expect("\(error)".utf8.count < 6_000, "mutant \(index)")
            }
            var lines: Set<Int> = []
            for scenario in file.scenarios {
                #expect(scenario.sumMegabits >= 0 && scenario.sumMegabits.isFinite)
                #expect((1...16).contains(scenario.options.count), "mutant \(index)")
                #expect(lines.insert(scenario.line).inserted)
                for case let path? in try scenario.paths() {
                    for side in [path.forward, path.backward] {
                        #expect((0...1).contains(side.loss), "mutant \(index)")
                        #expect((0...1).contains(side.duplication), "mutant \(index)")
                        #expect((0...1).contains(side.corruption), "mutant \(index)")
                        #expect(
                            side.rateMegabits == 0 || LinkBounds.rate.contains(side.rateMegabits),
                            "mutant \(index)")
                        #expect(LinkBounds.delay.contains(side.delayMilliseconds))
                        #expect(LinkBounds.packet.contains(side.intake.maximumPacket))
                        #expect(side.outages.count <= LinkBounds.steps)
                        #expect(side.rateSteps.count <= LinkBounds.steps)
                    }
                    // And what it says can be run.
                    var link = Link(path.forward, seed: 1, path: 0, direction: .forward)
                    for token in 0..<3 {
                        _ = link.handleSend(bytes: 1_000, token: token, now: .zero)
                    }
                    _ = link.popDelivery(now: .zero + .seconds(1))
                }
            }
        }
    }

    @Test func modelFiles() throws {
        let folder = Scratch()
        var world = World(seed: 3)
        _ = try world.write(2_000, to: folder.file("world.trace"))
        let file = folder.file("model.safetensors")
        let run = try Pathwise.run("train", folder.file("world.trace"), "--output", file)
        try #require(run.status == 0, "\(run.errors)")
        let original = try #require(bytes(of: file))
        let header = 8 + Int(original[0]) + Int(original[1]) << 8
        try #require(header < original.count)
        let text = String(decoding: original[8..<header], as: UTF8.self)
        let words = [
            "{", "}", "[", "]", "\"", ":", ",", "F64", "F32", "shape", "data_offsets", "dtype",
            "__metadata__", "kind", "ridge", "late", "weights", "\\u0000", "\\ud800", "version",
            " ", "features", "neural-linear",
        ]
        fuzz(
            "models", [text], words: words, usually: 3_000, allowing: [65]
        ) { bytes, index in
            // The length of the header fits, or not.
            let length = index % 8 == 0 ? index &* 0x1_0001 : bytes.count
            var file = (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }
            file += bytes
            file += original[header...]
            let read: Model
            do throws(ModelProblem) { read = try Model(bytes: file) } catch {
                throw LearningError.model(file: "m", problem: error)
            }
            let info = ModelText.info(read, file: "m")
            #expect(
                info.utf8.count < 20 * file.count + 20_000, "mutant \(index): \(info.utf8.count)")
            // An accepted model is written and read again without change.
            let again = try Model(bytes: read.bytes())
            #expect(again.bytes() == read.bytes(), "mutant \(index)")
            #expect(again.kind == read.kind && again.notes == read.notes, "mutant \(index)")
        }
    }

    @Test func banditLogs() throws {
        var generator = SeededGenerator(seed: 9)
        var plain = "action,reward,pscore,pi_e_0,pi_e_1,x0\n"
        var full = "\u{feff}x0;action;reward;pscore;pi_b_0;pi_b_1;pi_e_0;pi_e_1;q_hat_0;q_hat_1\r\n"
        full = full.replacing(";", with: ",")
        for _ in 0..<12 {
            let action = generator.uniform() < 0.5 ? 0 : 1
            plain += "\(action),\(generator.uniform()),0.5,0.7,0.3,\(generator.uniform())\n"
            full += "\(generator.uniform()),\(action),1,0.5,0.5,0.5,0.25,0.75,0.1,0.2\r\n"
        }
        let words = [
            ",", ";", "\n", "\r\n", "\"", "action", "reward", "pscore", "pi_e_", "pi_b_", "q_hat_",
            "x", "0.333333", " ", "\t", "pi_e_2", "x4096", "pi_e_99999999999999999999",
        ]
        let path = scratch.file("log.csv")
        fuzz(
            "bandit logs", [plain, full], words: words, usually: 2_000, allowing: [65]
        ) { bytes, index in
            write(bytes, to: path)
            let skips = index % 3 == 0
            let log = try LogReader.read(path, skipsRefused: skips)
            for row in 0..<log.count {
                #expect((0..<log.actionCount).contains(Int(log.actions[row])))
                #expect(log.propensities[row] > 0 && log.propensities[row] <= 1 + 1e-6)
                #expect(log.rewards[row].magnitude <= 1e100, "mutant \(index)")
                let shares = log.evaluated[row * log.actionCount..<(row + 1) * log.actionCount]
                #expect((shares.reduce(0, +) - 1).magnitude < 1e-6, "mutant \(index)")
                #expect(shares.allSatisfy { $0 >= 0 })
            }
            var options = AnalysisOptions()
            options.resamples = 10
            options.estimators = index % 4 == 0 ? Estimator.all : options.estimators
            options.hasGate = index % 5 == 0
            let methods = IntervalMethod.allCases
            options.interval = methods[index / 2 % methods.count]
            let report = try LogEvaluation(options: options).evaluate(log)
            _ = EvaluationText(report: report).summary
            _ = report.json().text()
            #expect(report.policies[0].diagnostics.effectiveSampleSize <= Double(log.count) + 1e-6)
        }
    }

    @Test func keyFiles() throws {
        let key = try PrivateKey.generate()
        let original = try key.base64 + "\n"
        let path = scratch.file("key")
        let words = ["=", "\n", "\r\n", "A", "/", "+", " ", "-----BEGIN", "\u{0}", "é"]
        var readable = 0
        fuzz(
            "key files", [original], words: words, usually: 2_000,
            allowing: [65, 66, 77]
        ) { bytes, index in
            write(bytes, to: path)
            chmod(path, 0o600)
            let text = String(decoding: bytes, as: UTF8.self)
            let read = try KeyFile.readPrivateKey(from: path)
            // 44 characters of base64, with white space about them and nothing else.
            #expect(text.filter { !$0.isWhitespace }.utf8.count == 44, "mutant \(index)")
            #expect(try text.contains(read.base64), "mutant \(index)")
            _ = try KeyFile.readPresharedKey(from: path)
            readable += 1
        }
        #expect(readable > 0)
    }

    // MARK: Arguments

    @Test func publicKeys() throws {
        let key = try PrivateKey.generate().publicKey.base64
        let path = scratch.file("name.pub")
        fuzz(
            "public keys", [key, key + "\n", key + " laptop\n"],
            words: ["=", "\n", " ", "A", "/", "+", "é", "\t", "_"], usually: 2_000,
            allowing: [64, 65]
        ) { bytes, index in
            let text = String(decoding: bytes, as: UTF8.self)
            if index % 2 == 0 {
                // A file of that text.
                write(bytes, to: path)
                let read = try PeerKeyArgument.parse(path, option: "--allow")
                #expect(text.contains(read.base64), "mutant \(index)")
                #expect(PeerKeyArgument.label(of: read, argument: path) == "name")
            } else {
                guard let read = PublicKey(base64: text) else {
                    throw CommandFailure("no key", .usage)
                }
                #expect(read.base64 == text, "mutant \(index)")
            }
        }
    }

    @Test func pathArguments() throws {
        let originals = [
            "dsl=eth0",
            "lte=192.0.2.7>198.51.100.1:443,weight=2,price=5,limit=10mbit,kind=cellular",
            "sat=fe80::1%lo,backup", "a=2001:db8::1>[2001:db8::2]:4433,weight=0.5",
        ]
        let words = [
            "=", ",", ">", ":", "[", "]", "%", "weight=", "price=", "limit=", "kind=", "backup",
            "mbit", "kbit", "starlink", "eth0", "::", "lo", ".", "/", "wlan-0",
        ]
        fuzz(
            "path arguments", originals, words: words, usually: 4_000, allowing: [64]
        ) { bytes, index in
            let path = try PathArgument(parsing: String(decoding: bytes, as: UTF8.self))
            #expect((1...32).contains(path.name.utf8.count), "mutant \(index)")
            #expect(path.name.utf8.allSatisfy { $0 > 0x2c && $0 < 0x7b }, "mutant \(index)")
            #expect(path.traits.weight > 0 && path.traits.weight <= 1e6, "mutant \(index)")
            #expect((0...1e6).contains(path.traits.pricePerGB), "mutant \(index)")
            #expect(path.traits.rateLimit > 0, "mutant \(index)")
            if case .interface(let name) = path.source {
                #expect((1...15).contains(name.utf8.count), "mutant \(index)")
            }
        }
    }

    @Test func policies() throws {
        let originals =
            PolicySpecification.catalogue.map(\.name) + [
                "weighted:dsl=3,lte=1", "lin-ucb:features=16,alpha=0.5", "learned:temperature=0.1",
            ]
        let words = [":", "=", ",", "alpha", "features", "dsl", "lte", " ", "half-life", "floor"]
        fuzz(
            "policies", originals, words: words, usually: 2_000, allowing: [64, 65]
        ) { bytes, index in
            let text = String(decoding: bytes, as: UTF8.self)
            let read = try PolicySpecification(parsing: text)
            // The printed text parses to the same value.
            let again = try PolicySpecification(parsing: read.description)
            #expect(again.description == read.description, "mutant \(index): \(text.prefix(80))")
        }
    }
}
