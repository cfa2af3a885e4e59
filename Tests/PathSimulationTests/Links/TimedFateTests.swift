import PathTelemetry
import Testing

@testable import PathSimulation
@testable import PathTransport

/// With draws by time a link does the same at the same moment, whatever was sent before.
@Suite struct TimedFateTests {
    /// The arrival of a packet that was offered at each millisecond that both saw; nil if lost.
    private func fates(_ options: String, every gap: Int64, for milliseconds: Int64) throws
        -> [Int64: Int64?]
    {
        var specification = try LinkSpecification(parsing: options)
        specification.drawByTime()
        var link = Link(specification.forward, seed: 11, path: 0, direction: .forward)
        var fates: [Int64: Int64?] = [:]
        var time: Int64 = 0
        while time < milliseconds {
            let now = Instant(nanoseconds: time * 1_000_000)
            while let delivery = link.popDelivery(now: now) {
                fates[Int64(delivery.token)] = delivery.time.nanoseconds
            }
            if case .dropped = link.handleSend(bytes: 500, token: Int(time), now: now) {
                fates[time] = .some(nil)
            }
            time += gap
        }
        return fates
    }

    @Test(arguments: [
        "rate=0,delay=30,loss=0.1", "rate=0,delay=30,fading=200:40",
        "rate=0,delay=30,jitter=20,reorder=1",
        "rate=0,delay=30,jitter=normal:5,reorder=1,loss=0.05,fading=500:30:0.01:0.7",
    ])
    func sparseAndDenseTraffic(options: String) throws {
        let dense = try fates(options, every: 1, for: 20_000)
        let sparse = try fates(options, every: 7, for: 20_000)
        let common = sparse.filter { $0.key < 19_800 }
        #expect(common.count > 2500)
        for (time, fate) in common { #expect(dense[time] == fate, "at \(time) ms") }
        #expect(
            Set(common.values.map { $0 == nil }).count == (options.contains("jitter=20") ? 1 : 2))
    }

    /// Stays are exponential by time: the share of loss and the mean length of a burst hold for
    /// sparse probes too, which a chain that steps by packet would see for minutes.
    @Test func fadingByTime() throws {
        for gap in [Int64(1), 50] {
            let fates = try fates("rate=0,fading=900:100", every: gap, for: 2_000_000)
            let lost = fates.values.filter { $0 == nil }.count
            let share = Double(lost) / Double(fates.count)
            #expect(abs(share - 0.1) < 0.02, "\(share)")
        }
        let dense = try fates("rate=0,fading=900:100", every: 1, for: 2_000_000)
        var bursts = 0
        for time in Int64(1)..<1_999_000 {
            if dense[time] == .some(nil), dense[time - 1] != .some(nil) { bursts += 1 }
        }
        let lost = dense.values.filter { $0 == nil }.count
        #expect(abs(Double(lost) / Double(bursts) - 100) < 15, "\(lost) \(bursts)")
    }

    /// Delay and loss change at their times.
    @Test func changes() throws {
        var link = try LinkSpecification(parsing: "rate=0,delay=10")
        link.change(to: try LinkSpecification(parsing: "rate=0,delay=50,loss=1"), at: .seconds(1))
        link.change(to: try LinkSpecification(parsing: "rate=0,delay=20"), at: .seconds(2))
        var forward = Link(link.forward, seed: 1, path: 0, direction: .forward)
        for (second, delay) in [(0.5, 10), (1.5, nil), (2.5, 20)] as [(Double, Int64?)] {
            let now = Instant.zero + TimeDelta(seconds: second)
            let result = forward.handleSend(bytes: 100, token: 1, now: now)
            guard let delay else {
                #expect(result == .dropped(.loss))
                continue
            }
            let due = now + .milliseconds(delay)
            #expect(forward.popDelivery(now: due)?.time == due)
        }
    }

    /// Thousands of outages are found as fast as one.
    @Test func manyOutages() throws {
        var specification = try LinkSpecification(parsing: "rate=0")
        specification.addOutages(
            (0..<20_000).map {
                let start = TimeDelta.milliseconds(Int64($0) * 100)
                return start..<(start + .milliseconds(10))
            })
        var link = Link(specification.forward, seed: 1, path: 0, direction: .forward)
        var down = 0
        for time in 0..<200_000 {
            let now = Instant(nanoseconds: Int64(time) * 5_000_000)
            while link.popDelivery(now: now) != nil {}
            if link.handleSend(bytes: 10, token: 0, now: now) == .dropped(.outage) { down += 1 }
        }
        #expect(down == 20_000)
    }
}
