import Glibc
import PathEmulation
import PathLearning
import PathNetwork
import PathSimulation
import PathTelemetry
import PathTransport
import Pathwise
import Synchronization

/// One run of one policy, in a new world.
///
/// The world has emulated links, a server behind them, and a client that sends the stream of
/// messages and then the file; the run is recorded.
final class DemoWorld: Sendable {
    let scenario: DemoScenario
    let policy: PolicySpecification
    let log: ArrivalLog

    private let emulation: Emulation
    private let server: Server
    private let recorder: SessionRecorder
    private let options: ClientOptions

    /// - Parameter trace: the file into which the run is recorded.
    init(
        _ scenario: DemoScenario, policy: PolicySpecification, model: Model?, trace: String
    ) throws {
        self.scenario = scenario
        self.policy = policy
        log = ArrivalLog(messageBytes: scenario.messageBytes)
        let key = try PrivateKey.generate()
        let clientKey = try PrivateKey.generate()
        let server = try Server(
            ServerConfiguration(
                key: key, clients: [clientKey.publicKey: .none], policy: .minRTT),
            listen: [.loopback(port: 0)])
        self.server = server
        guard let target = server.localAddresses.first else {
            throw DemoError.other("the server listens nowhere")
        }
        let emulation = try Emulation(
            Emulation.Options(
                links: scenario.links.map(\.specification), target: target, seed: scenario.seed))
        self.emulation = emulation
        recorder = try SessionRecorder(path: trace, command: "pathwise demo")
        var options = ClientOptions(
            identity: ClientIdentity(key: clientKey, peer: key.publicKey),
            plans: emulation.paths.map { PathPlan(name: $0.name, remote: $0.address) },
            policy: policy)
        options.model = model
        options.seed = scenario.seed
        options.recorder = recorder
        self.options = options
    }

    /// Executes the run and ends everything that it started, even if it fails.
    ///
    /// - Parameter file: the file to send.
    /// - Parameter inbox: the directory of the receiver.
    func run(file: String, inbox: String) async throws -> PolicyRun {
        var options = StoreOptions(
            place: .path(Array(inbox.utf8), isFolder: true),
            secret: Array(try PrivateKey.generate().publicKey.base64.utf8))
        options.onConflict = .replace
        let store = try ItemStore(options)
        let receiving = Task { [log, server] in await log.serve(server, into: store) }
        let result: Result<PolicyRun, any Error>
        do {
            result = .success(try await exchange(file))
        } catch {
            result = .failure(error)
        }
        await server.close()
        await receiving.value
        let links = emulation.stop()
        do {
            try recorder.close()
        } catch {
            // The first failure is the one to report.
            if case .success = result { throw error }
        }
        var run = try result.get()
        run.links = links.paths
        run.dropped = recorder.dropped
        return run
    }

    private func exchange(_ file: String) async throws -> PolicyRun {
        let session: Session
        do {
            session = try await Session.connect(options)
        } catch {
            throw Task.isCancelled ? DemoError.interrupted : error
        }
        do {
            let run = try await withTaskCancellationHandler {
                try await send(file, over: session)
            } onCancel: {
                // Closing the connection ends every wait of the session.
                Task { await session.close() }
            }
            await session.close()
            return run
        } catch {
            await session.close()
            throw Task.isCancelled ? DemoError.interrupted : error
        }
    }

    private func send(_ file: String, over session: Session) async throws -> PolicyRun {
        let start = emulation.started + TimeDelta(seconds: DemoScenario.warmUp)
        let offered = try await MessageFeed(scenario: scenario).run(over: session, from: start)
        let fileStart = emulation.started + TimeDelta(seconds: scenario.fileStart)
        try await sleep(until: fileStart)
        let began = MonotonicClock.now()
        let ended = Mutex<SentItem?>(nil)
        try await session.send(
            ItemFeed([Array(file.utf8)]), progress: { _ in },
            report: { item in ended.withLock { $0 = item } })
        guard let sent = ended.withLock({ $0 }) else {
            throw DemoError.damaged(policy: policy.name, what: "nothing was sent")
        }
        if let error = sent.error { throw error }
        let status = session.status()
        return PolicyRun(
            policy: policy.name, scenario: scenario, log: log.snapshot, offered: offered,
            streamStart: start, fileStart: began, sent: sent, status: status)
    }
}
