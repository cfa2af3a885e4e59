import Glibc
import Testing

@testable import PathDemo
@testable import PathSimulation
@testable import PathTelemetry

struct ScenarioTests {
    @Test func sameOptionsSameWorld() throws {
        var options = DemoOptions()
        options.seed = 3
        let one = try DemoScenario(options)
        let other = try DemoScenario(options)
        #expect(one.links.map(\.text) == other.links.map(\.text))
        #expect(one.links.count == 3)
        #expect(Set(one.links.map { $0.specification.name ?? "" }).count == 3)
    }

    @Test(arguments: [1.0, 5, 20, 120])
    func linksFailInsideTheStream(seconds: Double) throws {
        var options = DemoOptions()
        options.seconds = seconds
        let scenario = try DemoScenario(options)
        let outages = scenario.links.flatMap(\.specification.forward.outages)
        #expect(outages.count == 2)
        let first = try #require(outages.first)
        #expect(abs(first.start.nanoseconds - Int64((0.6 + seconds / 2) * 1e9)) <= 1_000_000)
        #expect(first.end.nanoseconds <= Int64((0.6 + seconds) * 1e9))
        #expect(scenario.links.contains { $0.specification.forward.burstLoss != nil })
        #expect(scenario.links.contains { !$0.specification.forward.rateSteps.isEmpty })
    }

    @Test(arguments: [0, 0.5, 121, Double.nan])
    func secondsOutOfRangeAreRefused(seconds: Double) {
        var options = DemoOptions()
        options.seconds = seconds
        #expect(throws: DemoError.self) { try Demo(options) }
    }

    @Test func messagesCarryNumberAndTime() {
        let time = Instant(nanoseconds: 987_654_321_012_345)
        for number in [0, 1, 255, 256, 70_000] {
            var bytes = MessageFeed.bytes(number, at: time, count: 100)
            let parsed = MessageFeed.parse(bytes, count: 100)
            #expect(parsed?.number == number)
            #expect(parsed?.sent == time)
            bytes[50] ^= 1
            #expect(MessageFeed.parse(bytes, count: 100) == nil)
            #expect(MessageFeed.parse(bytes, count: 101) == nil)
        }
    }

    @Test func sameSeedSameFile() throws {
        let path = "/tmp/pathwise-demo-file-\(getpid())"
        defer { unlink(path) }
        let one = try GeneratedFile.write(path, bytes: 100_003, seed: 5)
        #expect(try GeneratedFile.write(path, bytes: 100_003, seed: 5) == one)
        #expect(try GeneratedFile.write(path, bytes: 100_003, seed: 6) != one)
        var status = stat()
        #expect(stat(path, &status) == 0)
        #expect(status.st_size == 100_003)
    }

    @Test func longestGapCountsBothEnds() {
        #expect(PolicyRun.longestGap([], until: 3) == 3)
        #expect(PolicyRun.longestGap([1, 1.5, 2], until: 3) == 1)
        #expect(PolicyRun.longestGap([0.1, 0.2, 2.9], until: 3) == 2.9 - 0.2)
    }
}
