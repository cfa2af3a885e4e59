import PathTelemetry
import Testing

@testable import PathLearning
@testable import PathTransport

@Suite struct StallTests {
    /// Datagrams of the client, kept until they are delivered.
    private func held(_ pair: inout ConnectionPair) -> [(bytes: [UInt8], path: Int)] {
        var result: [(bytes: [UInt8], path: Int)] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let now = pair.now
        while true {
            let sent = buffer.withUnsafeMutableBytes {
                pair.client.pollTransmit(into: $0, now: now)
            }
            guard let sent else { return result }
            for offset in stride(from: 0, to: sent.length, by: max(1, sent.segmentSize)) {
                let end = min(offset + sent.segmentSize, sent.length)
                result.append((Array(buffer[offset..<end]), sent.socket))
            }
        }
    }

    private func suspicions(_ pair: inout ConnectionPair) -> Int {
        var count = 0
        while let event = pair.client.pollEvent() {
            if case .pathChanged(_, _, .suspect, _, _) = event { count += 1 }
        }
        return count
    }

    /// One millisecond: what the client sends by the paths given arrives at its end.
    private func step(_ pair: inout ConnectionPair, paths: Set<Int>) {
        let packets = held(&pair)
        pair.now = pair.now + .milliseconds(1)
        for packet in packets where paths.contains(packet.path) {
            pair.deliver(packet.bytes, path: packet.path)
        }
        while pair.moveToClient() {}
        let now = pair.now
        if pair.client.pollTimeout(now: now) <= now { pair.client.handleTimeout(now: now) }
    }

    private func write(_ pair: inout ConnectionPair, _ stream: StreamID, _ count: Int) throws {
        let written = try [UInt8](repeating: 1, count: count).withUnsafeBytes {
            try pair.client.write(stream, $0)
        }
        #expect(written == count)
    }

    /// Two paths carry data at a round trip of a millisecond; then more is written.
    private func load(_ pair: inout ConnectionPair) throws {
        pair.run(milliseconds: 300)
        let stream = try pair.client.openStream()
        for _ in 0..<50 {
            try write(&pair, stream, 20_000)
            for _ in 0..<2 { step(&pair, paths: [0, 1]) }
        }
        for path in pair.client.pathIDs {
            let now = pair.now
            let rtt = pair.client.snapshot(of: path, now: now)?.smoothedRTT
            #expect(rtt.map { $0 < .milliseconds(3) } == true)
        }
        #expect(suspicions(&pair) == 0)
        try write(&pair, stream, 300_000)
    }

    /// The host stalls for 60 ms; then one path's packets are answered slightly before the other's.
    @Test func aStallOfTheHostIsNoSilenceOfAPath() throws {
        var pair = try ConnectionPair(policy: .roundRobin)
        try load(&pair)
        let packets = held(&pair)
        #expect(Set(packets.map(\.path)) == [0, 1], "both paths carry data")
        pair.now = pair.now + .milliseconds(60)
        for path in 0..<2 {
            for packet in packets where packet.path == path {
                pair.deliver(packet.bytes, path: path)
            }
            while pair.moveToClient() {}
            let now = pair.now
            pair.client.handleTimeout(now: now)
        }
        pair.run(milliseconds: 50)
        #expect(suspicions(&pair) == 0)
    }

    /// One path keeps answering while the other is silent, which is evidence of a failure.
    @Test func silenceWhileTheOtherAnswersIsSeen() throws {
        var pair = try ConnectionPair(policy: .roundRobin)
        try load(&pair)
        for _ in 0..<60 { step(&pair, paths: [0]) }
        #expect(suspicions(&pair) == 1)
    }
}
