import Glibc
import PathTrace
import PathWorlds
import Pathwise
import Testing

@testable import PathDemo
@testable import PathEvaluation
@testable import PathLearning
@testable import PathReport

/// One short demonstration over real sockets on loopback, and its results.
@Suite(.serialized)
struct DemoTests {
    private func temporaryDirectory() throws -> String {
        var template = Array("/tmp/pathwise-demo-test-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private func remove(_ directory: String) {
        var names = ["learned.trace", "model.safetensors"]
        for policy in ["min-rtt", "round-robin"] {
            for seed in [1_000_001, 1_000_002, 1_000_007, 1_000_008] {
                names.append("demo.\(policy).\(seed).trace")
            }
        }
        for name in names { unlink(directory + "/" + name) }
        rmdir(directory)
    }

    @Test func policiesAreComparedAndTheLearnedOneRunsForReal() async throws {
        let directory = try temporaryDirectory()
        defer { remove(directory) }
        var options = DemoOptions()
        options.seconds = 1
        options.fileBytes = 2_000_000
        options.seed = 7
        options.directory = directory
        options.virtualRuns = 5
        let demo = try Demo(options)
        let summary = try await demo.run()

        let compared = summary.comparison
        #expect(compared.contenders.map(\.name) == ["min-rtt", "round-robin", "steady", "learned"])
        #expect(compared.seeds == [7, 8, 9, 10, 11])
        #expect(compared.headlines.count == 3)

        let file = try GeneratedFile.write(directory + "/again", bytes: 2_000_000, seed: 7)
        unlink(directory + "/again")
        let run = summary.run
        #expect(run.sentDigest == file)
        #expect(run.receivedDigest == file)
        #expect(run.fileBytes == 2_000_000)
        #expect(run.messages == summary.scenario.messageCount)
        #expect(run.deliveries.count == run.messages)
        // How many arrive in time depends on the machine; that some do does not.
        #expect(run.deliveries.contains { $0.isFinite })
        #expect(run.late >= run.deliveries.count { !$0.isFinite })
        #expect(run.damaged == 0)
        #expect(run.dropped == 0)
        #expect(run.goodput > 0)
        #expect(run.extraShare > 0, "headers and acknowledgements are bytes, too")
        #expect(run.status.paths.count == 3)
        let trace = try TraceReader(path: run.trace)
        let report = try TraceVerifier(trace).verify()
        #expect(report.isSound, "\(report.issues)")
        #expect(report.decisions > 100)
        #expect(try trace.info().policies == ["learned"])
        #expect(demo.progress.share == 1)
        #expect(demo.progress.done.count == 2)

        // The model is the one that the real run began with.
        let model = try Model.load(summary.training.path)
        #expect(model == summary.training.model)
        #expect(run.status.modelHash == model.hash)
        #expect(
            summary.evaluation.policies.map(\.label) == [
                "min-rtt", "round-robin", "trained model",
            ])

        // The sent file is removed, and the traces and the model are kept.
        #expect(access(directory + "/file.bin", F_OK) != 0)
        #expect(access(directory + "/received", F_OK) != 0)

        try checkReport(summary)
    }

    private func checkReport(_ summary: DemoSummary) throws {
        let text = summary.text()
        for policy in ["min-rtt", "round-robin", "steady", "learned"] {
            #expect(text.contains("\n\(policy) "), "no row for \(policy)")
        }
        #expect(text.contains(summary.directory))
        #expect(!text.contains("\u{1b}"))
        let html = try summary.page().html()
        // Of the comparison: times and differences of messages and of the file. Of the real run:
        // delivery times, late messages, shares, progress, RTT; of the evaluation: values, values
        // over time, the weights of three policies.
        #expect(html.components(of: "<svg").count - 1 == 14)
        for title in [
            "Delivery time of messages", "Share of bytes by path: learned", "Progress of the file",
        ] {
            #expect(html.contains(title))
        }
        #expect(!html.contains("src="), "a page in one file")
        let json = summary.json.text()
        #expect(json.contains("\"policy\":\"learned\""))
        #expect(json.contains("\"baseline\":\"min-rtt\""))
        #expect(json.contains("\"verdict\""))
    }

    @Test func cancellingLeavesNothingBehind() async throws {
        let directory = try temporaryDirectory()
        defer { remove(directory) }
        var options = DemoOptions()
        options.seconds = 2
        options.fileBytes = 100_000
        options.virtualRuns = 100_000
        options.directory = directory
        let demo = try Demo(options)
        let work = Task { try await demo.run() }
        while demo.progress.share < 0.0501 { try await Task.sleep(for: .milliseconds(10)) }
        work.cancel()
        let result = await work.result
        #expect(throws: DemoError.self) { try result.get() }
        guard case .failure(let error) = result, case .interrupted? = error as? DemoError else {
            Issue.record("not said to be interrupted: \(result)")
            return
        }
        #expect(access(directory + "/file.bin", F_OK) != 0)
        #expect(access(directory + "/received", F_OK) != 0)
        // The simulated recordings are whole.
        let trace = try TraceReader(path: directory + "/demo.min-rtt.1000001.trace")
        #expect(try TraceVerifier(trace).verify().isSound)
    }
}

extension String {
    fileprivate func components(of separator: String) -> [Substring] {
        split(separator: separator, omittingEmptySubsequences: false)
    }
}
