import PathTransport

/// Packet encryption in place, and the handshake.
enum CipherBenchmarks {
    static let all = [
        Benchmark(name: "cipher", run: packets), Benchmark(name: "handshake", run: handshakes),
    ]

    private static let header = 16
    private static let payload = 1400

    private static func packets() throws {
        guard let secret = TrafficSecret([UInt8](repeating: 1, count: 32)) else { return }
        for suite in CipherSuite.allCases {
            var sender = try PacketCipher(suite: suite, secret: secret)
            var receiver = try PacketCipher(suite: suite, secret: secret)
            var buffer = [UInt8](repeating: 3, count: header + payload + 16)
            var failures = 0
            buffer.withUnsafeMutableBytes { packet in
                let sealing = measure(steps: 200_000) { step in
                    let length = sender.seal(
                        packet: packet, headerLength: header, payloadLength: payload, path: 1,
                        packetNumber: UInt64(step))
                    if length != packet.count { failures += 1 }
                }
                report("cipher seal \(suite.name), 1400 B", text(sealing))
                _ = sender.seal(
                    packet: packet, headerLength: header, payloadLength: payload, path: 1,
                    packetNumber: 9)
                let sealed = [UInt8](packet)
                let copying = measure(steps: 200_000) { _ in
                    sealed.withUnsafeBytes { packet.copyMemory(from: $0) }
                }
                var opening = measure(steps: 200_000) { _ in
                    sealed.withUnsafeBytes { packet.copyMemory(from: $0) }
                    let length = receiver.open(
                        packet: packet, headerLength: header, path: 1, packetNumber: 9)
                    if length != payload { failures += 1 }
                }
                // An encrypted packet decrypts once, so each step restores it; that cost is
                // subtracted.
                opening.time -= copying.time
                report("cipher open \(suite.name), 1400 B", text(opening))
            }
            precondition(failures == 0)
        }
    }

    private static func text(_ cost: StepCost) -> String {
        "\(cost.text), \(number(Double(payload) / cost.time)) GB/s"
    }

    private static func handshakes() throws {
        let (client, server) = (try PrivateKey.generate(), try PrivateKey.generate())
        let cost = try measure(steps: 500) { _ in
            var initiator = try NoiseHandshake(
                initiator: client, remoteStaticKey: server.publicKey, pattern: .ik,
                cipher: .aesgcm)
            var responder = try NoiseHandshake(
                responder: server, pattern: .ik, cipher: .aesgcm)
            _ = try responder.readMessage(try initiator.writeMessage())
            _ = try initiator.readMessage(try responder.writeMessage())
        }
        report("handshake Noise IK, both sides", "\(number(cost.time / 1000)) us")
    }
}
