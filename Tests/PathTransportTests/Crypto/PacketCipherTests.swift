import Testing

@testable import PathTelemetry
@testable import PathTransport

/// Seals with an explicit key and nonce; returns ciphertext and tag.
private func seal(
    _ suite: CipherSuite, key: [UInt8], nonce: [UInt8], header: [UInt8], plaintext: [UInt8]
) throws -> [UInt8] {
    let padded = key + [UInt8](repeating: 0, count: 32 - key.count)
    var context = try AEADContext(suite: suite, key: try secretBytes(padded))
    let high = nonce.prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    let low = nonce.dropFirst(4).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    var bytes = plaintext + [UInt8](repeating: 0, count: 16)
    let sealed = header.withUnsafeBytes { header in
        bytes.withUnsafeMutableBufferPointer {
            context.seal(
                nonceHigh: high, nonceLow: low, header: header, payload: $0.baseAddress!,
                length: plaintext.count)
        }
    }
    #expect(sealed)
    var opened = bytes
    let isOpen = header.withUnsafeBytes { header in
        opened.withUnsafeMutableBufferPointer {
            context.open(
                nonceHigh: high, nonceLow: low, header: header, payload: $0.baseAddress!,
                length: plaintext.count)
        }
    }
    #expect(isOpen)
    #expect(Array(opened.prefix(plaintext.count)) == plaintext)
    return bytes
}

@Suite struct AEADVectorTests {
    private static let gcmPlaintext = hex(
        """
        d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72
        1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39
        """)
    private static let gcmHeader = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2")

    // McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B, test case 4.
    @Test func aes128gcm() throws {
        let sealed = try seal(
            .aes128gcm, key: hex("feffe9928665731c6d6a8f9467308308"),
            nonce: hex("cafebabefacedbaddecaf888"), header: Self.gcmHeader,
            plaintext: Self.gcmPlaintext)
        let expected = """
            42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e\
            21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091\
            5bc94fbc3221a5db94fae95ae7121a47
            """
        #expect(hexText(sealed) == expected)
    }

    // The same, test case 16.
    @Test func aes256gcm() throws {
        let sealed = try seal(
            .aes256gcm,
            key: hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"),
            nonce: hex("cafebabefacedbaddecaf888"), header: Self.gcmHeader,
            plaintext: Self.gcmPlaintext)
        let expected = """
            522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
            8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662\
            76fc6ece0f4e1768cddf8853bb2d551b
            """
        #expect(hexText(sealed) == expected)
    }

    // The same, test case 1: nothing but a tag.
    @Test func aes128gcmOfNothing() throws {
        let sealed = try seal(
            .aes128gcm, key: [UInt8](repeating: 0, count: 16),
            nonce: [UInt8](repeating: 0, count: 12), header: [], plaintext: [])
        #expect(hexText(sealed) == "58e2fccefa7e3061367f1d57a4e7455a")
    }

    // RFC 8439, section 2.8.2.
    @Test func chacha20poly1305() throws {
        let text = """
            Ladies and Gentlemen of the class of '99: If I could offer you only one tip for \
            the future, sunscreen would be it.
            """
        let sealed = try seal(
            .chacha20poly1305, key: [UInt8](0x80...0x9f), nonce: hex("070000004041424344454647"),
            header: hex("50515253c0c1c2c3c4c5c6c7"), plaintext: Array(text.utf8))
        let expected = """
            d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6\
            3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36\
            92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc\
            3ff4def08e4b7a9de576d26586cec64b6116\
            1ae10b594f09e26a7e902ecbd0600691
            """
        #expect(hexText(sealed) == expected)
    }

    @Test func limitsAreThoseOfRFC9001() {
        #expect(CipherSuite.aes128gcm.confidentialityLimit == 8_388_608)
        #expect(CipherSuite.aes256gcm.confidentialityLimit == 8_388_608)
        #expect(CipherSuite.aes128gcm.integrityLimit == 4_503_599_627_370_496)
        #expect(CipherSuite.chacha20poly1305.integrityLimit == 68_719_476_736)
    }

    @Test(arguments: CipherSuite.allCases)
    func namesLeadBackToTheSuite(suite: CipherSuite) {
        #expect(CipherSuite(name: suite.name) == suite)
        #expect(CipherSuite(name: suite.name + "x") == nil)
        #expect(CipherSuite(rawValue: suite.rawValue) == suite)
    }
}

@Suite struct PacketCipherTests {
    private static let headerLength = 14

    private func secret(_ byte: UInt8) throws -> TrafficSecret {
        try #require(TrafficSecret([UInt8](repeating: byte, count: 32)))
    }

    /// A sealed packet of random header and payload.
    private func packet(
        _ cipher: inout PacketCipher, payload: Int, path: UInt32, number: UInt64,
        _ generator: inout SeededGenerator
    ) -> (plain: [UInt8], sealed: [UInt8]) {
        let plain = randomBytes(Self.headerLength + payload, &generator)
        var sealed = plain + [UInt8](repeating: 0, count: 16)
        let length = sealed.withUnsafeMutableBytes {
            cipher.seal(
                packet: $0, headerLength: Self.headerLength, payloadLength: payload, path: path,
                packetNumber: number)
        }
        #expect(length == sealed.count)
        return (plain, sealed)
    }

    private func open(
        _ cipher: inout PacketCipher, _ packet: inout [UInt8], path: UInt32, number: UInt64
    ) -> Int? {
        packet.withUnsafeMutableBytes {
            cipher.open(
                packet: $0, headerLength: Self.headerLength, path: path, packetNumber: number)
        }
    }

    @Test(arguments: CipherSuite.allCases)
    func opensWhatItSealed(suite: CipherSuite) throws {
        var generator = SeededGenerator(seed: 1)
        var sender = try PacketCipher(suite: suite, secret: secret(1))
        var receiver = try PacketCipher(suite: suite, secret: secret(1))
        for payload in [0, 1, 15, 16, 17, 100, 1_200, 1_400, 9_000] {
            let (path, number) = (UInt32(payload % 5), generator.next())
            var (plain, sealed) = packet(
                &sender, payload: payload, path: path, number: number, &generator)
            #expect(sealed.prefix(Self.headerLength) == plain.prefix(Self.headerLength))
            if payload > 8 { #expect(!sealed.starts(with: plain)) }
            #expect(open(&receiver, &sealed, path: path, number: number) == payload)
            #expect(sealed.starts(with: plain))
        }
    }

    /// The construction of the nonce and the derivation of the keys, against the raw cipher.
    @Test func nonceIsPathAndNumberXoredWithTheIV() throws {
        let root = try secret(9)
        let key = try Crypto.expandLabel(root.secret, label: "pathwise key", length: 16)
        var nonce = Array(
            try Crypto.expandLabel(root.secret, label: "pathwise iv", length: 12).array.prefix(12))
        for (index, byte) in hex("000000050102030405060708").enumerated() { nonce[index] ^= byte }
        let expected = try seal(
            .aes128gcm, key: Array(key.array.prefix(16)), nonce: nonce, header: [1, 2, 3],
            plaintext: [4, 5, 6, 7])
        var cipher = try PacketCipher(suite: .aes128gcm, secret: root)
        var packet: [UInt8] = [1, 2, 3, 4, 5, 6, 7] + [UInt8](repeating: 0, count: 16)
        let length = packet.withUnsafeMutableBytes {
            cipher.seal(
                packet: $0, headerLength: 3, payloadLength: 4, path: 5,
                packetNumber: 0x0102_0304_0506_0708)
        }
        #expect(length == 23)
        #expect(packet == [1, 2, 3] + expected)
    }

    @Test(arguments: CipherSuite.allCases)
    func everyFlippedBitIsRefused(suite: CipherSuite) throws {
        var generator = SeededGenerator(seed: 2)
        var sender = try PacketCipher(suite: suite, secret: secret(1))
        var receiver = try PacketCipher(suite: suite, secret: secret(1))
        let sealed = packet(&sender, payload: 60, path: 3, number: 77, &generator).sealed
        for bit in 0..<(sealed.count * 8) {
            var forged = sealed
            forged[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(open(&receiver, &forged, path: 3, number: 77) == nil)
            let rest = forged[Self.headerLength..<(forged.count - 16)]
            #expect(rest.allSatisfy { $0 == 0 }, "unproved plaintext is left at bit \(bit)")
        }
        var good = sealed
        #expect(open(&receiver, &good, path: 3, number: 77) == 60)
    }

    @Test(arguments: CipherSuite.allCases)
    func wrongPathNumberOrKeyIsRefused(suite: CipherSuite) throws {
        var generator = SeededGenerator(seed: 3)
        var sender = try PacketCipher(suite: suite, secret: secret(1))
        var receiver = try PacketCipher(suite: suite, secret: secret(1))
        var stranger = try PacketCipher(suite: suite, secret: secret(2))
        for _ in 0..<200 {
            let (path, number) = (UInt32(generator.next() % 16), generator.next())
            let sealed = packet(
                &sender, payload: 33, path: path, number: number, &generator
            ).sealed
            var copy = sealed
            #expect(open(&receiver, &copy, path: path ^ 1, number: number) == nil)
            copy = sealed
            let flipped = number ^ (1 << (generator.next() % 64))
            #expect(open(&receiver, &copy, path: path, number: flipped) == nil)
            copy = sealed
            #expect(open(&stranger, &copy, path: path, number: number) == nil)
            copy = sealed
            #expect(open(&receiver, &copy, path: path, number: number) == 33)
        }
    }

    @Test func truncatedAndImpossibleLengthsAreRefused() throws {
        var generator = SeededGenerator(seed: 4)
        var cipher = try PacketCipher(suite: .aes128gcm, secret: secret(1))
        let sealed = packet(&cipher, payload: 40, path: 0, number: 5, &generator).sealed
        for length in 0..<sealed.count {
            var short = Array(sealed.prefix(length))
            #expect(open(&cipher, &short, path: 0, number: 5) == nil)
        }
        var buffer = [UInt8](repeating: 0, count: 64)
        for (header, payload) in [
            (-1, 10), (10, -1), (49, 0), (0, 49), (40, 9), (Int.max, 1), (1, Int.max),
            (Int.min, Int.min), (Int.max, Int.max),
        ] {
            let sealed = buffer.withUnsafeMutableBytes {
                cipher.seal(
                    packet: $0, headerLength: header, payloadLength: payload, path: 0,
                    packetNumber: 0)
            }
            #expect(sealed == 0)
            let opened = buffer.withUnsafeMutableBytes {
                cipher.open(
                    packet: $0, headerLength: header < 0 || header > 48 ? header : -header - 1,
                    path: 0, packetNumber: 0)
            }
            #expect(opened == nil)
        }
        let nothing = cipher.open(
            packet: UnsafeMutableRawBufferPointer(start: nil, count: 0), headerLength: 0, path: 0,
            packetNumber: 0)
        #expect(nothing == nil)
    }

    @Test func everyGenerationHasItsOwnKeys() throws {
        var keys = try DirectionKeys(suite: .aes256gcm, secret: secret(1))
        var seen: Set<[UInt8]> = [keys.key.array]
        var twin = keys
        for _ in 0..<20 {
            let old = keys
            keys = try keys.next()
            twin = try twin.next()
            #expect(seen.insert(keys.key.array).inserted)
            #expect(keys.ivLow != old.ivLow)
            var generator = SeededGenerator(seed: 5)
            var sender = try PacketCipher(keys)
            var receiver = try PacketCipher(twin)
            var behind = try PacketCipher(old)
            let sealed = packet(&sender, payload: 20, path: 1, number: 9, &generator).sealed
            var copy = sealed
            #expect(open(&behind, &copy, path: 1, number: 9) == nil)
            copy = sealed
            #expect(open(&receiver, &copy, path: 1, number: 9) == 20)
        }
    }
}
