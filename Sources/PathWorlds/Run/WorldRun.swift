import PathForward
public import PathLearning
import PathSimulation
import PathTelemetry
import PathTrace
import PathTransport

/// A policy that takes part in a comparison.
public struct Contender: Sendable {
    /// As users write it.
    public var name: String
    public var policy: PolicySpecification
    /// What it starts from; nil for a policy without a model.
    public var model: Model?
    /// Whether it is no policy but the one who knows the future (`Oracle`).
    var isOracle = false

    public init(name: String, policy: PolicySpecification, model: Model?) {
        self.name = name
        self.policy = policy
        self.model = model
    }

    /// Someone who knows the links' future and sends every message once.
    public static var oracle: Contender {
        var oracle = Contender(name: "oracle", policy: .earliest, model: nil)
        oracle.isOracle = true
        return oracle
    }
}

/// One policy in one world with one seed: the shipped endpoints in virtual time.
struct WorldRun {
    let world: WorldSpecification
    let contender: Contender
    let seed: UInt64
    /// Folder of the recording; nil records nothing.
    var recordings: String?
    /// Called for each second of virtual time, with the time since the start; returning false ends
    /// the run.
    var goesOn: @Sendable (TimeDelta) -> Bool = { _ in true }

    /// Runs it to the end.
    ///
    /// - Parameters:
    ///   - index: the world's place in the campaign.
    ///   - place: the contender's.
    /// - Throws: `CancellationError` if it was ended.
    func run(world index: Int, contender place: Int) throws -> RunFigures {
        if contender.isOracle {
            let found = Oracle(world: world, seed: seed).logs()
            return figures(
                world: index, contender: place, logs: found?.logs, links: found?.links ?? [])
        }
        let run = try execute()
        var figures = figures(
            world: index, contender: place, logs: run.application.logs(), links: run.links)
        figures.linkBytes = run.offeredBytes
        let client = run.client.statistics
        let server = run.serverStatistics ?? ConnectionStatistics()
        figures.copiedBytes = Int(clamping: client.bytesDuplicated &+ server.bytesDuplicated)
        figures.decisions = Int(clamping: client.decisions &+ server.decisions)
        figures.forcedDecisions = Int(clamping: client.forcedDecisions &+ server.forcedDecisions)
        figures.failovers = run.application.changes.failovers
        figures.demotions = run.application.changes.demotions
        figures.firstDemotion = run.application.firstDemotion
        figures.endedBy = run.application.closeReason.map { "\($0)" }
        figures.fingerprint = run.transcriptHash
        return figures
    }

    /// What each workload experienced.
    func logs() throws -> [WorkloadLog] {
        let run = try execute()
        return run.application.logs()
    }

    /// What follows from the logs of the workloads and the counters of the links.
    private func figures(
        world index: Int, contender place: Int, logs: [WorkloadLog]?, links: [DuplexLink]
    ) -> RunFigures {
        let start = WorldClock.start
        return RunFigures(
            world: index, contender: place, seed: seed,
            workloads: logs?.map {
                WorkloadFigures($0, warmUp: start + world.warmUp, end: start + world.duration)
            } ?? world.workloads.map { _ in WorkloadFigures(values: [], blocks: []) },
            linkBytes: links.map {
                $0.forward.counters.sent.bytes + $0.backward.counters.sent.bytes
            },
            payloadBytes: logs?.reduce(0) { $0 + $1.bytes } ?? 0)
    }

    private func execute() throws -> World<WorldTraffic> {
        var settings = WorldSettings()
        let names = world.links.map(\.name)
        settings.policy = try contender.policy.resolved(names: names)
        // A world has all its paths from the start.
        if let path = settings.policy.needs.boundPath, path.index >= names.count {
            throw LearningError.unknownPath(name: "\(path.index)", known: names)
        }
        settings.serverPolicy = settings.policy
        settings.model = contender.model
        settings.serverModel = contender.model
        let start = WorldClock.start
        let offset = settings.serverClockOffset
        let tape = try recordings.map { folder in
            let selector = try PathSelector(
                settings.policy, model: contender.model, seed: seed)
            return try WorldTape(
                path: folder + "/" + WorldRun.fileName(world.name, contender.name, seed),
                command: "pathwise simulate, world \(world.name)",
                info: SessionInfo(
                    startedWallClock: start.nanoseconds, started: start, role: "simulate",
                    policy: selector.name,
                    modelHash: selector.modelHash == 0 ? "" : StableHash.text(selector.modelHash),
                    seed: seed),
                serverOffset: offset)
        }
        // The windows and limits of `forward` and `serve`.
        settings.client.prepareForForwards()
        settings.server.prepareForForwards()
        // As long as a forward keeps a session without any path.
        settings.client.parameters.idleTimeout = WorldRun.idleTimeout
        settings.server.parameters.idleTimeout = WorldRun.idleTimeout
        if tape != nil {
            settings.client.isRecording = true
            settings.server.isRecording = true
        }
        let traffic = WorldTraffic(
            world, seed: seed, start: start, serverOffset: offset, tape: tape)
        var run = try World(
            network: world.network(seed: seed), traits: world.links.map(\.traits),
            settings: settings, application: traffic, seed: seed)
        var isEnded = false
        for second in 1..<max(2, Int(world.duration.seconds.rounded(.up)) + 1) where !isEnded {
            run.run(for: min(.seconds(Int64(second)), world.duration))
            if run.stall != nil { break }
            isEnded = !goesOn(run.elapsed)
        }
        if let stall = run.stall { throw WorldError.stalled(run: description, reason: stall) }
        try tape?.close(clientEnd: run.now, serverEnd: run.now + offset)
        if isEnded { throw CancellationError() }
        return run
    }

    private static let idleTimeout = TimeDelta.seconds(900)

    /// The name of a run's trace: plain characters only.
    static func fileName(_ world: String, _ contender: String, _ seed: UInt64) -> String {
        let plain = contender.map { PlainName.allows(String($0)) ? $0 : "-" }
        return "\(world).\(String(plain)).\(seed).trace"
    }

    private var description: String { "world \(world.name), \(contender.name), seed \(seed)" }
}
