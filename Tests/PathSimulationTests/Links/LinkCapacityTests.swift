import PathTelemetry
import Testing

@testable import PathSimulation

/// What a link can carry is what its options say.
@Suite struct LinkCapacityTests {
    private func rates(_ text: String, seconds: Int64 = 10) throws -> [Double] {
        let link = try LinkSpecification(parsing: text)
        let found = LinkCapacity.rates(
            of: link.forward, seed: 1, path: 0, direction: .forward, over: .seconds(seconds),
            stretches: Int(seconds))
        return try #require(found).map { $0 * 8 / 1e6 }
    }

    @Test func ratesStepsAndOutages() throws {
        let rates = try rates("rate=20,rate@5=5,down=7-8,queue=50000b")
        #expect(rates.count == 10)
        for second in 1..<5 { #expect(abs(rates[second] - 20) < 0.3, "\(rates)") }
        #expect(abs(rates[6] - 5) < 0.2 && rates[7] < 0.3 && abs(rates[9] - 5) < 0.2, "\(rates)")
    }

    @Test func lossCountsAndAFastLinkIsFull() throws {
        let lossy = try rates("rate=10,loss=0.1,queue=50000b")
        #expect(abs(lossy[5] - 9) < 0.5, "\(lossy)")
        let fast = try rates("rate=1000,queue=100000b", seconds: 2)
        #expect(abs(fast[1] - 1000) < 20, "\(fast)")
    }

    /// A queue for each flow never refuses a packet, and a policer and a dead link refuse all at
    /// one moment: each is looked at in little time and memory.
    @Test(arguments: [
        ("rate=10,aqm=fq-codel", 10.0), ("rate=10,aqm=codel", 10), ("rate=20,police=5", 5),
        ("rate=10,aqm=fq-codel,queue=50000b", 10), ("rate=10,netem=1,loss=1", 0),
    ])
    func queuesThatRefuseNothing(_ text: String, _ expected: Double) throws {
        let started = ContinuousClock.now
        let rates = try rates(text, seconds: 6)
        #expect(ContinuousClock.now - started < .seconds(20))
        #expect(abs(rates[4] - expected) < 0.3, "\(rates)")
    }

    @Test func withoutARateThereIsNone() throws {
        let link = try LinkSpecification(parsing: "rtt=20")
        let found = LinkCapacity.rates(
            of: link.forward, seed: 1, path: 0, direction: .forward, over: .seconds(1),
            stretches: 1)
        #expect(found == nil)
    }
}
