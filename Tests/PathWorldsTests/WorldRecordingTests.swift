import Glibc
import PathLearning
import PathTelemetry
import PathTrace
import Testing

@testable import PathWorlds

/// Runs are recorded as live sessions are.
@Suite(.serialized) struct WorldRecordingTests {
    /// Recording changes nothing in a run; equal runs make equal files; a trace has what was decided.
    @Test(arguments: ["learned", "redundant"])
    func equalRunsMakeEqualFiles(policy: String) throws {
        var template = Array("/tmp/pathwise-worlds-XXXXXX".utf8CString)
        let folder = try #require(mkdtemp(&template).map { String(cString: $0) })
        defer { for number in 0..<6 { clean(folder + "/\(number)") }; rmdir(folder) }
        var world = try ShippedWorlds.world(named: "S3")
        world.duration = .seconds(5)
        let contender = Contender(
            name: policy, policy: try PolicySpecification(parsing: policy), model: nil)
        let plain = try WorldRun(world: world, contender: contender, seed: 1).run(
            world: 0, contender: 0)
        var files: Set<[UInt8]> = []
        for number in 0..<6 {
            let place = folder + "/\(number)"
            try #require(mkdir(place, 0o700) == 0)
            let run = try WorldRun(
                world: world, contender: contender, seed: 1, recordings: place
            ).run(world: 0, contender: 0)
            #expect(run.fingerprint == plain.fingerprint && run.decisions == plain.decisions)
            let file = place + "/" + WorldRun.fileName("S3", policy, 1)
            files.insert(try #require(bytes(of: file)))
            let sessions = try TraceReader(path: file).info().sessions
            #expect(sessions.reduce(0) { $0 + $1.decisions } == plain.decisions)
            #expect(sessions.map(\.session.info.role) == ["simulate", "simulate"])
        }
        #expect(files.count == 1)
    }

    private func bytes(of file: String) -> [UInt8]? {
        guard let handle = fopen(file, "re") else { return nil }
        defer { fclose(handle) }
        var bytes = [UInt8](repeating: 0, count: 4 << 20)
        let count = fread(&bytes, 1, bytes.count, handle)
        return Array(bytes[..<count])
    }

    private func clean(_ folder: String) {
        unlink(folder + "/" + WorldRun.fileName("S3", "learned", 1))
        unlink(folder + "/" + WorldRun.fileName("S3", "redundant", 1))
        rmdir(folder)
    }

    @Test func fileNames() {
        #expect(WorldRun.fileName("S1", "single:path=0/x", 7) == "S1.single-path-0-x.7.trace")
    }
}
