import PathLearning
import PathTelemetry

@testable import PathTransport

/// A server and any number of clients without links, for what happens before there are keys.
struct HandshakeBench: ~Copyable {
    let serverKey: PrivateKey
    var server: ServerEndpoint
    var now = Instant(nanoseconds: 5_000_000_000)
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 16)

    /// - Parameter startedAt: the server's wall clock at its start, nanoseconds.
    init(
        clients: [PublicKey], key: PrivateKey? = nil, startedAt: UInt64 = 1_000,
        configure: (inout ServerConfiguration) -> Void = { _ in }
    ) throws {
        let serverKey = try key ?? PrivateKey.generate()
        var setup = ServerConfiguration(
            key: serverKey, clients: Dictionary(uniqueKeysWithValues: clients.map { ($0, nil) }),
            policy: .minRTT)
        configure(&setup)
        let server = try ServerEndpoint(
            setup, startedAt: InitiationStamp(nanoseconds: startedAt))
        self.serverKey = serverKey
        self.server = server
    }

    deinit { buffer.deallocate() }

    func client(_ key: PrivateKey, stamp: UInt64, seed: UInt64 = 1) throws -> Connection {
        var configuration = ConnectionConfiguration()
        configuration.seed = seed
        var client = try Connection(
            client: ClientIdentity(key: key, peer: serverKey.publicKey),
            configuration: configuration, selector: try PathSelector(.minRTT, seed: seed),
            stamp: InitiationStamp(nanoseconds: stamp), now: now)
        client.addPath(
            socket: 0, remote: .loopback(port: 5000), datagramLimit: 1472, now: now)
        return client
    }

    /// What a client wants to send now, one datagram.
    func poll(_ client: inout Connection) -> [UInt8]? {
        guard let sent = client.pollTransmit(into: buffer, now: now) else { return nil }
        return Array(
            UnsafeRawBufferPointer(rebasing: buffer[..<min(sent.length, sent.segmentSize)]))
    }

    /// The client's next datagram; throws if there is none.
    func message(of client: inout Connection) throws -> [UInt8] {
        guard let datagram = poll(&client) else { throw Silence() }
        return datagram
    }

    /// The one answer of the server to a datagram; throws if there is none.
    mutating func answer(to bytes: [UInt8]) throws -> [UInt8] {
        guard let answer = give(bytes).first else { throw Silence() }
        return answer
    }

    /// An expected datagram was not sent.
    struct Silence: Error {}

    /// Gives the server a datagram; its answers to strangers.
    @discardableResult
    mutating func give(
        _ bytes: [UInt8], from remote: SocketAddress = .loopback(port: 4000),
        trafficClass: UInt8? = nil
    ) -> [[UInt8]] {
        var bytes = bytes
        let now = now
        _ = bytes.withUnsafeMutableBytes {
            server.handleDatagram(
                $0, from: remote, socket: 0, trafficClass: trafficClass, receivedAt: now, now: now)
        }
        var answers: [[UInt8]] = []
        while let reply = server.pollReply(into: buffer) {
            answers.append(Array(UnsafeRawBufferPointer(rebasing: buffer[..<reply.length])))
        }
        return answers
    }

    func take(_ bytes: [UInt8], by client: inout Connection) {
        var bytes = bytes
        let now = now
        bytes.withUnsafeMutableBytes {
            client.handleDatagram(
                $0, from: .loopback(port: 5000), socket: 0, receivedAt: now, now: now)
        }
    }

    /// Exchanges datagrams with a client until it is connected or has nothing to send; returns its
    /// number of first messages.
    @discardableResult
    mutating func talk(
        _ client: inout Connection, from remote: SocketAddress = .loopback(port: 4000)
    ) -> Int {
        var initiations = 0
        while let datagram = poll(&client) {
            if datagram[0] == HandshakeKind.initiation { initiations += 1 }
            for answer in give(datagram, from: remote) { take(answer, by: &client) }
        }
        return initiations
    }

    /// As `talk`, for as long as the client's timers ask for it.
    mutating func talk(_ client: inout Connection, for duration: TimeDelta) {
        let end = now + duration
        while client.isHandshaking {
            talk(&client)
            let due = client.pollTimeout(now: now)
            guard client.isHandshaking, due <= end else { break }
            now = max(now, due)
            client.handleTimeout(now: now)
        }
    }

    mutating func removeAll() { for box in server.boxes { server.remove(box) } }
}
