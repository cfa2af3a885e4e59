import Glibc
import PathLearning
import PathTelemetry
import Testing

@testable import PathWorlds

/// The worlds that ship can be run.
@Suite struct ShippedWorldTests {
    /// Every file of the folder is in the program, under its name.
    @Test func allFilesShip() throws {
        let here = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let folder = try #require(opendir("/\(here)/datasets/worlds"))
        defer { closedir(folder) }
        var files: Set<String> = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasSuffix(".toml") { files.insert(String(name.dropLast(5))) }
        }
        #expect(files == Set(ShippedWorlds.names))
        #expect(files.count == ShippedWorlds.names.count)
    }

    /// Each runs for some seconds and delivers what it sends; links keep no packet and lose none
    /// without counting it.
    @Test(arguments: ShippedWorlds.names)
    func eachRuns(name: String) throws {
        var world = try ShippedWorlds.world(named: name)
        #expect(world.name == name && !world.summary.isEmpty)
        world.duration = .seconds(4)
        let contender = Contender(name: "steady", policy: .steady, model: nil)
        let run = try WorldRun(world: world, contender: contender, seed: 3).run(
            world: 0, contender: 0)
        #expect(run.payloadBytes > 0 && run.decisions > 0)
        #expect(run.workloads.count == world.workloads.count)
        if let late = run.workloads.first(where: { $0[.late].isFinite })?[.late] {
            #expect(late < 0.5, "\(late)")
        }
    }

    @Test func anUnknownName() {
        #expect(throws: WorldError.self) { try ShippedWorlds.world(named: "S99") }
    }
}
