import PathEvaluation
import PathTelemetry
import Synchronization

/// Every policy in every world with every seed, on several threads.
///
/// The result does not depend on the number of threads: every run is alone, and results are in the
/// order of seeds, worlds and policies.
public struct Campaign: Sendable {
    public let worlds: [WorldSpecification]
    public let contenders: [Contender]
    public let seeds: [UInt64]
    private let jobs: Int
    /// Folder in which every run is recorded, one trace each; nil records nothing.
    public var recordings: String?

    /// How far a campaign is.
    public struct Progress: Sendable {
        public var done: Int
        public var total: Int
        /// Seconds of virtual time that were run.
        public var virtualSeconds: Double
    }

    /// - Parameters:
    ///   - seeds: one run of each policy and world with each.
    ///   - jobs: threads; nil for one on each processor.
    public init(
        worlds: [WorldSpecification], contenders: [Contender], seeds: [UInt64], jobs: Int? = nil
    ) {
        self.worlds = worlds
        self.contenders = contenders
        self.seeds = seeds
        self.jobs = max(1, jobs ?? Parallel.processors)
    }

    /// Number of runs.
    public var count: Int { worlds.count * contenders.count * seeds.count }

    private struct Board {
        var next = 0
        var done = 0
        var virtualSeconds = 0.0
        var results: [RunFigures?]
        var failure: (any Error)?
    }

    /// Runs every policy in one world with the first seed, and records it in a folder.
    ///
    /// - Returns: the traces, in the order of the policies.
    public func record(world: Int, in folder: String) throws -> [String] {
        try contenders.filter { !$0.isOracle }.map { contender in
            let run = WorldRun(
                world: worlds[world], contender: contender, seed: seeds[0], recordings: folder)
            _ = try run.logs()
            return folder + "/" + WorldRun.fileName(worlds[world].name, contender.name, seeds[0])
        }
    }

    /// Runs all on threads of their own, and blocks none of the caller's; see `run`.
    ///
    /// - Parameter report: called by the threads for each second of virtual time; returning false
    ///   ends the campaign.
    /// - Returns: the runs of all seeds that are complete.
    public func results(
        report: @escaping @Sendable (Progress) -> Bool
    ) async throws -> [RunFigures] {
        try await withCheckedThrowingContinuation { continuation in
            do {
                try WorkerThread(named: "campaign") {
                    continuation.resume(with: Result { try run(report: report) })
                }.detach()
            } catch {
                continuation.resume(throwing: error)
            }
        }
    }

    /// Runs all; blocks until they have ended.
    ///
    /// - Parameter report: called by the threads for each second of virtual time; returning false
    ///   ends the campaign and the runs under way.
    /// - Returns: the runs of all seeds that are complete.
    /// - Throws: `WorldError`, and errors of policies that do not fit the world.
    func run(report: @escaping @Sendable (Progress) -> Bool) throws -> [RunFigures] {
        let board = Mutex(Board(results: Array(repeating: nil, count: count)))
        let perSeed = worlds.count * contenders.count
        let work: @Sendable () -> Void = {
            while true {
                let place: Int? = board.withLock { board in
                    guard board.next < count, board.failure == nil else { return nil }
                    defer { board.next += 1 }
                    return board.next
                }
                guard let place else { return }
                let world = place % perSeed / contenders.count
                let contender = place % contenders.count
                let begun = Mutex(0.0)
                let run = WorldRun(
                    world: worlds[world], contender: contenders[contender],
                    seed: seeds[place / perSeed], recordings: recordings
                ) { elapsed in
                    let progress: Progress = board.withLock { board in
                        board.virtualSeconds += elapsed.seconds - begun.withLock { $0 }
                        return Progress(
                            done: board.done, total: count, virtualSeconds: board.virtualSeconds)
                    }
                    begun.withLock { $0 = elapsed.seconds }
                    return report(progress)
                }
                let result = Result { try run.run(world: world, contender: contender) }
                let progress: Progress = board.withLock { board in
                    switch result {
                    case .success(let figures): board.results[place] = figures
                    case .failure(let error):
                        // An ended run leaves its place empty.
                        if !(error is CancellationError) { board.failure = board.failure ?? error }
                    }
                    board.done += 1
                    return Progress(
                        done: board.done, total: count, virtualSeconds: board.virtualSeconds)
                }
                if !report(progress) { board.withLock { $0.next = count } }
            }
        }
        var threads: [WorkerThread] = []
        for number in 1..<max(2, min(jobs, count)) where number < jobs {
            if let thread = try? WorkerThread(named: "world \(number)", work) {
                threads.append(thread)
            }
        }
        work()
        for thread in threads { thread.join() }
        return try board.withLock { board in
            if let failure = board.failure { throw failure }
            let complete = (0..<seeds.count).filter { seed in
                board.results[seed * perSeed..<(seed + 1) * perSeed].allSatisfy { $0 != nil }
            }
            return complete.flatMap { seed in
                board.results[seed * perSeed..<(seed + 1) * perSeed].compactMap { $0 }
            }
        }
    }
}
