import PathEvaluation
public import PathLearning
import PathNetwork
import PathSimulation
import PathTelemetry
import PathTrace
import PathWorlds
import Synchronization

/// The demonstration records two policies in virtual time, trains a model on that, compares four
/// policies in virtual time over many seeds, and then runs the learned one over real sockets and
/// emulated links, and evaluates that run's recording.
///
/// It needs no privileges. Call `run` once; `progress` may be read from any thread meanwhile.
public final class Demo: Sendable {
    public let scenario: DemoScenario
    private let options: DemoOptions
    private let current = Mutex(DemoProgress())
    private let world = Mutex<(world: DemoWorld, started: Instant)?>(nil)

    /// - Throws: `DemoError.other` if the seconds are out of range.
    public init(_ options: DemoOptions) throws(DemoError) {
        guard DemoOptions.secondsRange.contains(options.seconds) else {
            throw .other(
                "\(options.seconds) seconds; choose \(DemoOptions.secondsRange.lowerBound) to "
                    + "\(DemoOptions.secondsRange.upperBound)")
        }
        self.options = options
        do throws(SimulationError) {
            scenario = try DemoScenario(options)
        } catch {
            throw .simulation(error)
        }
    }

    /// The policies that are compared; the first is the baseline, the last is run for real too.
    public static let policies: [PolicySpecification] = [
        .minRTT, .roundRobin, .steady, .learned(),
    ]
    /// The policies that the model is trained on, and with how many seeds.
    private static let recorded: [PolicySpecification] = [.minRTT, .roundRobin]
    private static let recordedSeeds: UInt64 = 2
    /// The first of them, counted from the first of the comparison, which has fewer.
    private static let recordedFirst: UInt64 = 1_000_000

    /// Shares of the whole that are done before the comparison and before the real run.
    private static let beforeComparison = 0.05
    private static let beforeRealRun = 0.55

    /// Executes all runs.
    ///
    /// A cancelled task ends them cleanly and leaves no files behind, except in a directory that
    /// the caller named.
    public func run() async throws(DemoError) -> DemoSummary {
        let started = MonotonicClock.now()
        let place = try DemoDirectory(options.directory)
        var traces: [String] = []
        do {
            note("recording \(names(Demo.recorded)) in virtual time", share: 0)
            for seed in 0..<Demo.recordedSeeds {
                traces += try record(
                    seed: options.seed &+ Demo.recordedFirst &+ seed, in: place)
                try Task.checkCancellation()
            }
            note("training on \(traces.count) recordings", share: Demo.beforeComparison)
            let training = try ModelTraining(
                traces: traces, policies: Demo.recorded.map(\.name),
                path: place.path(of: "model.safetensors"))
            let comparison = try await compare(training.model)
            for (_, sentence) in comparison.headlines.suffix(1) { done(sentence) }
            let policy = Demo.policies[Demo.policies.count - 1]
            let trace = place.path(of: policy.name + ".trace")
            traces.append(trace)
            let run = try await run(policy, training.model, place, trace: trace)
            done(run.headline)
            note("evaluating policies on the recording", share: 0.98)
            let evaluation = try evaluate(run, training)
            place.removeTransferred()
            note("done", share: 1)
            return DemoSummary(
                scenario: scenario, comparison: comparison, training: training, run: run,
                evaluation: evaluation, directory: place.root,
                elapsed: (MonotonicClock.now() - started).seconds)
        } catch {
            place.removeTransferred()
            place.removeIfTemporary(traces)
            throw DemoError(error)
        }
    }

    // MARK: virtual time

    private func record(seed: UInt64, in place: DemoDirectory) throws -> [String] {
        try Campaign(
            worlds: [scenario.world],
            contenders: Demo.recorded.map { Contender(name: $0.name, policy: $0, model: nil) },
            seeds: [seed], jobs: 1
        ).record(world: 0, in: place.root)
    }

    private func compare(_ model: Model) async throws -> Comparison {
        let contenders = Demo.policies.map {
            Contender(name: $0.name, policy: $0, model: $0.needs.model ? model : nil)
        }
        let campaign = Campaign(
            worlds: [scenario.world], contenders: contenders,
            seeds: (0..<UInt64(options.virtualRuns)).map { options.seed &+ $0 })
        let isCancelled = Mutex(false)
        let runs = try await withTaskCancellationHandler {
            try await campaign.results { [self] now in
                let share = Double(now.done) / Double(now.total)
                note(
                    "virtual time: run \(now.done) of \(now.total)",
                    share: Demo.beforeComparison
                        + share * (Demo.beforeRealRun - Demo.beforeComparison))
                return isCancelled.withLock { !$0 }
            }
        } onCancel: {
            isCancelled.withLock { $0 = true }
        }
        try Task.checkCancellation()
        return Comparison(
            worlds: [scenario.world], contenders: contenders, baseline: 0, confidence: 0.95,
            runs: runs)
    }

    // MARK: real sockets

    private func run(
        _ policy: PolicySpecification, _ model: Model, _ place: DemoDirectory, trace: String
    ) async throws -> PolicyRun {
        try Task.checkCancellation()
        let file = place.path(of: "file.bin")
        _ = try GeneratedFile.write(file, bytes: scenario.fileBytes, seed: scenario.seed)
        let world = try DemoWorld(scenario, policy: policy, model: model, trace: trace)
        self.world.withLock { $0 = (world, MonotonicClock.now()) }
        defer { self.world.withLock { $0 = nil } }
        var run = try await world.run(file: file, inbox: try place.inbox())
        run.trace = trace
        guard run.receivedDigest == run.sentDigest, run.fileBytes == scenario.fileBytes else {
            throw DemoError.damaged(policy: policy.name, what: "the file's SHA-256 differs")
        }
        guard run.damaged == 0 else {
            throw DemoError.damaged(
                policy: policy.name, what: "\(run.damaged) messages with other bytes")
        }
        return run
    }

    /// Evaluates other policies, and the model as trained, on the recording.
    private func evaluate(
        _ run: PolicyRun, _ training: ModelTraining
    ) throws -> EvaluationReport {
        try TraceEvaluation().evaluate(
            [try TraceReader(path: run.trace)],
            policies: [
                .policy(.minRTT), .policy(.roundRobin),
                .policy(
                    .learned(), model: training.model, label: "trained model"),
            ])
    }

    // MARK: progress

    /// The current progress.
    public var progress: DemoProgress {
        var progress = current.withLock { $0 }
        guard let (world, started) = self.world.withLock({ $0 }) else { return progress }
        let elapsed = (MonotonicClock.now() - started).seconds
        let counts = world.log.counts
        let streamed = min(1, elapsed / scenario.fileStart)
        let filed = Double(counts.fileBytes) / Double(max(1, scenario.fileBytes))
        let expected = scenario.fileStart + Demo.expectedFileSeconds
        let share =
            (streamed * scenario.fileStart + filed * Demo.expectedFileSeconds) / expected
        progress.share = Demo.beforeRealRun + share * (0.98 - Demo.beforeRealRun)
        progress.step =
            world.policy.name + " over real sockets: "
            + (counts.fileBytes == 0
                ? "stream of messages, \(counts.messages) of \(scenario.messageCount) arrived"
                : "file, \(Int(filed * 100)) % arrived")
        return progress
    }

    /// The expected duration, used only for the progress bar.
    private static let expectedFileSeconds = 4.5

    private func note(_ step: String, share: Double) {
        current.withLock {
            $0.step = step
            $0.share = max($0.share, share)
        }
    }

    private func done(_ line: String) { current.withLock { $0.done.append(line) } }

    private func names(_ policies: [PolicySpecification]) -> String {
        policies.map(\.name).joined(separator: " and ")
    }
}
