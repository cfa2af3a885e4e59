import Testing

@testable import PathTelemetry
@testable import PathTransport

@Suite struct NoiseHandshakeTests {
    private let client: PrivateKey
    private let server: PrivateKey
    private let psk: PresharedKey

    init() throws {
        client = try PrivateKey.generate()
        server = try PrivateKey.generate()
        psk = try PresharedKey.generate()
    }

    private func initiator(
        _ pattern: NoisePattern, _ cipher: NoiseCipher = .aesgcm, prologue: [UInt8] = [1]
    ) throws -> NoiseHandshake {
        try NoiseHandshake(
            initiator: client, remoteStaticKey: server.publicKey, pattern: pattern,
            cipher: cipher, presharedKey: psk, prologue: prologue)
    }

    private func responder(
        _ pattern: NoisePattern, _ cipher: NoiseCipher = .aesgcm, prologue: [UInt8] = [1]
    ) throws -> NoiseHandshake {
        try NoiseHandshake(
            responder: server, pattern: pattern, cipher: cipher, presharedKey: psk,
            prologue: prologue)
    }

    /// The error that `body` throws, or nil.
    private func failure(_ body: () throws(CryptoError) -> Void) -> CryptoError? {
        do {
            try body()
            return nil
        } catch { return error }
    }

    @Test(arguments: NoisePattern.allCases, NoiseCipher.allCases)
    func freshKeysAgree(pattern: NoisePattern, cipher: NoiseCipher) throws {
        var one = try initiator(pattern, cipher)
        var two = try responder(pattern, cipher)
        #expect(failure { () throws(CryptoError) in _ = try one.split() } != nil)
        let first = try one.writeMessage(payload: Array("hello".utf8))
        #expect(first.count == 5 + NoiseHandshake.firstMessageOverhead)
        #expect(try two.readMessage(first) == Array("hello".utf8))
        #expect(two.remoteStaticKey == client.publicKey)
        let second = try two.writeMessage()
        #expect(second.count == NoiseHandshake.secondMessageOverhead)
        #expect(try one.readMessage(second).isEmpty)
        #expect(one.isComplete && two.isComplete)
        #expect(one.handshakeHash == two.handshakeHash)
        let (ours, theirs) = (try one.split(), try two.split())
        #expect(ours.send.secret.array == theirs.receive.secret.array)
        #expect(ours.receive.secret.array == theirs.send.secret.array)
        #expect(ours.send.secret.array != ours.receive.secret.array)
    }

    @Test func callsOutOfOrderAreErrors() throws {
        var one = try initiator(.ik)
        var two = try responder(.ik)
        #expect(
            failure { () throws(CryptoError) in _ = try one.readMessage([]) }
                == .outOfOrder(operation: "reading a message"))
        #expect(
            failure { () throws(CryptoError) in _ = try two.writeMessage() }
                == .outOfOrder(operation: "writing a message"))
        let first = try one.writeMessage()
        #expect(failure { () throws(CryptoError) in _ = try one.writeMessage() } != nil)
        _ = try two.readMessage(first)
        #expect(failure { () throws(CryptoError) in _ = try two.readMessage(first) } != nil)
        _ = try one.readMessage(try two.writeMessage())
        #expect(failure { () throws(CryptoError) in _ = try one.writeMessage() } != nil)
        #expect(failure { () throws(CryptoError) in _ = try two.writeMessage() } != nil)
    }

    @Test func differingPrologueServerKeyOrPSKIsRefused() throws {
        var one = try initiator(.ik, prologue: [1])
        var two = try responder(.ik, prologue: [2])
        let first = try one.writeMessage()
        #expect(
            failure { () throws(CryptoError) in _ = try two.readMessage(first) }
                == .authenticationFailed(part: "the initiator's static key"))

        let stranger = try PrivateKey.generate()
        var other = try NoiseHandshake(
            responder: stranger, pattern: .ik, cipher: .aesgcm, prologue: [1])
        #expect(failure { () throws(CryptoError) in _ = try other.readMessage(first) } != nil)

        var withPSK = try initiator(.ikpsk2)
        var otherPSK = try responder(.ikpsk2)
        otherPSK.setPresharedKey(try PresharedKey.generate())
        _ = try otherPSK.readMessage(try withPSK.writeMessage())
        let second = try otherPSK.writeMessage()
        #expect(
            failure { () throws(CryptoError) in _ = try withPSK.readMessage(second) }
                == .authenticationFailed(part: "the second handshake message"))
    }

    @Test func missingPSKIsAnErrorThatCanBeMended() throws {
        var one = try initiator(.ikpsk2)
        var two = try NoiseHandshake(
            responder: server, pattern: .ikpsk2, cipher: .aesgcm, prologue: [1])
        _ = try two.readMessage(try one.writeMessage())
        #expect(
            failure { () throws(CryptoError) in _ = try two.writeMessage() }
                == .presharedKeyMissing)
        two.setPresharedKey(psk)
        _ = try one.readMessage(try two.writeMessage())
        #expect(one.isComplete && one.handshakeHash == two.handshakeHash)
    }

    @Test func strangersAreTurnedAwayBeforeTheirProof() throws {
        var one = try initiator(.ik)
        var two = try responder(.ik)
        let first = try one.writeMessage()
        var asked: [PublicKey] = []
        let refused = failure { () throws(CryptoError) in
            _ = try two.readMessage(first.span.bytes) { key in
                asked.append(key)
                return false
            }
        }
        #expect(refused == .peerRefused(client.publicKey))
        #expect(asked == [client.publicKey])
        #expect(two.remoteStaticKey == nil)
        // Refusing left no trace: the same message is good once the key is admitted.
        _ = try two.readMessage(first.span.bytes) { _ in true }
        #expect(two.remoteStaticKey == client.publicKey)
    }

    @Test func weakEphemeralKeysAreRefused() throws {
        var two = try responder(.ik)
        let message = [UInt8](repeating: 0, count: 96)
        #expect(
            failure { () throws(CryptoError) in _ = try two.readMessage(message) }
                == .weakPublicKey)
    }

    @Test func lengthsAreBounded() throws {
        var one = try initiator(.ik)
        var two = try responder(.ik)
        let limit = NoiseHandshake.messageLimit
        let tooLong = [UInt8](repeating: 0, count: limit - 95)
        #expect(
            failure { () throws(CryptoError) in _ = try one.writeMessage(payload: tooLong) }
                == .messageTooLong(found: limit + 1))
        let longest = try one.writeMessage(payload: Array(tooLong.dropLast()))
        #expect(longest.count == limit)
        #expect(
            failure { () throws(CryptoError) in _ = try two.readMessage(longest + [0]) }
                == .messageTooLong(found: limit + 1))
        for length in 0..<96 {
            #expect(
                failure { () throws(CryptoError) in
                    _ = try two.readMessage(Array(longest.prefix(length)))
                } == .messageTooShort(needed: 96, found: length))
        }
        #expect(try two.readMessage(longest).count == limit - 96)
        let second = try two.writeMessage(payload: [1, 2, 3])
        for length in 0..<second.count {
            #expect(
                failure { () throws(CryptoError) in
                    _ = try one.readMessage(Array(second.prefix(length)))
                } != nil)
        }
        #expect(try one.readMessage(second) == [1, 2, 3])
    }

    /// Every flipped bit of both messages is refused, and refusing changes nothing.
    @Test(arguments: NoisePattern.allCases)
    func flippedBitsAreRefusedWithoutHarm(pattern: NoisePattern) throws {
        var one = try initiator(pattern)
        var two = try responder(pattern)
        let first = try one.writeMessage(payload: [7, 8, 9])
        for bit in stride(from: 0, to: first.count * 8, by: 3) {
            var forged = first
            forged[bit / 8] ^= 1 << UInt8(bit % 8)
            // X25519 ignores the top bit of a point; the hash over the message does not.
            #expect(failure { () throws(CryptoError) in _ = try two.readMessage(forged) } != nil)
        }
        var topBit = first
        topBit[31] ^= 0x80
        #expect(failure { () throws(CryptoError) in _ = try two.readMessage(topBit) } != nil)
        #expect(try two.readMessage(first) == [7, 8, 9])
        let second = try two.writeMessage(payload: [4, 5])
        for bit in 0..<(second.count * 8) {
            var forged = second
            forged[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(failure { () throws(CryptoError) in _ = try one.readMessage(forged) } != nil)
        }
        #expect(try one.readMessage(second) == [4, 5])
        #expect(one.handshakeHash == two.handshakeHash)
    }

    /// Random bytes and mutations of good messages: always an error, never a trap.
    @Test func fuzzedMessagesAreRefused() throws {
        var generator = SeededGenerator(seed: 20_231)
        var two = try responder(.ikpsk2)
        var one = try initiator(.ikpsk2)
        let first = try one.writeMessage(payload: [UInt8](repeating: 5, count: 20))
        var peer = try responder(.ikpsk2)
        _ = try peer.readMessage(first)
        let second = try peer.writeMessage(payload: [UInt8](repeating: 6, count: 20))
        var refused = 0
        for round in 0..<20_000 {
            let toResponder = round % 2 == 0
            let good = toResponder ? first : second
            let message = mutated(good, &generator)
            if message == good { continue }
            let error =
                toResponder
                ? failure { () throws(CryptoError) in _ = try two.readMessage(message) }
                : failure { () throws(CryptoError) in _ = try one.readMessage(message) }
            #expect(error != nil, "round \(round) was accepted: \(hexText(message))")
            refused += 1
        }
        #expect(refused > 19_000)
        #expect(try two.readMessage(first).count == 20)
        #expect(try one.readMessage(second).count == 20)
    }

    private func mutated(_ good: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
        var message = good
        switch generator.next() % 8 {
        case 0: message = randomBytes(Int(generator.next() % 300), &generator)
        case 1: message.removeLast(Int(generator.next() % UInt64(message.count + 1)))
        case 2: message += randomBytes(1 + Int(generator.next() % 64), &generator)
        case 3: message.insert(0, at: Int(generator.next() % UInt64(message.count + 1)))
        case 4: message.remove(at: Int(generator.next() % UInt64(message.count)))
        default:
            for _ in 0...(generator.next() % 4) {
                let index = Int(generator.next() % UInt64(message.count))
                message[index] = UInt8(truncatingIfNeeded: generator.next())
            }
        }
        return message
    }

    @Test func forgedTransportMessagesDoNotAdvanceTheCounter() throws {
        let secret = try #require(TrafficSecret([UInt8](repeating: 3, count: 32)))
        var sender = try NoiseCipherState(cipher: .chachapoly, secret: secret)
        var receiver = try NoiseCipherState(cipher: .chachapoly, secret: secret)
        let (one, two) = (try sender.encrypt([1]), try sender.encrypt([2]))
        #expect(one != two)
        #expect(failure { () throws(CryptoError) in _ = try receiver.decrypt(two) } != nil)
        for length in 0..<16 {
            #expect(
                failure { () throws(CryptoError) in
                    _ = try receiver.decrypt(Array(one.prefix(length)))
                } == .messageTooShort(needed: 16, found: length))
        }
        #expect(try receiver.decrypt(one) == [1])
        #expect(failure { () throws(CryptoError) in _ = try receiver.decrypt(one) } != nil)
        #expect(try receiver.decrypt(two) == [2])
    }
}
