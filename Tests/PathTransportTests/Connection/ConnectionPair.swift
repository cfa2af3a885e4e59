import PathTelemetry

@testable import PathLearning
@testable import PathTransport

/// A client and a server in one process without links: datagrams arrive at once.
struct ConnectionPair: ~Copyable {
    var client: Connection
    var server: ServerEndpoint
    var now: Instant
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 16)

    init(
        paths: Int = 2, seed: UInt64 = 1, suite: CipherSuite = .aes128gcm,
        policy: PolicySpecification = .earliest,
        configuration: ConnectionConfiguration = ConnectionConfiguration()
    ) throws {
        let now = Instant(nanoseconds: 5_000_000_000)
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
        for path in 0..<paths {
            client.addPath(
                PathID(path), socket: path, remote: .loopback(port: UInt16(5000 + path)),
                datagramLimit: 1472, now: now)
        }
        self.client = client
        self.server = server
        self.now = now
    }

    deinit { buffer.deallocate() }

    var box: ConnectionBox? { server.boxes.first }

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
            let time = now
            if client.pollTimeout(now: time) <= time { client.handleTimeout(now: time) }
            box?.with { if $0.pollTimeout(now: time) <= time { $0.handleTimeout(now: time) } }
            exchange()
        }
    }

    mutating func moveToServer() -> Bool {
        guard let sent = client.pollTransmit(into: buffer, now: now) else { return false }
        forEach(sent) { datagram, socket, endpoint, time in
            _ = endpoint.server.handleDatagram(
                datagram, from: .loopback(port: UInt16(4000 + socket)), socket: socket,
                receivedAt: time, now: time)
        }
        return true
    }

    mutating func moveToClient() -> Bool {
        var sent = server.pollReply(into: buffer)
        let time = now
        if sent == nil { sent = box?.with { $0.pollTransmit(into: buffer, now: time) } }
        guard let sent else { return false }
        forEach(sent) { datagram, socket, endpoint, time in
            endpoint.client.handleDatagram(
                datagram, from: .loopback(port: UInt16(5000 + socket)), socket: socket,
                receivedAt: time, now: time)
        }
        return true
    }

    private mutating func forEach(
        _ sent: Transmit,
        _ body: (UnsafeMutableRawBufferPointer, Int, inout ConnectionPair, Instant) -> Void
    ) {
        var offset = 0
        while offset < sent.length {
            let count = min(sent.segmentSize, sent.length - offset)
            body(
                UnsafeMutableRawBufferPointer(rebasing: buffer[offset..<offset + count]),
                sent.socket, &self, now)
            offset += count
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
        bytes.withUnsafeMutableBytes {
            _ = server.handleDatagram(
                $0, from: .loopback(port: UInt16(4000 + path)), socket: path, receivedAt: now,
                now: now)
        }
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
