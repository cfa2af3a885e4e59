import PathTelemetry

@testable import PathLearning
@testable import PathTransport

/// A client and a server in one process, in virtual time: packets arrive at once, or after the
/// delay that a test gives each path.
///
/// These tests have no other such harness. `World`, in the room above, has whole links with rates,
/// queues and faults; `HandshakeBench` has the handshake, with one datagram at a time and any
/// number of clients.
struct ConnectionPair: ~Copyable {
    /// One way of a path, by its number and the time since the start.
    typealias Delay = (Int, TimeDelta) -> TimeDelta

    private struct Datagram {
        var at: Instant
        var toServer: Bool
        var path: Int
        var bytes: [UInt8]
    }

    var client: Connection
    var server: ServerEndpoint
    var now = ConnectionPair.start
    /// Bytes of both directions, and datagrams of the client, by path.
    private(set) var bytes: [Int]
    private(set) var asked: [Int]
    private let delay: Delay?
    private var inFlight: [Datagram] = []
    private static let start = Instant(nanoseconds: 5_000_000_000)
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 16)

    /// - Parameter delay: nil delivers at once.
    init(
        traits: [PathTraits] = [PathTraits(), PathTraits()], seed: UInt64 = 1,
        suite: CipherSuite = .aes128gcm, policy: PolicySpecification = .earliest,
        configuration: ConnectionConfiguration = ConnectionConfiguration(), delay: Delay? = nil
    ) throws {
        let now = ConnectionPair.start
        let serverKey = try PrivateKey.generate()
        let clientKey = try PrivateKey.generate()
        var setup = ServerConfiguration(
            key: serverKey, clients: [clientKey.publicKey: nil], policy: .minRTT)
        setup.connection = configuration
        let server = try ServerEndpoint(setup, startedAt: InitiationStamp(nanoseconds: 1))
        var clientConfiguration = configuration
        clientConfiguration.seed = seed
        var client = try Connection(
            client: ClientIdentity(key: clientKey, peer: serverKey.publicKey, suite: suite),
            configuration: clientConfiguration,
            selector: try PathSelector(policy, seed: seed),
            stamp: InitiationStamp(nanoseconds: 2), now: now)
        for (path, traits) in traits.enumerated() {
            client.addPath(
                PathID(path), traits: traits, socket: path,
                remote: .loopback(port: UInt16(5000 + path)), datagramLimit: 1472, now: now)
        }
        self.client = client
        self.server = server
        self.delay = delay
        bytes = [Int](repeating: 0, count: traits.count)
        asked = bytes
    }

    deinit { buffer.deallocate() }

    var box: ConnectionBox? { server.boxes.first }
    var elapsed: TimeDelta { now - ConnectionPair.start }

    /// Carries what both sides have to send, until neither has anything; at most `limit` datagrams.
    mutating func exchange(limit: Int = 1000) {
        for _ in 0..<limit {
            guard moveToServer() || moveToClient() else { return }
        }
    }

    /// Lets time pass in steps of a millisecond, with all timers.
    mutating func run(milliseconds: Int) {
        for _ in 0..<milliseconds {
            now = now + .milliseconds(1)
            arrive()
            let time = now
            if client.pollTimeout(now: time) <= time { client.handleTimeout(now: time) }
            box?.with { if $0.pollTimeout(now: time) <= time { $0.handleTimeout(now: time) } }
            exchange()
        }
    }

    mutating func moveToServer() -> Bool {
        guard let sent = client.pollTransmit(into: buffer, now: now) else { return false }
        carry(sent, toServer: true)
        return true
    }

    mutating func moveToClient() -> Bool {
        var sent = server.pollReply(into: buffer)
        let time = now
        if sent == nil { sent = box?.with { $0.pollTransmit(into: buffer, now: time) } }
        guard let sent else { return false }
        carry(sent, toServer: false)
        return true
    }

    /// Delivers the datagrams, or delays them.
    private mutating func carry(_ sent: Transmit, toServer: Bool) {
        var offset = 0
        while offset < sent.length {
            let count = min(sent.segmentSize, sent.length - offset)
            let datagram = UnsafeMutableRawBufferPointer(rebasing: buffer[offset..<offset + count])
            bytes[sent.socket] += count
            if toServer { asked[sent.socket] += 1 }
            offset += count
            if let delay {
                inFlight.append(
                    Datagram(
                        at: now + delay(sent.socket, elapsed), toServer: toServer,
                        path: sent.socket, bytes: Array(datagram)))
            } else {
                take(datagram, path: sent.socket, toServer: toServer)
            }
        }
    }

    /// Delivers the datagrams whose delay is over.
    private mutating func arrive() {
        while let index = inFlight.firstIndex(where: { $0.at <= now }) {
            var datagram = inFlight.remove(at: index)
            datagram.bytes.withUnsafeMutableBytes {
                take($0, path: datagram.path, toServer: datagram.toServer)
            }
        }
    }

    private mutating func take(
        _ datagram: UnsafeMutableRawBufferPointer, path: Int, toServer: Bool
    ) {
        if toServer {
            _ = server.handleDatagram(
                datagram, from: .loopback(port: UInt16(4000 + path)), socket: path,
                receivedAt: now, now: now)
        } else {
            client.handleDatagram(
                datagram, from: .loopback(port: UInt16(5000 + path)), socket: path,
                receivedAt: now, now: now)
        }
    }

    /// A packet of the client's own keys with any payload; its number is far ahead of real ones.
    mutating func seal(_ payload: [UInt8], path: Int, number: UInt64) -> [UInt8] {
        var packet = [UInt8](
            repeating: 0, count: DataHeader.length + payload.count + CipherSuite.tagLength)
        let header = DataHeader(
            phase: client.protection?.phase ?? 0, path: PathID(path),
            receiver: client.remoteIndex, packetNumber: number)
        let length = packet.withUnsafeMutableBytes { bytes in
            var writer = ByteWriter(bytes)
            header.write(to: &writer)
            writer.bytes(payload)
            return client.protection?.seal(
                packet: bytes, payloadLength: payload.count, path: PathID(path), number: number)
                ?? 0
        }
        return Array(packet.prefix(length))
    }

    /// Gives the server's connection a datagram.
    mutating func deliver(_ bytes: [UInt8], path: Int) {
        var bytes = bytes
        bytes.withUnsafeMutableBytes { take($0, path: path, toServer: true) }
    }
}

extension Connection {
    /// Undoes an end, so that one connection serves for many malformed packets.
    mutating func reopen() {
        guard closeReason != nil else { return }
        closeReason = nil
        phase = .established
        closing = Closing()
        while pollEvent() != nil {}
    }
}
