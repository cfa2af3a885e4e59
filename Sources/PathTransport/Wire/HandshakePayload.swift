/// The encrypted payload of a client's first message: proof of the pre-shared key, then the
/// transport parameters.
///
/// Noise mixes the pre-shared key into the second message only. With the proof a server refuses a
/// wrong key at once, and keeps nothing of that client.
enum HandshakePayload {
    static let proofLength = 16
    private static let label = Array("pathwise psk".utf8)

    static func encode(
        _ parameters: TransportParameters, key: PresharedKey, ephemeral: [UInt8]
    ) throws(CryptoError) -> [UInt8] {
        try proof(key, ephemeral) + parameters.encoded()
    }

    static func isProved(
        _ payload: [UInt8], by key: PresharedKey, ephemeral: [UInt8]
    ) throws(CryptoError) -> Bool {
        guard payload.count >= proofLength else { return false }
        let expected = try proof(key, ephemeral)
        return Crypto.equal(
            payload.span.bytes.extracting(0..<proofLength), expected.span.bytes)
    }

    static func parameters(_ payload: [UInt8]) -> TransportParameters? {
        guard payload.count >= proofLength else { return nil }
        return payload.withUnsafeBytes {
            TransportParameters(UnsafeRawBufferPointer(rebasing: $0[proofLength...]))
        }
    }

    /// HMAC-SHA256 under the key over a label and the client's ephemeral key, cut to 16 bytes.
    private static func proof(
        _ key: PresharedKey, _ ephemeral: [UInt8]
    ) throws(CryptoError) -> [UInt8] {
        let full = try Crypto.hmac(key: key.secret, label.span.bytes, ephemeral.span.bytes)
        return Array(full.array.prefix(proofLength))
    }
}
