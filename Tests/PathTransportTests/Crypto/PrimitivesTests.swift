import PathTelemetry
import Testing

@testable import PathTransport

@Suite struct PrimitivesTests {
    @Test func sha256MatchesFIPS180() throws {
        let message = Array("abc".utf8)
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        #expect(try hexText(Crypto.sha256(message.span.bytes).array) == expected)
        let (head, tail) = (Array("a".utf8), Array("bc".utf8))
        #expect(
            try hexText(Crypto.sha256(head.span.bytes, tail.span.bytes).array) == expected)
        #expect(
            try hexText(Crypto.sha256(RawSpan()).array)
                == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    }

    // RFC 4231, test cases 1, 2, 3, 4, 6 and 7.
    @Test(arguments: [
        (
            String(repeating: "0b", count: 20), "4869205468657265",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            String(repeating: "aa", count: 20), String(repeating: "dd", count: 50),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
        ),
        (
            "0102030405060708090a0b0c0d0e0f10111213141516171819",
            String(repeating: "cd", count: 50),
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"
        ),
        (
            String(repeating: "aa", count: 131),
            """
            54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d
            2048617368204b6579204669727374
            """,
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
        (
            String(repeating: "aa", count: 131),
            """
            5468697320697320612074657374207573696e672061206c6172676572207468616e20626c6f63
            6b2d73697a65206b657920616e642061206c6172676572207468616e20626c6f636b2d73697a65
            20646174612e20546865206b6579206e6565647320746f20626520686173686564206265666f72
            65206265696e6720757365642062792074686520484d414320616c676f726974686d2e
            """,
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"
        ),
    ])
    func hmacMatchesRFC4231(key: String, data: String, mac: String) throws {
        let (key, data) = (hex(key), hex(data))
        #expect(try hexText(Crypto.hmac(key: key.span.bytes, data.span.bytes).array) == mac)
        let (head, tail) = (Array(data.prefix(3)), Array(data.dropFirst(3)))
        let pieces = try Crypto.hmac(key: key.span.bytes, head.span.bytes, tail.span.bytes)
        #expect(hexText(pieces.array) == mac)
    }

    // RFC 9001, appendix A.5.
    @Test func expandLabelMatchesRFC9001() throws {
        let secret = try secretBytes(
            hex("9ac312a7f877468ebe69422748ad00a15443f18203a07d6060f688f30f21632b"))
        func derive(_ label: String, _ length: Int) throws -> String {
            let derived = try Crypto.expandLabel(secret, label: label, length: length)
            #expect(derived.array.dropFirst(length).allSatisfy { $0 == 0 })
            return hexText(Array(derived.array.prefix(length)))
        }
        #expect(
            try derive("tls13 quic key", 32)
                == "c6d98ff3441c3fe1b2182094f69caa2ed4b716b65488960a7a984979fb23e1c8")
        #expect(try derive("tls13 quic iv", 12) == "e0459b3474bdd0e44a41c144")
        #expect(
            try derive("tls13 quic ku", 32)
                == "1223504755036d556342ee9361d253421a826c9ecdf3c7148684b36b714881f9")
        #expect(throws: CryptoError.self) { try derive("x", 33) }
        #expect(throws: CryptoError.self) { try derive("x", 0) }
    }

    @Test func equalLooksAtEveryByteAndTheLength() {
        let one = [UInt8](0..<40)
        #expect(areEqual(one, one))
        #expect(areEqual([], []))
        #expect(!areEqual(one, Array(one.dropLast())))
        for index in one.indices {
            var other = one
            other[index] ^= 1
            #expect(!areEqual(one, other))
        }
    }

    @Test func randomBytesDiffer() throws {
        let (one, two) = (try Crypto.randomBytes(count: 64), try Crypto.randomBytes(count: 64))
        #expect(one.count == 64)
        #expect(one != two)
        #expect(try Crypto.randomBytes(count: 0).isEmpty)
        #expect(Set(one).count > 32)
    }

    @Test func wipeLeavesZeros() {
        var bytes = [UInt8](repeating: 7, count: 100)
        Crypto.wipe(&bytes)
        #expect(bytes == [UInt8](repeating: 0, count: 100))
    }
}

@Suite struct X25519Tests {
    // RFC 7748, section 5.2.
    @Test(arguments: [
        (
            "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
            "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"
        ),
        (
            "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
            "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
            "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957"
        ),
    ])
    func matchesRFC7748(scalar: String, point: String, result: String) throws {
        let key = try #require(PrivateKey(hex(scalar)))
        let peer = try #require(PublicKey(hex(point)))
        #expect(try hexText(key.sharedSecret(with: peer).array) == result)
    }

    // RFC 7748, section 5.2: k and u start as the base point and become (X25519(k, u), k).
    @Test func iteratesAsRFC7748() throws {
        var scalar = [9] + [UInt8](repeating: 0, count: 31)
        var point = scalar
        for round in 1...1_000 {
            let key = try #require(PrivateKey(scalar))
            let peer = try #require(PublicKey(point))
            (point, scalar) = (scalar, try key.sharedSecret(with: peer).array)
            if round == 1 {
                let expected = "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"
                #expect(hexText(scalar) == expected)
            }
        }
        #expect(
            hexText(scalar) == "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51")
    }

    // RFC 7748, section 6.1.
    @Test func agreesAsRFC7748() throws {
        let alice = try #require(
            PrivateKey(hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")))
        let bob = try #require(
            PrivateKey(hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")))
        #expect(
            hexText(alice.publicKey.rawBytes)
                == "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
        #expect(
            hexText(bob.publicKey.rawBytes)
                == "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
        let shared = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
        #expect(try hexText(alice.sharedSecret(with: bob.publicKey).array) == shared)
        #expect(try hexText(bob.sharedSecret(with: alice.publicKey).array) == shared)
    }

    @Test(arguments: [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ])
    func refusesPointsOfSmallOrder(point: String) throws {
        let key = try PrivateKey.generate()
        let peer = try #require(PublicKey(hex(point)))
        #expect(throws: CryptoError.weakPublicKey) { try key.sharedSecret(with: peer) }
    }
}
