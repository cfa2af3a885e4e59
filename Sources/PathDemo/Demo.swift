import PathEvaluation
public import PathLearning
import PathNetwork
import PathSimulation
import PathTelemetry
import PathTrace
import Synchronization

/// The demonstration runs three policies in the same emulated world and records each run; it trains
/// a model on the first two recordings for the third run, and evaluates that run's recording.
///
/// It uses real sockets on loopback and no privileges. Call `run` once; `progress` may be read from
/// any thread meanwhile.
public final class Demo: Sendable {
    public let scenario: DemoScenario
    private let options: DemoOptions
    private let current = Mutex(DemoProgress())
    private let world = Mutex<(world: DemoWorld, started: Instant, before: Double)?>(nil)

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

    /// The policies in the order of their runs.
    public static let policies: [PolicySpecification] = [
        .minRTT, .roundRobin, .learned(),
    ]

    /// Executes all runs.
    ///
    /// A cancelled task ends them cleanly and leaves no files behind, except in a directory that
    /// the caller named.
    public func run() async throws(DemoError) -> DemoSummary {
        let started = MonotonicClock.now()
        let place = try DemoDirectory(options.directory)
        do {
            let file = place.path(of: "file.bin")
            _ = try GeneratedFile.write(file, bytes: scenario.fileBytes, seed: scenario.seed)
            var runs: [PolicyRun] = []
            var training: ModelTraining?
            for policy in Demo.policies {
                if policy.needs.model {
                    note("training on \(runs.count) recordings")
                    training = try ModelTraining(
                        runs: runs, path: place.path(of: "model.safetensors"))
                }
                runs.append(try await run(policy, training?.model, place, file, runs.count))
                let done = runs
                current.withLock { $0.runs = done }
            }
            guard let training, let learned = runs.last else {
                throw DemoError.other("no policy was trained")
            }
            note("evaluating policies on the recording")
            let evaluation = try evaluate(learned, training)
            place.removeTransferred()
            current.withLock { $0.share = 1 }
            return DemoSummary(
                scenario: scenario, runs: runs, training: training, evaluation: evaluation,
                directory: place.root, elapsed: (MonotonicClock.now() - started).seconds)
        } catch {
            place.removeTransferred()
            place.removeIfTemporary()
            throw DemoError(error)
        }
    }

    private func run(
        _ policy: PolicySpecification, _ model: Model?, _ place: DemoDirectory, _ file: String,
        _ number: Int
    ) async throws -> PolicyRun {
        try Task.checkCancellation()
        let trace = place.path(of: policy.name + ".trace")
        let world = try DemoWorld(scenario, policy: policy, model: model, trace: trace)
        self.world.withLock {
            $0 = (world, MonotonicClock.now(), Double(number) / Double(Demo.policies.count))
        }
        defer { self.world.withLock { $0 = nil } }
        var run = try await world.run(file: file, inbox: try place.inbox(policy.name))
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

    /// Evaluates the other policies, and the model as trained, on the learned policy's recording.
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
        guard let (world, started, before) = self.world.withLock({ $0 }) else { return progress }
        let elapsed = (MonotonicClock.now() - started).seconds
        let counts = world.log.counts
        let streamed = min(1, elapsed / scenario.fileStart)
        let filed = Double(counts.fileBytes) / Double(max(1, scenario.fileBytes))
        let expected = scenario.fileStart + Demo.expectedFileSeconds
        let share =
            (streamed * scenario.fileStart + filed * Demo.expectedFileSeconds) / expected
        progress.share = before + share / Double(Demo.policies.count) * 0.98
        progress.step =
            world.policy.name + ": "
            + (counts.fileBytes == 0
                ? "stream of messages, \(counts.messages) of \(scenario.messageCount) arrived"
                : "file, \(Int(filed * 100)) % arrived")
        return progress
    }

    /// The expected duration, used only for the progress bar.
    private static let expectedFileSeconds = 4.5

    private func note(_ step: String) { current.withLock { $0.step = step } }
}
