import PathLearning
import PathTelemetry
import Testing

@testable import PathTransport

/// Two ends over paths with given delays, in virtual time.
private struct DelayedPair: ~Copyable {
    private struct Datagram {
        var at: Instant
        var toServer: Bool
        var path: Int
        var bytes: [UInt8]
    }

    var client: Connection
    var server: ServerEndpoint
    var now = Instant(nanoseconds: 5_000_000_000)
    /// One way, by path and time since the start.
    let delay: (Int, TimeDelta) -> TimeDelta
    /// Bytes of both directions and datagrams of the client, by path.
    var bytes = [0, 0, 0]
    var asked = [0, 0, 0]
    private let start = Instant(nanoseconds: 5_000_000_000)
    private var inFlight: [Datagram] = []
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 16)

    init(
        traits: [PathTraits], policy: PolicySpecification,
        delay: @escaping (Int, TimeDelta) -> TimeDelta
    ) throws {
        let serverKey = try PrivateKey.generate()
        let clientKey = try PrivateKey.generate()
        let server = try ServerEndpoint(
            ServerConfiguration(
                key: serverKey, clients: [clientKey.publicKey: nil], policy: .minRTT),
            startedAt: InitiationStamp(nanoseconds: 1))
        let start = Instant(nanoseconds: 5_000_000_000)
        var client = try Connection(
            client: ClientIdentity(key: clientKey, peer: serverKey.publicKey, suite: .aes128gcm),
            configuration: ConnectionConfiguration(), selector: try PathSelector(policy, seed: 1),
            stamp: InitiationStamp(nanoseconds: 2), now: start)
        for (path, traits) in traits.enumerated() {
            client.addPath(
                PathID(path), traits: traits, socket: path,
                remote: .loopback(port: UInt16(5000 + path)), datagramLimit: 1472, now: start)
        }
        self.server = server
        self.client = client
        self.delay = delay
    }

    deinit { buffer.deallocate() }

    var elapsed: TimeDelta { now - start }

    private mutating func send(_ sent: Transmit, toServer: Bool) {
        var offset = 0
        while offset < sent.length {
            let count = min(sent.segmentSize, sent.length - offset)
            bytes[sent.socket] += count
            if toServer { asked[sent.socket] += 1 }
            inFlight.append(
                Datagram(
                    at: now + delay(sent.socket, elapsed), toServer: toServer, path: sent.socket,
                    bytes: Array(buffer[offset..<offset + count])))
            offset += count
        }
    }

    /// Advances by a millisecond.
    private mutating func step() {
        now = now + .milliseconds(1)
        let time = now
        while let index = inFlight.firstIndex(where: { $0.at <= time }) {
            var datagram = inFlight.remove(at: index)
            let path = datagram.path
            datagram.bytes.withUnsafeMutableBytes { bytes in
                if datagram.toServer {
                    _ = server.handleDatagram(
                        bytes, from: .loopback(port: UInt16(4000 + path)), socket: path,
                        receivedAt: time, now: time)
                } else {
                    client.handleDatagram(
                        bytes, from: .loopback(port: UInt16(5000 + path)), socket: path,
                        receivedAt: time, now: time)
                }
            }
        }
        if client.pollTimeout(now: time) <= time { client.handleTimeout(now: time) }
        server.boxes.first?.with {
            if $0.pollTimeout(now: time) <= time { $0.handleTimeout(now: time) }
            while $0.receiveMessage() != nil {}
            while $0.pollEvent() != nil {}
        }
        while client.pollEvent() != nil {}
        while let sent = client.pollTransmit(into: buffer, now: time) { send(sent, toServer: true) }
        while let reply = server.pollReply(into: buffer) { send(reply, toServer: false) }
        while let sent = server.boxes.first?.with({ $0.pollTransmit(into: buffer, now: time) })
            ?? nil
        {
            send(sent, toServer: false)
        }
    }

    /// Runs, sending a message of a size at an interval; nil sends none.
    mutating func run(
        until end: TimeDelta, message: Int?, each interval: Int = 20
    ) throws {
        let content = [UInt8](repeating: 1, count: message ?? 0)
        while elapsed < end {
            if message != nil, (elapsed.nanoseconds / 1_000_000) % Int64(interval) == 0 {
                _ = try? content.withUnsafeBytes {
                    try client.sendMessage(
                        $0, options: MessageOptions(deadline: now + .milliseconds(150)), now: now)
                }
            }
            step()
        }
    }

    func smoothedRTT(_ path: Int) -> Double {
        client.snapshot(of: PathID(path), now: now)?.smoothedRTT.milliseconds ?? .nan
    }
}

/// The estimates of an unused path stay correct at little cost.
@Suite struct IdlePathTests {
    private static let first = PolicySpecification.single(.number(PathID(0)))

    /// All traffic goes by path 0; the round trip of path 1 falls from 174 to 20 ms after 5 s, or
    /// stays as it is: acknowledgements of the server's packets go by the faster path.
    private static func pair(_ idle: PathTraits, falls: Bool = false) throws -> DelayedPair {
        try DelayedPair(traits: [PathTraits(), idle], policy: first) { path, time in
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
