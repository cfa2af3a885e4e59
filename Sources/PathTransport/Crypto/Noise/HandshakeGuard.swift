internal import PathTelemetry

/// The MAC that a first handshake message carries, so that a server drops other datagrams cheaply.
///
/// It proves only that the sender knows the server's public key (WireGuard's mac1): the first
/// 16 bytes of HMAC-SHA256 under SHA-256("pathwise mac1" followed by the public key).
struct HandshakeMAC: Sendable {
    /// Length of the MAC, bytes.
    static let length = 16

    private let key: Bytes32

    /// Errors: `backend` when libcrypto fails.
    init(responder: PublicKey) throws(CryptoError) {
        let label = Array("pathwise mac1".utf8)
        key = try unsafe Crypto.sha256(label.span.bytes, responder.bytes.storage.span.bytes)
    }

    /// The MAC of a message without its MAC.
    ///
    /// Errors: `backend` when libcrypto fails.
    func mac(of message: RawSpan) throws(CryptoError) -> [UInt8] {
        let full = try unsafe Crypto.hmac(key: key.storage.span.bytes, message)
        return Array(full.array.prefix(HandshakeMAC.length))
    }

    /// Whether `mac` belongs to `message`, in constant time; false for any other length.
    func isValid(_ mac: RawSpan, of message: RawSpan) -> Bool {
        guard let full = try? unsafe Crypto.hmac(key: key.storage.span.bytes, message) else {
            return false
        }
        return unsafe Crypto.equal(
            mac, full.storage.span.bytes.extracting(0..<HandshakeMAC.length))
    }
}

/// Stateless proof of an address: a server under load answers with a cookie and continues only with
/// clients that return it, without keeping state.
///
/// A cookie is the first 16 bytes of an HMAC-SHA256 of the address that changes every 120 s
/// (WireGuard's cookie, section 5.4.7 of its paper). All periods share one random secret: the MAC
/// covers the number of the period and the address. The present and the previous period's cookies
/// are accepted, so one lives for 120 to 240 s.
struct CookieJar: Sendable {
    /// Length of a cookie, bytes.
    static let length = 16
    /// How long one period lasts.
    static let period = TimeDelta.seconds(120)

    private let secret: TrafficSecret

    /// Makes a jar with a fresh secret.
    ///
    /// Errors: `backend` when the system provides no randomness.
    init() throws(CryptoError) { secret = TrafficSecret(try Crypto.randomSecret()) }

    /// Makes a jar with a given secret, so that several servers accept each other's cookies, or a
    /// simulation is repeatable.
    init(secret: TrafficSecret) { self.secret = secret }

    /// The cookie of an address (IP address and port, in any fixed form).
    ///
    /// Errors: `backend` when libcrypto fails.
    func cookie(for address: RawSpan, now: Instant) throws(CryptoError) -> [UInt8] {
        let full = try cookie(for: address, period: CookieJar.periodNumber(at: now))
        return Array(full.array.prefix(CookieJar.length))
    }

    /// Whether `cookie` was made for the address in this period or the one before.
    func isValid(_ cookie: RawSpan, for address: RawSpan, now: Instant) -> Bool {
        let present = CookieJar.periodNumber(at: now)
        var valid = false
        for period in [present, present &- 1] {
            guard let full = try? self.cookie(for: address, period: period) else { return false }
            let expected = unsafe full.storage.span.bytes.extracting(0..<CookieJar.length)
            if Crypto.equal(cookie, expected) { valid = true }
        }
        return valid
    }

    private static func periodNumber(at now: Instant) -> Int64 {
        let (quotient, remainder) = now.nanoseconds.quotientAndRemainder(
            dividingBy: period.nanoseconds)
        return remainder < 0 ? quotient &- 1 : quotient
    }

    private func cookie(for address: RawSpan, period: Int64) throws(CryptoError) -> Bytes32 {
        var number: InlineArray<8, UInt8> = InlineArray(repeating: 0)
        for index in 0..<8 {
            number[index] = UInt8(truncatingIfNeeded: period &>> Int64(56 &- 8 &* index))
        }
        return try unsafe Crypto.hmac(key: secret.secret, number.span.bytes, address)
    }
}
