import PathLearning
import PathTelemetry
import Testing

@testable import PathTransport

extension ConnectionPair {
    /// Runs, sending a message of a size at an interval; nil sends none.
    fileprivate mutating func run(
        until end: TimeDelta, message: Int?, each interval: Int = 20
    ) throws {
        let content = [UInt8](repeating: 1, count: message ?? 0)
        while elapsed < end {
            if message != nil, (elapsed.nanoseconds / 1_000_000) % Int64(interval) == 0 {
                let (now, deadline) = (now, now + .milliseconds(150))
                _ = try? content.withUnsafeBytes {
                    try client.sendMessage(
                        $0, options: MessageOptions(deadline: deadline), now: now)
                }
            }
            run(milliseconds: 1)
            box?.with {
                while $0.receiveMessage() != nil {}
                while $0.pollEvent() != nil {}
            }
            while client.pollEvent() != nil {}
        }
    }

    fileprivate func smoothedRTT(_ path: Int) -> Double {
        client.snapshot(of: PathID(path), now: now)?.smoothedRTT.milliseconds ?? .nan
    }
}

/// The estimates of an unused path stay correct at little cost.
@Suite struct IdlePathTests {
    private static let first = PolicySpecification.single(.number(PathID(0)))

    /// All traffic goes by path 0; the round trip of path 1 falls from 174 to 20 ms after 5 s, or
    /// stays as it is: acknowledgements of the server's packets go by the faster path.
    private static func pair(_ idle: PathTraits, falls: Bool = false) throws -> ConnectionPair {
        try ConnectionPair(traits: [PathTraits(), idle], policy: first) { path, time in
            path == 0
                ? .milliseconds(15)
                : falls && time >= .seconds(5) ? .milliseconds(10) : .milliseconds(87)
        }
    }

    @Test func aFasterPathIsKnownWithinASecond() throws {
        var pair = try IdlePathTests.pair(PathTraits(), falls: true)
        try pair.run(until: .seconds(5), message: 1000)
        #expect((pair.smoothedRTT(1) - 174).magnitude < 3, "\(pair.smoothedRTT(1))")
        try pair.run(until: .seconds(6), message: 1000)
        #expect((pair.smoothedRTT(1) - 20).magnitude < 8, "\(pair.smoothedRTT(1))")
        try pair.run(until: .seconds(8), message: 1000)
        #expect((pair.smoothedRTT(1) - 20).magnitude < 2, "\(pair.smoothedRTT(1))")
    }

    /// Probes and their answers take at most two percent of the traffic.
    @Test(arguments: [(1000, 20), (1000, 50), (200, 20)])
    func probesStayWithinTheirBytes(size: Int, interval: Int) throws {
        var pair = try IdlePathTests.pair(PathTraits())
        try pair.run(until: .seconds(5), message: size, each: interval)
        let (before, asked) = (pair.bytes, pair.asked[1])
        try pair.run(until: .seconds(35), message: size, each: interval)
        let data = pair.bytes[0] - before[0]
        let probes = pair.bytes[1] - before[1]
        // Beside the quick probes of the sender, the receiver asks twice a second: 90 bytes each
        // with the answer.
        #expect(
            Double(probes) <= (0.02 * Double(data) + 30 * 2 * 90) * 1.02, "\(probes) of \(data)")
        #expect(pair.asked[1] - asked >= 55, "\(pair.asked[1] - asked) probes in 30 s")
    }

    /// A metered path is probed every two seconds.
    @Test func aMeteredPathIsLeftInPeace() throws {
        var pair = try IdlePathTests.pair(PathTraits(pricePerGB: 5))
        try pair.run(until: .seconds(5), message: 1000)
        let (before, asked) = (pair.bytes[1], pair.asked[1])
        try pair.run(until: .seconds(35), message: 1000)
        // The client probes, and answers the server, which probes no more often.
        #expect((28...34).contains(pair.asked[1] - asked), "\(pair.asked[1] - asked)")
        #expect(pair.bytes[1] - before < 34 * 100, "\(pair.bytes[1] - before)")
    }

    /// Without traffic there are only keepalives.
    @Test func nothingFlowsNothingIsAsked() throws {
        var pair = try IdlePathTests.pair(PathTraits())
        try pair.run(until: .seconds(5), message: 1000)
        try pair.run(until: .seconds(8), message: nil)
        let asked = pair.asked
        try pair.run(until: .seconds(28), message: nil)
        for path in 0..<2 {
            #expect(
                (1...14).contains(pair.asked[path] - asked[path]), "\(pair.asked) from \(asked)")
        }
    }
}
