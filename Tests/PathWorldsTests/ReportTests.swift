import Glibc
import PathLearning
import PathReport
import PathTelemetry
import Testing

@testable import PathWorlds

/// Every world can be drawn, with what its links could carry.
@Suite struct ReportTests {
    private func page(of world: WorldSpecification) throws -> String {
        var world = world
        // As short as what it sends allows.
        for seconds in [Int64(2), 5, 15, 30] where .seconds(seconds) < world.duration {
            var shorter = world
            shorter.shorten(to: .seconds(seconds))
            guard shorter.lateStart == nil else { continue }
            world = shorter
            break
        }
        let steady = Contender(name: "steady", policy: .steady, model: nil)
        let campaign = Campaign(worlds: [world], contenders: [steady], seeds: [1], jobs: 1)
        let comparison = Comparison(
            worlds: [world], contenders: [steady], baseline: 0, confidence: 0.95,
            runs: try campaign.run { _ in true })
        let folder = try TemporaryFolder(named: "report-test").path
        defer { rmdir(folder) }
        let traces = try campaign.record(world: 0, in: folder)
        defer { for trace in traces { unlink(trace) } }
        let drawings = try comparison.timeLines(of: 0, traces: traces)
        #expect(drawings.count == world.links.count + 1, "\(world.name)")
        return comparison.page(shares: [drawings]).html()
    }

    @Test(arguments: ShippedWorlds.names)
    func shippedWorlds(_ name: String) throws {
        let html = try page(of: try ShippedWorlds.world(named: name))
        #expect(html.contains("<h2>\(name)</h2>"))
    }

    /// The queues of random worlds are managed in 15 of 100 links.
    @Test(arguments: 1...20)
    func randomWorlds(_ seed: Int) throws {
        let world = try RandomWorld.world(seed: UInt64(seed))
        #expect(try page(of: world).contains("<h2>\(world.name)</h2>"))
    }
}
