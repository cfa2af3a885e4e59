import Glibc
import PathLearning
import PathTelemetry
import PathTrace

/// What recording costs the thread that records, and how fast the writer follows.
enum RecordingBenchmarks {
    static let all = [Benchmark(name: "trace", run: recording)]

    private static func record(_ number: UInt64, _ set: CandidateSet) -> DecisionRecord {
        var distribution = ActionDistribution()
        for index in 0..<set.count { distribution.append(PathSet(PathID(index)), 0.25) }
        return DecisionRecord(
            number: number, time: .zero + .microseconds(Int64(number)),
            burst: BurstContext(bytes: 10_000, deadline: .seconds(1), trafficClass: .stream),
            candidates: set, decision: Decision(distribution: distribution, chosen: 1), draw: 0.4)
    }

    private static func recording() throws {
        var set = CandidateSet()
        for index in 0..<4 { set.append(Candidate(path: PathID(index))) }
        var folder = Array("/tmp/pathwise-bench-XXXXXX".utf8CString)
        guard mkdtemp(&folder) != nil else { return print("trace: no folder for temporary files") }
        let directory = String(
            decoding: folder.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        let path = directory + "/bench.trace"
        defer {
            for ending in ["", "-wal", "-shm"] { unlink(path + ending) }
            rmdir(directory)
        }
        let schema = TraceWriter.Schema(
            hash: StableHash.text(FeatureSchema.current.hash), text: FeatureSchema.current.text,
            names: FeatureSchema.current.names)
        let writer = try TraceWriter(path: path, schema: schema, programVersion: "benchmark")
        let session = writer.beginSession(
            SessionInfo(startedWallClock: 0, started: .zero, role: "benchmark"))
        let ring = writer.makeRing(bytes: 256 << 20)
        var recorded: UInt64 = 0
        let steps = 20_000
        // The writer empties the ring between the runs, so that nothing is dropped.
        var runs: [StepCost] = []
        var wall: [Double] = []
        for _ in 0..<4 {
            let began = Clock.wall
            let allocations = Allocations.count
            let start = Clock.processor
            for _ in 0..<steps {
                ring.record(record(recorded, set), session: session)
                recorded += 1
            }
            let time = Double(Clock.processor - start) / Double(steps)
            let count = Double(Allocations.count - allocations) / Double(steps)
            runs.append(StepCost(time: time, allocations: count))
            try writer.flush()
            wall.append(Double(Clock.wall - began) / Double(steps))
        }
        let cost = runs.dropFirst().sorted { $0.time < $1.time }[1]
        let drained = wall.dropFirst().sorted()[1]
        precondition(ring.drops.total == 0)
        report("trace, a decision over 4 paths into the ring", cost.text)
        report(
            "trace, decisions until they are in the file",
            "\(number(1e6 / drained)) thousand/s (wall), \(writer.statistics.commits) commits")
        try writer.close()
    }
}
