import PathTelemetry
import Testing

@testable import PathTransport

extension HandshakeMAC {
    func accepts(_ mac: [UInt8], of message: [UInt8]) -> Bool {
        isValid(mac.span.bytes, of: message.span.bytes)
    }
}

extension CookieJar {
    func accepts(_ cookie: [UInt8], for address: [UInt8], now: Instant) -> Bool {
        isValid(cookie.span.bytes, for: address.span.bytes, now: now)
    }
}

@Suite struct HandshakeMACTests {
    @Test func isTheHMACUnderTheHashOfTheLabelAndTheKey() throws {
        let key = try PrivateKey.generate().publicKey
        let guardMAC = try HandshakeMAC(responder: key)
        let input = Array("pathwise mac1".utf8) + key.rawBytes
        let derived = try Crypto.sha256(input.span.bytes).array
        let message = [UInt8](0..<100)
        let full = try Crypto.hmac(key: derived.span.bytes, message.span.bytes).array
        let mac = try guardMAC.mac(of: message.span.bytes)
        #expect(mac == Array(full.prefix(16)))
        #expect(guardMAC.accepts(mac, of: message))
    }

    @Test func anotherMessageKeyOrLengthIsRefused() throws {
        let guardMAC = try HandshakeMAC(responder: try PrivateKey.generate().publicKey)
        let other = try HandshakeMAC(responder: try PrivateKey.generate().publicKey)
        let message = [UInt8](0..<100)
        let mac = try guardMAC.mac(of: message.span.bytes)
        #expect(!other.accepts(mac, of: message))
        for index in message.indices {
            var forged = message
            forged[index] ^= 1
            #expect(!guardMAC.accepts(mac, of: forged))
        }
        for length in 0..<16 {
            #expect(
                !guardMAC.accepts(Array(mac.prefix(length)), of: message))
        }
        let longer = mac + [0]
        #expect(!guardMAC.accepts(longer, of: message))
    }
}

@Suite struct CookieJarTests {
    private let address: [UInt8] = [192, 0, 2, 1, 0x13, 0x88]

    private func jar(_ byte: UInt8 = 1) throws -> CookieJar {
        CookieJar(
            secret: try #require(TrafficSecret([UInt8](repeating: byte, count: 32))))
    }

    @Test func livesForItsPeriodAndTheNext() throws {
        let jar = try jar()
        // Start of period 10.
        let start = Instant.zero + CookieJar.period * Int64(10)
        let made = start + .seconds(50)
        let cookie = try jar.cookie(for: address.span.bytes, now: made)
        #expect(cookie.count == CookieJar.length)
        func isValid(_ now: Instant) -> Bool {
            jar.accepts(cookie, for: address, now: now)
        }
        #expect(isValid(made))
        #expect(isValid(start))
        #expect(isValid(start + .seconds(239)))
        #expect(!isValid(start + .seconds(240)))
        #expect(!isValid(start - .seconds(1)))
        let later = try jar.cookie(for: address.span.bytes, now: start + .seconds(120))
        #expect(later != cookie)
    }

    @Test func belongsToOneAddressAndOneSecret() throws {
        let jar = try jar()
        let now = Instant.zero + .seconds(1_000)
        let cookie = try jar.cookie(for: address.span.bytes, now: now)
        for index in address.indices {
            var other = address
            other[index] ^= 1
            #expect(!jar.accepts(cookie, for: other, now: now))
        }
        for bit in 0..<128 {
            var forged = cookie
            forged[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(!jar.accepts(forged, for: address, now: now))
        }
        let shorter = Array(cookie.dropLast())
        #expect(!jar.accepts(shorter, for: address, now: now))
        let stranger = try self.jar(2)
        #expect(!stranger.accepts(cookie, for: address, now: now))
        let (one, two) = (try CookieJar(), try CookieJar())
        let fresh = try one.cookie(for: address.span.bytes, now: now)
        #expect(one.accepts(fresh, for: address, now: now))
        #expect(!two.accepts(fresh, for: address, now: now))
    }

    @Test func worksAtTheEndsOfTime() throws {
        let jar = try jar()
        for nanoseconds in [Int64.min, -1, 0, 1, Int64.max] {
            let now = Instant(nanoseconds: nanoseconds)
            let cookie = try jar.cookie(for: address.span.bytes, now: now)
            #expect(jar.accepts(cookie, for: address, now: now))
        }
    }
}
