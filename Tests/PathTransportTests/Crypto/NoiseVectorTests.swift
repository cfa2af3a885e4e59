import PathTelemetry
import Testing

@testable import PathTransport

@Suite struct NoiseVectorTests {
    /// Every message in both directions, the handshake hash, and the transport messages.
    @Test(
        .enabled(if: NoiseVectors.isPresent, NoiseVectors.absence),
        arguments: NoiseVectors.all)
    func matches(vector: NoiseVectors.Vector) throws {
        let parts = vector.protocol_name.split(separator: "_")
        let pattern = try #require(NoisePattern.allCases.first { $0.name == parts[1] })
        let cipher = try #require(NoiseCipher.allCases.first { $0.name == parts[3] })
        let responderKey = try #require(PrivateKey(hex(vector.resp_static)))
        let remote = try #require(PublicKey(hex(vector.init_remote_static)))
        #expect(responderKey.publicKey == remote)
        let psks = (vector.init_psks ?? []).map { PresharedKey(hex($0)) }
        #expect(psks.count == (pattern == .ikpsk2 ? 1 : 0))
        var initiator = try NoiseHandshake(
            initiator: try #require(PrivateKey(hex(vector.init_static))), remoteStaticKey: remote,
            pattern: pattern, cipher: cipher, presharedKey: psks.first ?? nil,
            prologue: hex(vector.init_prologue),
            ephemeralKey: PrivateKey(hex(vector.init_ephemeral)))
        var responder = try NoiseHandshake(
            responder: responderKey, pattern: pattern, cipher: cipher,
            prologue: hex(vector.resp_prologue),
            ephemeralKey: PrivateKey(hex(vector.resp_ephemeral)))

        let first = try initiator.writeMessage(payload: hex(vector.messages[0].payload))
        #expect(hexText(first) == vector.messages[0].ciphertext)
        #expect(try hexText(responder.readMessage(first)) == vector.messages[0].payload)
        #expect(
            responder.remoteStaticKey == PrivateKey(hex(vector.init_static))?.publicKey)
        // Chosen by who the peer is, hence only now.
        if let key = vector.resp_psks?.first {
            responder.setPresharedKey(try #require(PresharedKey(hex(key))))
        }

        let second = try responder.writeMessage(payload: hex(vector.messages[1].payload))
        #expect(hexText(second) == vector.messages[1].ciphertext)
        #expect(try hexText(initiator.readMessage(second)) == vector.messages[1].payload)
        #expect(hexText(initiator.handshakeHash) == vector.handshake_hash)
        #expect(hexText(responder.handshakeHash) == vector.handshake_hash)

        let (ours, theirs) = (try initiator.split(), try responder.split())
        var up = try NoiseCipherState(cipher: cipher, secret: ours.send)
        var upEnd = try NoiseCipherState(cipher: cipher, secret: theirs.receive)
        var down = try NoiseCipherState(cipher: cipher, secret: theirs.send)
        var downEnd = try NoiseCipherState(cipher: cipher, secret: ours.receive)
        #expect(vector.messages.count > 2)
        for (index, message) in vector.messages.enumerated().dropFirst(2) {
            let payload = hex(message.payload)
            if index % 2 == 0 {
                let sealed = try up.encrypt(payload)
                #expect(hexText(sealed) == message.ciphertext)
                #expect(try upEnd.decrypt(sealed) == payload)
            } else {
                let sealed = try down.encrypt(payload)
                #expect(hexText(sealed) == message.ciphertext)
                #expect(try downEnd.decrypt(sealed) == payload)
            }
        }
    }

    @Test(.enabled(if: NoiseVectors.isPresent, NoiseVectors.absence))
    func allFourVectorsAreThere() {
        #expect(Set(NoiseVectors.all.map(\.protocol_name)).count == 4)
    }
}
