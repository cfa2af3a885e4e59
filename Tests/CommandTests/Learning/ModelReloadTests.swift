import DenseMath
import Glibc
import Testing

@testable import PathLearning
@testable import PathTelemetry
@testable import PathTrace

/// A running sender whose model file is replaced: real processes over real sockets on loopback.
struct ModelReloadTests {
    private let keys: KeyPairs
    private var folder: Scratch { keys.folder }
    private var model: String { folder.file("model.safetensors") }
    private var trace: String { folder.file("run.trace") }

    init() throws { keys = try KeyPairs() }

    private func bytes(weight: Double) throws -> [UInt8] {
        try Model(
            residual: RidgeModel(
                head: LinearHead(
                    weights: [Double](repeating: weight, count: FeatureSchema.count),
                    intercept: 0,
                    precision: Matrix(diagonal: 100, size: FeatureSchema.count + 1),
                    totalWeight: 100, lambda: 1)), notes: [:]
        ).bytes()
    }

    /// Events about models that the recording has so far.
    private func events() -> [String] {
        var texts: [String] = []
        guard let reader = try? TraceReader(path: trace) else { return [] }
        try? reader.forEachEvent { _, event in
            if event.kind == .model { texts.append(event.text) }
        }
        return texts
    }

    private func waitForEvents(_ count: Int) throws {
        for _ in 0..<500 where events().count < count { usleep(20_000) }
        try #require(events().count == count, "\(events())")
    }

    @Test func newModelsAreTakenAndBadOnesRefusedWhileDataFlows() throws {
        let (first, second, third) = try (
            bytes(weight: 0), bytes(weight: 0.01), bytes(weight: 0.02)
        )
        write(first, to: model)
        let source = folder.file("pipe")
        #expect(mkfifo(source, 0o600) == 0)
        let pipe = open(source, O_RDWR | O_CLOEXEC)
        let receiver = try ListeningReceiver(keys, output: folder.file("arrived"), "--once")
        let sender = try Pathwise(
            [
                "send", "-", "--key", keys.clientFile, "--peer", keys.server, "--policy", model,
                "--record", trace, "--json",
            ] + receiver.to, inputFile: source)
        // The size of a pipe's buffer, so that this side never blocks on the sender.
        var sent: [UInt8] = []
        func feed(_ count: Int) {
            let part = (0..<count).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 13) }
            var done = 0
            while done < count {
                let written = part.withUnsafeBytes {
                    Glibc.write(pipe, $0.baseAddress.map { $0 + done }, count - done)
                }
                guard written > 0 else { return }
                done += written
            }
            sent += part
        }
        feed(2_000_000)
        // Renamed into place, as training does it.
        write(second, to: folder.file("next"))
        #expect(rename(folder.file("next"), model) == 0)
        try waitForEvents(1)
        feed(2_000_000)
        // The file is overwritten by half a model.
        write(Array(second.prefix(500)), to: model)
        try waitForEvents(2)
        feed(1_000_000)
        // A well-formed model of another schema.
        var tensors = try Safetensors(bytes: second)
        tensors.metadata["schema"] = "0123456789abcdef"
        write(tensors.bytes(), to: folder.file("next"))
        #expect(rename(folder.file("next"), model) == 0)
        kill(sender.process, SIGHUP)
        try waitForEvents(3)
        feed(1_000_000)
        write(third, to: folder.file("next"))
        #expect(rename(folder.file("next"), model) == 0)
        kill(sender.process, SIGHUP)
        try waitForEvents(4)
        feed(1_000_000)
        close(pipe)

        let run = sender.wait()
        #expect(run.status == 0)
        #expect(run.errors == "")
        #expect(receiver.process.wait().status == 0)
        #expect(Pathwise.bytesAreEqual(folder.file("arrived"), sent))

        let (hash2, hash3) = (StableHash(second).value, StableHash(third).value)
        let texts = events()
        #expect(texts[0] == "continues with model \(StableHash.text(hash2))")
        #expect(texts[1].hasPrefix("refused: model \(model): "))
        #expect(texts[2].hasPrefix("refused: model \(model): ") && texts[2].contains("schema"))
        #expect(texts[3] == "continues with model \(StableHash.text(hash3))")
        let json = try JSONReading(run)
        #expect(try json.count("model_changes") == 4)
        #expect(try json.text("model_changes", 0, "model_hash") == StableHash.text(hash2))
        #expect(try "refused: " + json.text("model_changes", 1, "refused") == texts[1])
        #expect(try "refused: " + json.text("model_changes", 2, "refused") == texts[2])
        #expect(try json.text("model_hash") == StableHash.text(hash3))
        #expect(try json.number("decisions") > 0)
        // The session began with the first model, and no record was lost.
        let reader = try TraceReader(path: trace)
        #expect(
            try reader.sessions().first?.info.modelHash == StableHash.text(StableHash(first).value))
        #expect(try Pathwise.run("trace", "verify", trace).status == 0)
    }
}
